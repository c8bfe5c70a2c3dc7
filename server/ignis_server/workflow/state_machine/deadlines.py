"""Deadlines: which ones a run has, which have passed, and what follows then."""

from collections.abc import Iterator
from datetime import datetime

from ignis_server.workflow.commands import Command, ExpireInput, ExpireLease, RetryStep, TimeOutStep
from ignis_server.workflow.events import StepReady
from ignis_server.workflow.run import BackingOff, Run, Working
from ignis_server.workflow.state_machine.answers import Swept
from ignis_server.workflow.state_machine.failing import BadEnd, attempt_failed, fail, lease_lost
from ignis_server.workflow.state_machine.people import answer_by_default
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.words import Failure

__all__ = ["due_commands", "expire_input", "expire_lease", "next_deadline", "retry", "time_out"]


def next_deadline(run: Run) -> datetime | None:
    """Return when a run must be looked at again if nobody does anything before; None where it only waits, or has ended."""
    return min((deadline for deadline, _ in _deadlines(run)), default=None)


def due_commands(run: Run, now: datetime) -> tuple[Command, ...]:
    """Return what whoever sweeps has to say to a run, the earliest deadline first."""
    due = [(deadline, number, command) for number, (deadline, command) in enumerate(_deadlines(run)) if deadline <= now]
    return tuple(command for _, _, command in sorted(due, key=lambda each: each[:2]))


def _deadlines(run: Run) -> Iterator[tuple[datetime, Command]]:
    if run.state.is_terminal:
        return
    for step in run.steps.values():
        match step.standing:
            case Working(lease_until=lease_until, times_out_at=times_out_at):
                yield times_out_at, TimeOutStep(step.id, step.attempt)
                yield lease_until, ExpireLease(step.id, step.attempt)
            case BackingOff(until):
                yield until, RetryStep(step.id, step.attempt)
            case _:
                pass
    for request in run.input_requests.values():
        if request.expire_time:
            yield request.expire_time, ExpireInput(request.id)


def expire_lease(transition: Transition, command: ExpireLease) -> Swept:
    """Take a step from a worker whose lease has expired."""
    step = transition.step(command.step_id)
    lease = step.standing
    if not isinstance(lease, Working) or step.attempt != command.attempt or lease.lease_until > transition.now:
        return Swept(was_due=False)
    lease_lost(transition, step)
    return Swept(was_due=True)


def time_out(transition: Transition, command: TimeOutStep) -> Swept:
    """Take a step from a worker that is alive and does not come to an end."""
    step = transition.step(command.step_id)
    lease = step.standing
    if not isinstance(lease, Working) or step.attempt != command.attempt or lease.times_out_at > transition.now:
        return Swept(was_due=False)
    timeout = transition.planned(step).definition.timeout
    failure = Failure("timeout", f"attempt {step.attempt} took longer than {timeout}", is_retryable=True)
    attempt_failed(transition, step, BadEnd(failure))
    return Swept(was_due=True)


def retry(transition: Transition, command: RetryStep) -> Swept:
    """Let a step be claimed again whose back-off is over."""
    step = transition.step(command.step_id)
    standing = step.standing
    if not isinstance(standing, BackingOff) or step.attempt != command.attempt or standing.until > transition.now:
        return Swept(was_due=False)
    transition.emit(StepReady(step.id))
    return Swept(was_due=True)


def expire_input(transition: Transition, command: ExpireInput) -> Swept:
    """Go on without a person: with the question's default, or by giving the step up."""
    request = transition.draft.input_requests.get(command.input_id)
    if request is None or request.expire_time is None or request.expire_time > transition.now:
        return Swept(was_due=False)
    step = transition.step(request.step_id)
    question = transition.planned(step).definition.question
    if question is not None and question.default is not None:
        answer_by_default(transition, request, question.default)
    else:
        message = f"nobody answered {request.id} by {request.expire_time.isoformat()}"
        fail(transition, step, BadEnd(Failure("input-expired", message)))
    return Swept(was_due=True)
