"""`ignis sink`: a receiver of telemetry to look at, and to verify against."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer
from rich.live import Live

from ignis_server.cli.consoles import new_console
from ignis_server.settings import LOOPBACK_HOSTS
from ignis_server.telemetry.sink.received import Received
from ignis_server.telemetry.sink.sink import otlp_sink

__all__ = ["sink"]

LOOK_SECONDS: Final = 1.0
MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sink has, in figures: batches, what was in them, those that came damaged, and those that never came."""

    batches: int
    spans: int
    points: int
    logs: int
    corrupt: int
    gaps: int

    @classmethod
    def of(cls, received: Received) -> "Summary":
        """Sum up what has arrived."""
        return cls(
            batches=sum(map(len, received.batches.values())),
            spans=received.spans.total(),
            points=received.points.total(),
            logs=received.logs.total(),
            corrupt=received.corrupt,
            gaps=sum(len(received.gaps(outbox_id)) for outbox_id in received.batches),
        )

    def __str__(self) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in asdict(self).items())


def checked_listen(address: str) -> str:
    """Return an address if it is one of loopback: a sink asks nobody who they are.

    Raises:
        typer.BadParameter: It is not HOST:PORT, or open to other machines.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > MAX_PORT:
        raise typer.BadParameter(f"{address!r} is not HOST:PORT, such as 127.0.0.1:4317; port 0 takes a free one")
    if host not in LOOPBACK_HOSTS:
        raise typer.BadParameter(
            f"{host!r} is open to other machines, and a sink asks nobody who they are: say 127.0.0.1"
        )
    return address


def sink(
    listen: Annotated[
        str, typer.Option(help="HOST:PORT of loopback; port 0 takes a free one.", callback=checked_listen)
    ] = "127.0.0.1:4317",
) -> None:
    """Receive telemetry by OTLP over gRPC, count it, and answer servers that verify what they have delivered.

    Try it with three terminals:

        ignis sink

        ignis serve --catalog DIR --otlp-endpoint http://127.0.0.1:4317

        ignis status --verify

    A terminal shows one line that keeps up; anything else gets a line of JSON whenever something has changed.

    * batches, spans, points, logs: what has arrived since the sink began; it keeps nothing when it ends.
    * corrupt: batches that were not what their digests say. They are refused, and the sender sends them again.
    * gaps: batches that a later one has overtaken and that never came. They close while a sender catches up; a
    sink that begins later than its senders counts what they delivered elsewhere.

    SIGTERM and Ctrl-C end it with a last summary.
    """
    asyncio.run(_receive(listen))


async def _receive(listen: str) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    received = Received()
    async with otlp_sink(listen, received) as running:
        address = f"{listen.rpartition(':')[0]}:{running.port}"
        with _shown(address) as show:
            while not told.is_set():
                show(Summary.of(received))
                await _pause(told)
    _end(Summary.of(received))


async def _pause(told: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await told.wait()
    except TimeoutError:
        return


@contextmanager
def _shown(address: str) -> Iterator[Callable[[Summary], None]]:
    """Show summaries as they are given: in one line of a terminal, or as JSON where they differ from the one before."""
    if sys.stdout.isatty():
        with Live(console=new_console(), auto_refresh=False, transient=True) as live:
            yield lambda summary: live.update(f"{address}  {summary}", refresh=True)
        return
    _write("listening", address=address)
    last: Summary | None = None

    def show(summary: Summary) -> None:
        nonlocal last
        if summary != last:
            _write("received", **asdict(summary))
        last = summary

    yield show


def _end(summary: Summary) -> None:
    if sys.stdout.isatty():
        typer.echo(str(summary))
    else:
        _write("ended", **asdict(summary))


def _write(event: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()
