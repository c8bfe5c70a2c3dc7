"""python -m perf.telemetry_loss: what is lost between a service and its collector, with ours and with the stock SDK.

Everything is real and on loopback: `ignis serve` on the sample catalog, and beside it, under the same load at the same time, a
grpc.aio server whose handler makes a span of each call with OpenTelemetry's SDK as its documentation has it (BatchSpanProcessor,
OTLPSpanExporter, all settings as they come). Each has a receiver of its own that keeps every span. Every call carries a trace id; a
span is lost if its call was answered and the receiver neither got nor rejected it, once everything has been well for as long as
spans kept coming (15 s without any ends the wait), and the server was told to end and had its time for that.

scenarios      250 calls a second of a cheap RPC for 30 s: healthy; the collector down for 20 s; down at the start; kill -9 of the
               server amid the load, started again; SIGTERM with the collector down, started again with it up; every tenth request
               rejected with INVALID_ARGUMENT; RESOURCE_EXHAUSTED with RetryInfo for 10 s; and 50,000 calls as fast as they are
               answered. --scenario picks some. Bursts run one after the other.
catch-up       100,000 calls with the collector away; then it comes back, and the time until it has all spans counts.
outage-memory  What an hour's outage at 250 calls a second leaves, 900,000 spans, captured as fast as calls are answered: how much
               the server's memory grows. Takes minutes.

Ends with status 1 if ours lost anything, sent anything twice but whole batches that are known by their numbers, did not count what
was rejected, took 30 s or more to catch up, or grew by 50 MB or more.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from perf.serving import memory_mb
from perf.telemetry.arrivals import arrivals
from perf.telemetry.load import Calls, at_once, open_channel
from perf.telemetry.receiver import receiver
from perf.telemetry.scenarios import SCENARIOS, Pace, Scenario, Seen, played
from perf.telemetry.system import SYSTEMS, Program, start_ours
from perf.telemetry.tables import table, write

PARTS = ("scenarios", "catch-up", "outage-memory")
CATCH_UP_SPANS, CATCH_UP_SECONDS = 100_000, 30.0
OUTAGE_SPANS, OUTAGE_MB = 900_000, 50.0
WARM_UP_CALLS = 10_000
HEADINGS = (
    "scenario",
    "system",
    "calls answered",
    "spans received",
    "rejected by the receiver",
    "lost",
    "lost %",
    "repeated",
    "caught up after",
    "span's end to receipt, p99",
    "max",
)


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How soon a collector that came back had all that had waited for it."""

    spans: int
    received: int
    seconds: float

    @property
    def is_sound(self) -> bool:
        """Whether all came, and in time."""
        return self.received == self.spans and self.seconds < CATCH_UP_SECONDS


@dataclass(frozen=True, slots=True)
class Outage:
    """Resident memory of a server in MiB: when it had served a while, the greatest seen in an outage, and at its end."""

    spans: int
    before_mb: float
    greatest_mb: float
    after_mb: float
    outbox_mb: float

    @property
    def is_sound(self) -> bool:
        """Whether it grew little enough."""
        return self.greatest_mb - self.before_mb < OUTAGE_MB


async def side_by_side(scenario: Scenario, pace: Pace) -> dict[str, Seen]:
    """Play a scenario with both systems: at the same time, or in turns where the load takes what it can get."""
    if scenario.burst:
        return {name: await played(scenario, start, pace) for name, start in SYSTEMS.items()}
    seen = await asyncio.gather(*(played(scenario, start, pace) for start in SYSTEMS.values()))
    return dict(zip(SYSTEMS, seen, strict=True))


async def caught_up(spans: int) -> CaughtUp:
    """Fill an outbox with the collector away, have it come back, and wait for all."""
    calls = Calls()
    with tempfile.TemporaryDirectory() as folder:
        async with receiver(is_away=True) as collector:
            program = Program(start_ours, collector_port=collector.port, folder=Path(folder))
            await program.start()
            try:
                async with open_channel(program.port) as channel:
                    await at_once(channel, calls, spans)
                await collector.start()
                began = time.perf_counter()
                seen, missing, seconds = 0, set(calls.answered), 0.0
                while missing and seconds < 4 * CATCH_UP_SECONDS:
                    await asyncio.sleep(0.05)
                    fresh = collector.taken[seen:]
                    seen += len(fresh)
                    missing -= {each.trace_id for each in arrivals(fresh)}
                    seconds = time.perf_counter() - began
            finally:
                await program.end()
    return CaughtUp(len(calls.answered), len(calls.answered) - len(missing), seconds)


