"""What a decision means to whoever operates the service: states that runs come to, and attempts and runs that are over."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from ignis_server.signals import AttemptEnded, RunEnded, RunReached, Signal, TokensUsed
from ignis_server.workflow.events import (
    Event,
    Recorded,
    StepBackedOff,
    StepCanceled,
    StepCompleted,
    StepFailed,
    StepHeld,
    StepReleased,
    StepSkipped,
)
from ignis_server.workflow.run import Run, State, Step, Working
from ignis_server.workflow.state_machine import Decision
from ignis_server.workflow.words import NO_USAGE, TokenUsage

__all__ = ["signals_of"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def signals_of(before: State, decision: Decision) -> Iterator[Signal]:
    """Yield what is to be reported of a decision that was written down."""
    run = decision.run
    state_before = before.state if isinstance(before, Run) else None
    if run.state is not state_before:
        yield RunReached(run.state.value)
    if isinstance(before, Run):
        for recorded in decision.events:
            outcome = _outcome(recorded.event)
            step = before.steps.get(getattr(recorded.event, "step_id", ""))
            if outcome and step is not None and isinstance(step.standing, Working):
                yield _attempt_ended(run, step, step.standing, recorded, outcome)
    if run.state.is_terminal and run.end_time is not None:
        yield RunEnded(
            run.id,
            run.started.trace_context.get("traceparent", ""),
            run.state.value,
            _ns(run.create_time),
            _ns(run.end_time),
            len(run.steps),
            _tokens(run.usage()),
        )


def _outcome(event: Event) -> str:
    """Return what an event makes of the attempt that it ends; empty where it ends none."""
    match event:
        case StepCompleted():
            return "completed"
        case StepHeld():
            return "held"
        case StepBackedOff() | StepFailed() | StepSkipped():
            return "failed"
        case StepReleased():
            return "lost"
        case StepCanceled():
            return "canceled"
        case _:
            return ""


def _attempt_ended(run: Run, step: Step, lease: Working, recorded: Recorded, outcome: str) -> AttemptEnded:
    usage = getattr(recorded.event, "usage", None) or lease.usage or NO_USAGE
    # The definition's time-out was counted from the claim.
    claimed_at = lease.times_out_at - run.planned(step).definition.timeout
    return AttemptEnded(
        run.id,
        run.started.trace_context.get("traceparent", ""),
        outcome,
        step.attempt,
        _ns(claimed_at),
        _ns(recorded.time),
        _tokens(usage),
    )


def _tokens(usage: TokenUsage) -> TokensUsed:
    return TokensUsed(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)


def _ns(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1) * 1_000
