"""The commands for those who operate telemetry: status, sink, signals; as processes, against each other."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ignis_client import IgnisClient
from ignis_server.signal_table import EVENTS, METRICS, RESOURCE, SPANS
from support.collector import free_port
from support.otlp_receiver import Accept, otlp_receiver
from support.program import Ended, ignis_program, run_ignis, serving_ignis
from support.telemetry_door import all_delivered, eventually

HEADS = "destination  signal   captured  delivered  rejected  shed  waiting  oldest  last error"
# Never in the course of a test: only what a test does is captured.
QUIET = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000", "IGNIS_TELEMETRY_DRAIN_SECONDS": "0.1"}


@dataclass(frozen=True, slots=True)
class RunningSink:
    """A process of `ignis sink`."""

    address: str
    process: asyncio.subprocess.Process

    async def end(self, number: signal.Signals) -> tuple[int, list[dict[str, Any]]]:
        """Send it a signal, and return its exit status and the rest of its lines."""
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            output, _ = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, [json.loads(line) for line in output.splitlines()]


@asynccontextmanager
async def sink_process() -> AsyncIterator[RunningSink]:
    process = await asyncio.create_subprocess_exec(
        ignis_program(), "sink", "--listen", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        async with asyncio.timeout(30):
            first = json.loads(await process.stdout.readline())
        assert first["event"] == "listening"
        yield RunningSink(first["address"], process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def status(address: str, *arguments: str) -> Ended:
    return await run_ignis("status", "--server", address, *arguments)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_sink_counts_what_arrives_and_status_verifies_it(
    small_catalog: Path, tmp_path: Path, number: signal.Signals
) -> None:
    async with asyncio.timeout(60), sink_process() as sink:
        to_sink = ("--otlp-endpoint", f"http://{sink.address}")
        async with serving_ignis("--catalog", small_catalog, *to_sink, IGNIS_OUTBOX_DIR=str(tmp_path), **QUIET) as it:
            async with IgnisClient(it.address) as ignis:
                await all_delivered(ignis, least=2)
            people = await status(it.address, "--verify")
            machine = await status(it.address, "--verify", "--json")
            ended = await it.terminate()
        exit_status, lines = await sink.end(number)

    assert (people.status, machine.status, ended.status, exit_status) == (0, 0, 0, 0), people.complaints
    shown = people.output.splitlines()
    assert re.fullmatch(
        rf"{it.address} serves 8 agents with [\d,]+ tokens and \d+ teams, revision sha256:\w+", shown[0]
    )
    assert re.sub(r" +", " ", shown[2]).strip() == re.sub(r" +", " ", HEADS)
    assert "✓ captured = delivered + rejected + shed + waiting, in every row. The outbox holds" in people.output
    assert re.search(r"default: ✓ (\d+) of \1 batches are there, with equal digests\n", people.output)
    told = json.loads(machine.output)
    assert told["is_good"]
    assert told["verified"]["default"]["batch_count"] == told["verified"]["default"]["equal_count"] > 0
    assert {row["signal"]: row["lost_count"] for row in told["ledger"]} == {"traces": 0, "metrics": 0, "logs": 0}
    assert lines[-1]["event"] == "ended"
    assert lines[-1]["spans"] > 0
    assert lines[-1]["logs"] > 0
    assert (lines[-1]["corrupt"], lines[-1]["gaps"]) == (0, 0)


async def test_status_exits_1_where_a_sink_began_anew(small_catalog: Path, tmp_path: Path) -> None:
    """The second sink has nothing of what the first acknowledged."""
    port = free_port()
    environment = {"IGNIS_OUTBOX_DIR": str(tmp_path)} | QUIET
    to_sink = ("--otlp-endpoint", f"http://127.0.0.1:{port}")
    async with asyncio.timeout(60), serving_ignis("--catalog", small_catalog, *to_sink, **environment) as it:
        away = await status(it.address, "--verify")
        async with _sink_on(port), IgnisClient(it.address) as ignis:
            await all_delivered(ignis, least=2)
        async with _sink_on(port):
            anew = await status(it.address, "--verify")

    assert away.status == 1
    assert "default: ✗ cannot be asked now: UNAVAILABLE" in away.output
    assert anew.status == 1
    assert re.search(r"default: ✗ \d+ of \d+ batches are there, with equal digests; missing: 1", anew.output)


async def test_status_exits_1_where_telemetry_was_rejected(small_catalog: Path, tmp_path: Path) -> None:
    async with asyncio.timeout(60), otlp_receiver() as receiver:
        receiver.rule = lambda got: Accept(rejected=1, message="no room") if got.signal == "traces" else Accept()
        to_it = ("--otlp-endpoint", receiver.grpc_url)
        async with serving_ignis("--catalog", small_catalog, *to_it, IGNIS_OUTBOX_DIR=str(tmp_path), **QUIET) as it:
            async with IgnisClient(it.address) as ignis:
                await all_delivered(ignis)
            ended = await status(it.address, "--verify")

    assert ended.status == 1
    assert "no room" in ended.output
    assert "default: cannot be verified: it does not say what it has" in ended.output


async def test_egress_writes_what_would_leave_and_nothing_else(small_catalog: Path, tmp_path: Path) -> None:
    to_nobody = ("--otlp-endpoint", f"http://127.0.0.1:{free_port()}")
    async with (
        asyncio.timeout(60),
        serving_ignis("--catalog", small_catalog, *to_nobody, IGNIS_OUTBOX_DIR=str(tmp_path), **QUIET) as it,
        IgnisClient(it.address) as ignis,
    ):
        shown = await eventually(lambda: ignis.preview_egress("default"), bool)
        ended = await status(it.address, "--egress", "default")
        unknown = await status(it.address, "--egress", "platfrm")

    assert (ended.status, ended.output) == (0, f"{shown[0].otlp_json}\n")
    assert json.loads(ended.output).keys() <= {"resourceSpans", "resourceLogs"}
    assert unknown.status == 1
    assert unknown.complaints == "ignis: no destination of telemetry is named 'platfrm': there are default\n"


async def test_status_of_a_server_whose_telemetry_goes_nowhere(small_catalog: Path) -> None:
    async with asyncio.timeout(60), serving_ignis("--catalog", small_catalog) as it:
        ended = await status(it.address, "--verify")

    assert ended.status == 0
    assert "Its telemetry goes nowhere" in ended.output


async def test_signals_are_listed_for_people_and_for_machines() -> None:
    people = await run_ignis("signals")
    machine = await run_ignis("signals", "--json")

    told = json.loads(machine.output)
    for section, rows in (("spans", SPANS), ("metrics", METRICS), ("events", EVENTS)):
        assert [each["name"] for each in told[section]] == [row.name for row in rows]
        assert not [row.name for row in rows if row.name not in people.output]
    assert [each["name"] for each in told["resource"]] == [each.name for each in RESOURCE]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["status", "--egress", "default", "--json"], "leave out --verify and --json"),
        (["status", "--server", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["sink", "--listen", "0.0.0.0:4317"], "is open to other machines"),
        (["sink", "--listen", "127.0.0.1:99999"], "is not HOST:PORT"),
        (["signals", "--json", "--markdown"], "exclude each other"),
    ],
)
async def test_what_cannot_be_done_is_told(arguments: list[str], complaint: str) -> None:
    ended = await run_ignis(*arguments, COLUMNS="200")

    assert ended.status == 2
    assert complaint in ended.complaints
    assert "Traceback" not in ended.complaints


async def test_a_port_that_is_taken_is_told() -> None:
    async with sink_process() as sink:
        second = await run_ignis("sink", "--listen", sink.address)

    assert second.status == 2
    assert f"ignis: cannot listen on {sink.address}" in second.complaints


@asynccontextmanager
async def _sink_on(port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        ignis_program(), "sink", "--listen", f"127.0.0.1:{port}", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(30):
            assert b"listening" in await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.communicate()
