"""What goes wrong between a service and its collector, and what arrives nevertheless."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import grpc

from ignis.telemetry.v1 import telemetry_pb2
from ignis.telemetry.v1.telemetry_pb2_grpc import TelemetryServiceStub
from ignis_server.telemetry.model import Signal
from perf.telemetry.arrivals import arrivals, catch_up_seconds, delays_seconds, lost, percentile, repeated
from perf.telemetry.load import Calls, at_once, open_channel, paced
from perf.telemetry.receiver import Receiver, Refusal, Rule, accept, receiver
from perf.telemetry.system import Program, Start, start_ours

__all__ = ["SCENARIOS", "Pace", "Scenario", "Seen", "played"]

# "lose" and "find" are of the collector; "kill" starts the server again at once; "end-and-start" ends it with SIGTERM,
# has the collector come back, and starts it again.
Act: TypeAlias = Literal["lose", "find", "kill", "throttle", "relent", "end-and-start"]
# The schedules are written for a load of so many seconds, and stretched to that which is asked for.
SCHEDULED_SECONDS = 30.0
# As long as nothing has come for so long, nothing is taken to be under way any more: the stock SDK sends every 5 s and
# gives up after 10.
QUIET_SECONDS = 15.0
MAX_SETTLE_SECONDS = 90.0
RETRY_SECONDS = 1.0


def reject_every_tenth(signal: Signal, number: int) -> Refusal | None:
    """Refuse every tenth request of spans for good."""
    is_tenth = signal is Signal.TRACES and number % 10 == 0
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT) if is_tenth else None


def throttle(_signal: Signal, _number: int) -> Refusal | None:
    """Tell every sender to wait."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class Pace:
    """The load: so many calls a second for so many seconds."""

    per_second: float = 250.0
    seconds: float = SCHEDULED_SECONDS


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens while a load runs.

    Attributes:
        name: As it is written down.
        acts: What is done after how many of thirty seconds; what comes after the thirtieth is done when the load is over.
        rule: How the receiver answers at first.
        is_away: Whether the collector is away at first.
        burst: So many calls as fast as they are answered, instead of the load; 0: the load.
    """

    name: str
    acts: Sequence[tuple[float, Act]] = ()
    rule: Rule = accept
    is_away: bool = False
    burst: int = 0


SCENARIOS = {
    "healthy": Scenario("healthy"),
    "outage": Scenario("collector down for 20 s", ((5, "lose"), (25, "find"))),
    "away": Scenario("collector down at the start, for 20 s", ((20, "find"),), is_away=True),
    "kill": Scenario("kill -9 of the server, started again", ((15, "kill"),)),
    "term": Scenario("SIGTERM with the collector down, both started again", ((20, "lose"), (31, "end-and-start"))),
    "reject": Scenario("every tenth request rejected for good", rule=reject_every_tenth),
    "throttle": Scenario("RESOURCE_EXHAUSTED with RetryInfo for 10 s", ((10, "throttle"), (20, "relent"))),
    "burst": Scenario("burst of 50,000 spans", burst=50_000),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the spans of answered calls.

    Attributes:
        calls: Calls that were answered.
        failed: Calls that were not.
        received: Different spans of answered calls that arrived.
        rejected: Those that the receiver rejected for good.
        lost: Those that did neither.
        repeated: Spans that came again.
        is_by_whole_batches: Whether they did so as whole batches that are known by their numbers.
        catch_up_seconds: From the end of trouble (without any: of the load) to the receipt of the last span from before it.
        p99_seconds: 99th percentile of the time from the end of a span to its receipt.
        max_seconds: The longest such time.
        counted_rejected: What the sender itself says was rejected; None where it does not say.
    """

    calls: int
    failed: int
    received: int
    rejected: int
    lost: int
    repeated: int
    is_by_whole_batches: bool
    catch_up_seconds: float
    p99_seconds: float
    max_seconds: float
    counted_rejected: int | None

    @property
    def is_sound(self) -> bool:
        """Whether nothing was lost, nothing came twice but whole batches, and what was rejected was counted."""
        counts_rejected = self.counted_rejected is None or self.counted_rejected == self.rejected
        return self.lost == 0 and self.is_by_whole_batches and counts_rejected


