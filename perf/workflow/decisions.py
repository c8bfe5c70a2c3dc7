"""`python -m perf.workflow.decisions`: what a decision of the state machine costs, and what a run weighs.

Nothing is written anywhere: this is the part of a step's time that is ours, whatever the journal adds to it.
"""

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from ignis_server.workflow.commands import ClaimStep, CompleteStep, HeartbeatStep, StartRun
from ignis_server.workflow.event_codec import decode_events, encode_events
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.model import Approval, Definition, StepDefinition
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.run import Run, Unstarted
from ignis_server.workflow.state_machine import Decision, decide, fold, next_deadline

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
OUTPUT = {"text": "x" * 200}
KEPT_RUNS = 500


def chain(length: int, *, is_held: bool = False) -> Plan:
    """Return a plan of steps one after another; the first of which may wait for a person."""
    steps = tuple(
        StepDefinition(
            f"step-{number}",
            agent="agents/pm",
            instruction="Do it.",
            needs=(f"step-{number - 1}",) if number else (),
            when=f'steps.step-{number - 1}.output.text != "stop"' if number else "",
            outputs=("text",),
            approval=Approval() if is_held and not number else None,
        )
        for number in range(length)
    )
    return Plan.of(Definition("chain", "Chain", steps=steps))


def decisions(plan: Plan, timed: dict[str, list[float]]) -> Iterator[Decision]:
    """Drive a run to its end, or until it waits for a person, and note what each command took in microseconds."""

    def took(name: str, act: Callable[[], Decision]) -> Decision:
        start = time.perf_counter_ns()
        decision = act()
        timed.setdefault(name, []).append((time.perf_counter_ns() - start) / 1_000)
        return decision

    unstarted = Unstarted("0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10", plan)
    yield (last := took("start", partial(decide, unstarted, StartRun("start"), NOW)))
    run, number = last.run, 0
    while ready := next(run.claimable_steps(), None):
        step_id = ready.id
        for name, command in (
            ("claim", ClaimStep(f"claim-{number}", step_id, "worker", LEASE)),
            ("heartbeat", HeartbeatStep(step_id, 1, "worker", "half way")),
            ("complete", CompleteStep(step_id, 1, "worker", OUTPUT)),
        ):
            number += 1
            now = NOW + timedelta(seconds=5 * number)
            yield (last := took(name, partial(decide, run, command, now)))
            run = last.run
    timed.setdefault("next deadline", []).append(_took(lambda: next_deadline(run)))


def _took(act: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    act()
    return (time.perf_counter_ns() - start) / 1_000


def measure(length: int, repetitions: int) -> dict[str, float]:
    """Return medians in microseconds for runs of so many steps, and the bytes that a run weighs."""
    plan = chain(length)
    timed: dict[str, list[float]] = {}
    recorded: list[tuple[Recorded, ...]] = []
    for _ in range(repetitions):
        recorded = [decision.events for decision in decisions(plan, timed)]
    encoded = [encode_events(events) for events in recorded]
    for _ in range(repetitions):
        timed.setdefault("encode a decision", []).append(
            _took(lambda: [encode_events(each) for each in recorded]) / len(recorded)
        )
        timed.setdefault("rebuild a finished run", []).append(_took(lambda: _rebuilt(plan, encoded)))
    figures = {name: statistics.median(values) for name, values in timed.items()}
    return figures | {
        "events": sum(map(len, recorded)),
        "bytes in the journal": sum(map(len, encoded)),
        "bytes of a run that waits for a person": weight(length),
        "bytes of a finished run with outputs": weight(length, is_held=False),
    }


def _rebuilt(plan: Plan, encoded: list[bytes]) -> object:
    return fold(Unstarted("run", plan), (event for content in encoded for event in decode_events(content)))


def weight(length: int, *, is_held: bool = True) -> float:
    """Return what a run weighs in memory that was rebuilt from its events, as a replica holds it: bytes each, of 500."""
    plan = chain(length, is_held=is_held)
    encoded = [encode_events(decision.events) for decision in decisions(plan, {})]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept: list[object] = [_rebuilt(plan, encoded) for _ in range(KEPT_RUNS)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if not all(isinstance(run, Run) for run in kept):
        raise AssertionError("events did not give runs")
    return (after - before) / KEPT_RUNS


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="*", default=[5, 100], help="lengths of the runs")
    parser.add_argument("--repetitions", type=int, default=200, help="runs of each length")
    parser.add_argument("--json", action="store_true", help="write JSON")
    arguments = parser.parse_args()
    results = {length: measure(length, arguments.repetitions) for length in arguments.steps}
    if arguments.json:
        json.dump(results, sys.stdout, indent=2)
        return
    names = list(next(iter(results.values())))
    print("| what | " + " | ".join(f"{length} steps" for length in results) + " |")
    print("|---|" + "---|" * len(results))
    for name in names:
        is_size = "bytes" in name or name == "events"
        print(
            f"| {name} | "
            + " | ".join(f"{each[name]:,.0f}" + ("" if is_size else " µs") for each in results.values())
            + " |"
        )


if __name__ == "__main__":
    main()
