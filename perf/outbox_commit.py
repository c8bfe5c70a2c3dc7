"""What it costs to commit a span, by several ways of doing so, and what the outbox makes of it.

    python -m perf.outbox_commit [--folder DIR] [--bytes 250] [--calls 20000] [--spans 100000] [--seconds 5]

The first table commits a span at a time: by one write to a file that is appended to, by a copy into a file that is mapped
into memory, by a transaction of SQLite in WAL mode, with or without forcing it to disk. What is forced is measured with a
hundredth of the calls. The second table is the outbox itself: capturing, sealing, reading back and settling, and how long a
capture takes at 3,000 a second while batches are sealed beside it. What is called many times is called in five parts, and
the figure is the mean of the best of them: other work on the machine makes the others worse, and nothing makes one better.
"""

import argparse
import asyncio
import mmap
import os
import sqlite3
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from zlib import crc32

import structlog

from ignis_server.clock import SystemClock
from ignis_server.signals import NoSignals
from ignis_server.telemetry.model import Batch, Receipt, Signal
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.outbox import Outbox
from ignis_server.telemetry.outbox.settings import Durability, OutboxSettings

DESTINATION: Final = "platform"
FORCED_SHARE: Final = 100
ROUNDS: Final = 5
PACE_SECONDS: Final = 1 / 3_000

Commit = Callable[[bytes], object]
Rows = list[tuple[str, str]]