@dataclass(slots=True)
class _Stage:
    program: Program
    collector: Receiver
    recovered_ns: int = 0
    calls: Calls = field(default_factory=Calls)

    async def act(self, act: Act) -> None:
        match act:
            case "lose":
                await self.collector.stop()
            case "find":
                await self.collector.start()
            case "kill":
                await self.program.kill()
                self.recovered_ns = time.time_ns()
                await self.program.start()
                return
            case "throttle":
                self.collector.rule = throttle
            case "relent":
                self.collector.rule = accept
            case "end-and-start":
                await self.program.end()
                await self.collector.start()
                self.recovered_ns = time.time_ns()
                await self.program.start()
                return
        self.recovered_ns = time.time_ns()


async def played(scenario: Scenario, start: Start, pace: Pace) -> Seen:
    """Play a scenario with one of the systems, and tell what arrived."""
    with tempfile.TemporaryDirectory() as folder:
        async with receiver(is_away=scenario.is_away) as collector:
            collector.rule = scenario.rule
            program = Program(start, collector_port=collector.port, folder=Path(folder))
            stage = _Stage(program, collector)
            await program.start()
            try:
                await _run(stage, scenario, pace)
                await _settle(stage)
                counted = await _counted_rejected(program.port) if start is start_ours else None
            finally:
                # The stock SDK sends what it has when it is told to end.
                await program.end()
            return _seen(stage, counted)


async def _run(stage: _Stage, scenario: Scenario, pace: Pace) -> None:
    stretch = pace.seconds / SCHEDULED_SECONDS
    amid = [(second * stretch, act) for second, act in scenario.acts if second <= SCHEDULED_SECONDS]
    after = [act for second, act in scenario.acts if second > SCHEDULED_SECONDS]

    async def act_in_time() -> None:
        began = time.perf_counter()
        for second, act in amid:
            await asyncio.sleep(began + second - time.perf_counter())
            await stage.act(act)

    async with open_channel(stage.program.port) as channel, asyncio.TaskGroup() as group:
        await channel.channel_ready()
        group.create_task(act_in_time(), name="acts")
        if scenario.burst:
            await at_once(channel, stage.calls, scenario.burst)
        else:
            await paced(channel, stage.calls, per_second=pace.per_second, seconds=pace.seconds)
    for act in after:
        await stage.act(act)
    if not scenario.acts:
        stage.recovered_ns = time.time_ns()


async def _settle(stage: _Stage) -> None:
    """Wait until the span of every answered call has come, or nothing comes any more."""
    began = time.monotonic()
    seen, missing, changed = 0, set(stage.calls.answered), began
    while missing and time.monotonic() < min(changed + QUIET_SECONDS, began + MAX_SETTLE_SECONDS):
        fresh = stage.collector.taken[seen:]
        seen += len(fresh)
        came = {each.trace_id for each in arrivals(fresh)}
        if came:
            changed = time.monotonic()
        missing -= came | {each.trace_id for each in arrivals(stage.collector.rejected)}
        await asyncio.sleep(0.1)
    # What is delivered again is under way as long as a shipper waits for an answer.
    await asyncio.sleep(1.0)


async def _counted_rejected(port: int) -> int:
    async with open_channel(port) as channel:
        ledger = await TelemetryServiceStub(channel).GetDeliveryLedger(telemetry_pb2.GetDeliveryLedgerRequest())
    return sum(row.rejected_count for row in ledger.rows if row.signal == telemetry_pb2.SIGNAL_TRACES)


def _seen(stage: _Stage, counted: int | None) -> Seen:
    answered = frozenset(stage.calls.answered)
    # Calls of our own, such as that for the ledger, have spans, too.
    came = [each for each in arrivals(stage.collector.taken) if each.trace_id in answered]
    rejected = {each.trace_id for each in arrivals(stage.collector.rejected)}
    delays, again = delays_seconds(came), repeated(came)
    return Seen(
        calls=len(answered),
        failed=stage.calls.failed,
        received=len({each.span_id for each in came}),
        rejected=len(rejected),
        lost=len(lost(answered, {each.trace_id for each in came}, rejected)),
        repeated=again.spans,
        is_by_whole_batches=again.is_by_whole_batches,
        catch_up_seconds=catch_up_seconds(came, stage.recovered_ns),
        p99_seconds=percentile(delays, 99),
        max_seconds=percentile(delays, 100),
        counted_rejected=counted,
    )