async def outage_memory(spans: int) -> Outage:
    """Watch the memory of a server that captures with the collector away."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with receiver(is_away=True) as collector:
            program = Program(start_ours, collector_port=collector.port, folder=folder)
            await program.start()
            try:
                async with open_channel(program.port) as channel:
                    await at_once(channel, Calls(), WARM_UP_CALLS)
                    before = greatest = memory_mb(program.pid, "VmRSS")
                    calling = asyncio.create_task(at_once(channel, Calls(), spans), name="calls")
                    while not calling.done():
                        await asyncio.wait([calling], timeout=1.0)
                        greatest = max(greatest, memory_mb(program.pid, "VmRSS"))
                    await calling
                after = memory_mb(program.pid, "VmRSS")
                kept = _size_bytes(folder)
            finally:
                await program.end()
    return Outage(spans, before, greatest, after, kept / 2**20)


def _size_bytes(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def scenario_rows(found: Mapping[str, Mapping[str, Seen]]) -> list[Sequence[str]]:
    """Return a row for each scenario and system."""
    return [
        (
            SCENARIOS[name].name,
            system,
            f"{seen.calls:,}",
            f"{seen.received:,}",
            f"{seen.rejected:,}",
            f"{seen.lost:,}",
            f"{seen.lost / max(seen.calls, 1):.2%}",
            _repeated(seen),
            f"{seen.catch_up_seconds:.1f} s",
            f"{seen.p99_seconds:.2f} s",
            f"{seen.max_seconds:.2f} s",
        )
        for name, systems in found.items()
        for system, seen in systems.items()
    ]


def _repeated(seen: Seen) -> str:
    if not seen.repeated:
        return "0"
    return f"{seen.repeated:,}, {'whole batches' if seen.is_by_whole_batches else 'not as whole batches'}"


async def measured_scenarios(names: Sequence[str], pace: Pace) -> tuple[str, object, bool]:
    """Play scenarios; return the table, the figures, and whether ours is sound in all."""
    found: dict[str, dict[str, Seen]] = {}
    for name in names:
        print(f"{SCENARIOS[name].name} …", flush=True)
        found[name] = await side_by_side(SCENARIOS[name], pace)
    figures = {name: {system: asdict(seen) for system, seen in systems.items()} for name, systems in found.items()}
    return table(HEADINGS, scenario_rows(found)), figures, all(systems["ours"].is_sound for systems in found.values())


async def measured_catch_up() -> tuple[str, object, bool]:
    """Measure catching up; return the table, the figures, and whether it is soon enough."""
    found = await caught_up(CATCH_UP_SPANS)
    rows = [
        ("spans that waited, and those received", f"{found.spans:,}, {found.received:,}"),
        ("time from the collector's return to the last of them", f"{found.seconds:.1f} s"),
        ("spans a second", f"{found.received / found.seconds:,.0f}"),
    ]
    return table(("what", "figure"), rows), asdict(found), found.is_sound


async def measured_outage() -> tuple[str, object, bool]:
    """Measure memory; return the table, the figures, and whether it grew little enough."""
    found = await outage_memory(OUTAGE_SPANS)
    rows = [
        ("spans captured with the collector away", f"{found.spans:,}"),
        (f"resident memory after {WARM_UP_CALLS:,} calls", f"{found.before_mb:.0f} MiB"),
        ("the greatest seen afterwards, and at the end", f"{found.greatest_mb:.0f} MiB, {found.after_mb:.0f} MiB"),
        ("growth, greatest", f"{found.greatest_mb - found.before_mb:.1f} MiB"),
        ("outbox on disk at the end", f"{found.outbox_mb:.0f} MiB"),
    ]
    return table(("what", "figure"), rows), asdict(found), found.is_sound


def main() -> None:
    """Parse, measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; may be given several times")
    parser.add_argument("--scenario", choices=[*SCENARIOS], action="append", help="only this; likewise")
    parser.add_argument(
        "--seconds", type=float, default=Pace().seconds, help="of the load; schedules stretch (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder for telemetry-loss.json and telemetry-loss.md")
    given = parser.parse_args()
    sections: dict[str, tuple[str, object]] = {}
    all_sound = True
    for part in given.part or PARTS:
        print(f"part {part} …", flush=True)
        match part:
            case "scenarios":
                measuring = measured_scenarios(given.scenario or [*SCENARIOS], Pace(seconds=given.seconds))
            case "catch-up":
                measuring = measured_catch_up()
            case _:
                measuring = measured_outage()
        text, figures, is_sound = uvloop.run(measuring)
        print(text, flush=True)
        sections[part] = (text, figures)
        all_sound = all_sound and is_sound
        if given.out:
            write(given.out, "telemetry-loss", sections)
    if not all_sound:
        sys.exit("perf: ours lost telemetry, or was too slow or too large; the tables say where")


if __name__ == "__main__":
    main()