def mean_us(action: Callable[[], object], calls: int) -> float:
    """Return the mean time of a call in microseconds, in the best of five parts of the calls."""
    part = max(1, calls // ROUNDS)
    return min(timeit.repeat(action, number=part, repeat=ROUNDS)) / part * 1e6


@contextmanager
def appended(folder: Path) -> Iterator[int]:
    """Have a file that is appended to."""
    file = os.open(folder / "appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def mapped(folder: Path, size: int) -> Iterator[Commit]:
    """Have a file that is mapped into memory, with room for everything."""
    with (folder / "mapped").open("w+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        with mmap.mmap(file.fileno(), size) as memory:
            place = 0

            def commit(data: bytes) -> None:
                nonlocal place
                memory[place : place + len(data)] = data
                place += len(data)

            yield commit


@contextmanager
def database(folder: Path, synchronous: str) -> Iterator[Commit]:
    """Have a database to which each span is one transaction."""
    connection = sqlite3.connect(folder / f"{synchronous}.db", isolation_level=None)
    try:
        for statement in (
            "PRAGMA locking_mode = EXCLUSIVE",
            "PRAGMA journal_mode = WAL",
            f"PRAGMA synchronous = {synchronous}",
            "CREATE TABLE spans (id INTEGER PRIMARY KEY, data BLOB)",
        ):
            connection.execute(statement)
        yield lambda data: connection.execute("INSERT INTO spans (data) VALUES (?)", (data,))
    finally:
        connection.close()


def commits(folder: Path, span: bytes, calls: int) -> Rows:
    """Measure each way to commit one span."""
    forced = max(1, calls // FORCED_SHARE)
    with ExitStack() as stack:
        file = stack.enter_context(appended(folder))
        memory = stack.enter_context(mapped(folder, (len(span) + 4) * calls))

        def write_and_force() -> None:
            os.write(file, span)
            os.fdatasync(file)

        measured: list[tuple[str, Callable[[], object], int]] = [
            ("os.write", lambda: os.write(file, span), calls),
            ("os.write, with a CRC-32", lambda: os.write(file, crc32(span).to_bytes(4) + span), calls),
            ("mmap, with a CRC-32", lambda: memory(crc32(span).to_bytes(4) + span), calls),
            ("os.write and fdatasync", write_and_force, forced),
        ]
        for synchronous, times in (("OFF", calls), ("NORMAL", calls), ("FULL", forced)):
            insert = stack.enter_context(database(folder, synchronous))
            measured.append((f"SQLite, WAL, synchronous={synchronous}", partial(insert, span), times))
        return [(name, f"{mean_us(action, times):,.1f} us") for name, action, times in measured]


async def outbox_figures(folder: Path, span: bytes, spans: int, seconds: float) -> Rows:
    """Measure the outbox."""
    settings = OutboxSettings(folder / "outbox", {DESTINATION: frozenset(Signal)})
    rows: Rows = []
    for durability in (Durability.BATCHED, Durability.STRICT):
        chosen = replace(settings, root=folder / durability, durability=durability)
        outbox = Outbox(chosen, Origin(b"", b""), clock=SystemClock(), signals=NoSignals())
        await outbox.commit()
        cost = mean_us(partial(outbox.capture, Signal.TRACES, 1, span), spans)
        rows.append((f"Outbox.capture, {durability}", f"{cost:.2f} us"))
        began = time.perf_counter()
        await outbox.commit()
        if durability is Durability.STRICT:
            rows.append((f"sealing {spans:,} spans", _each(time.perf_counter() - began, spans)))
            rows += await read_back(outbox, spans)
            rows.append(await while_sealing(outbox, span, seconds))
        await outbox.aclose()
    return rows


async def read_back(outbox: Outbox, spans: int) -> Rows:
    """Measure what a shipper does, sending aside."""
    began = time.perf_counter()
    batches: list[Batch] = []
    while found := await outbox.waiting(DESTINATION, Signal.TRACES, 8, after=batches[-1].sequence if batches else 0):
        batches += found
    read = time.perf_counter() - began
    began = time.perf_counter()
    for batch in batches:
        await outbox.settled(DESTINATION, [Receipt(batch.sequence, batch.signal, batch.items, 0, "", 0)])
    settled = time.perf_counter() - began
    if sum(batch.items for batch in batches) != spans:
        raise SystemExit("perf: not all spans came back")
    return [
        (f"reading them back, {len(batches)} batches", _each(read, spans)),
        ("settling them, a batch at a time", f"{settled / len(batches) * 1e3:.2f} ms a batch"),
    ]


async def while_sealing(outbox: Outbox, span: bytes, seconds: float) -> tuple[str, str]:
    """Measure captures at a pace, with everything going on that goes on in a service."""
    running = asyncio.create_task(outbox.run())
    took: list[int] = []
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        # As many as are due by now.
        for _ in range(int((now - began) / PACE_SECONDS) - len(took)):
            start = time.perf_counter_ns()
            outbox.capture(Signal.TRACES, 1, span)
            took.append(time.perf_counter_ns() - start)
        await asyncio.sleep(PACE_SECONDS)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    cuts = statistics.quantiles(took, n=1_000)
    return (
        "a capture while batches are sealed, 3,000 a second",
        f"p50 {cuts[499] / 1e3:.1f} us, p99 {cuts[989] / 1e3:.1f} us, p99.9 {cuts[998] / 1e3:.0f} us",
    )


def _each(seconds: float, spans: int) -> str:
    return f"{seconds * 1e3:,.0f} ms, {seconds / spans * 1e6:.2f} us a span"


def table(heading: str, rows: Rows) -> str:
    """Return rows as a Markdown table."""
    return "\n".join([f"| {heading} | figure |", "|---|---:|", *(f"| {name} | {figure} |" for name, figure in rows)])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write (default: a new folder among temporary files)")
    parser.add_argument("--bytes", type=int, default=250, help="size of a span (default: 250)")
    parser.add_argument("--calls", type=int, default=20_000, help="commits of each kind (default: 20000)")
    parser.add_argument("--spans", type=int, default=100_000, help="spans through the outbox (default: 100000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of the run at a pace (default: 5)")
    given = parser.parse_args()
    structlog.configure(processors=[lambda _logger, _name, _event: _drop()])
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        span = os.urandom(given.bytes)
        print(table(f"committing {given.bytes} bytes", commits(Path(folder), span, given.calls)))
        print()
        figures = asyncio.run(outbox_figures(Path(folder), span, given.spans, given.seconds))
        print(table(f"the outbox, spans of {given.bytes} bytes", figures))


def _drop() -> str:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
