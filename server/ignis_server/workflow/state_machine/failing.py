"""Attempts that end badly: tried again, given up, or put before a person."""

from dataclasses import dataclass, replace
from datetime import timedelta

from ignis_server.workflow.events import (
    InputRequested,
    StepBackedOff,
    StepFailed,
    StepHeld,
    StepReady,
    StepReleased,
    StepSkipped,
)
from ignis_server.workflow.limits import MAX_ATTEMPTS, MAX_LOST_LEASES
from ignis_server.workflow.model import Effect
from ignis_server.workflow.run import Step
from ignis_server.workflow.state_machine.backoff import backoff
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.words import Failure, InputKind, SkipReason, TokenUsage

__all__ = ["BadEnd", "attempt_failed", "fail", "lease_lost", "make_ready_again"]


@dataclass(frozen=True, slots=True)
class BadEnd:
    """How an attempt, or a step before its first one, ended badly: why, what it cost, and whether its worker says so."""

    failure: Failure
    usage: TokenUsage | None = None
    retry_after: timedelta = timedelta()
    is_reported: bool = False


def fail(transition: Transition, step: Step, end: BadEnd) -> None:
    """Give a step up: the run goes on without it where it is optional, and fails with it elsewhere."""
    failure = replace(end.failure, step_id=step.id)
    if transition.planned(step).definition.is_optional:
        transition.emit(StepSkipped(step.id, SkipReason.FAILED, failure, end.usage, end.is_reported))
    else:
        transition.emit(StepFailed(step.id, failure, end.usage, end.is_reported))


def attempt_failed(transition: Transition, step: Step, end: BadEnd) -> None:
    """Decide what becomes of a step whose attempt has failed.

    A step that must not be done twice is put before a person unless the failure is final: whoever says that another attempt
    may succeed does not say that this one did nothing.
    """
    definition = transition.planned(step).definition
    failures = step.failures + 1
    if not end.failure.is_retryable:
        fail(transition, step, end)
    elif definition.effect is Effect.ONCE:
        _doubt(transition, step, end)
    elif failures >= definition.retry.max_attempts or step.attempt >= MAX_ATTEMPTS:
        fail(transition, step, end)
    else:
        wait = backoff(definition.retry, failures, f"{transition.draft.started.run_id}/{step.id}/{step.attempt}")
        until = transition.now + max(wait, end.retry_after)
        failure = replace(end.failure, step_id=step.id)
        transition.emit(StepBackedOff(step.id, step.attempt, failure, until, end.usage, end.is_reported))


def lease_lost(transition: Transition, step: Step) -> None:
    """Decide what becomes of a step whose worker is not heard of any more: another one gets it at once.

    A step that must not be done twice is put before a person, and one that loses its sixteenth worker is given up.
    """
    message = f"nothing was heard of attempt {step.attempt} in time"
    failure = Failure("lease-expired", message, is_retryable=True, step_id=step.id)
    lost = step.lost_leases + 1
    if transition.planned(step).definition.effect is Effect.ONCE:
        _doubt(transition, step, BadEnd(failure))
    elif lost >= MAX_LOST_LEASES or step.attempt >= MAX_ATTEMPTS:
        message = f"{lost} workers were lost with it, the last one in attempt {step.attempt}"
        fail(transition, step, BadEnd(Failure("worker-lost", message)))
    else:
        transition.emit(StepReleased(step.id, step.attempt, failure))


def make_ready_again(transition: Transition, step: Step) -> None:
    """Let a step be done again, as a person wants; after a thousand attempts it is given up."""
    if step.attempt >= MAX_ATTEMPTS:
        message = f"it had {step.attempt} attempts, which is the limit"
        fail(transition, step, BadEnd(Failure("too-many-attempts", message)))
    else:
        transition.emit(StepReady(step.id))


def _doubt(transition: Transition, step: Step, end: BadEnd) -> None:
    """Ask a person what an attempt did that may have done what must not be done twice."""
    failure = replace(end.failure, step_id=step.id)
    transition.emit(StepHeld(step.id, step.attempt, failure=failure, usage=end.usage, is_reported=end.is_reported))
    prompt = (
        f"Step {step.id} must not be done twice, and it is unknown what attempt {step.attempt} did: {failure.message}. "
        "Approve if it took effect: it is taken as done. Reject if it did not: it is done again."
    )
    transition.emit(InputRequested(f"{step.id}.effect.{step.attempt}", step.id, InputKind.UNKNOWN_EFFECT, prompt))
