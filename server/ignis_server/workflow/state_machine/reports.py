"""What workers report at the end of an attempt."""

from ignis_server.errors import InvalidRequest, OutputTooLarge, Violation
from ignis_server.workflow.commands import CompleteStep, FailStep
from ignis_server.workflow.events import InputRequested, StepCompleted, StepHeld
from ignis_server.workflow.limits import MAX_ARTIFACTS, MAX_INLINE_BYTES, MAX_RUN_OUTPUT_BYTES
from ignis_server.workflow.model import Approval
from ignis_server.workflow.run import Step
from ignis_server.workflow.state_machine.answers import Reported
from ignis_server.workflow.state_machine.failing import BadEnd, attempt_failed
from ignis_server.workflow.state_machine.leases import held_lease
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.values import Json, ValueFault, encode
from ignis_server.workflow.words import Artifact, InputKind

__all__ = ["complete", "report_failure"]


def complete(transition: Transition, command: CompleteStep) -> Reported:
    """Take note that a step is done; it waits for approval where its definition says so.

    Raises:
        LeaseLost: The attempt has lost its lease.
        OutputTooLarge: The output, or the artefacts that were sent along, are too large to be kept with the run.
        InvalidRequest: The output is nothing that JSON can say.
    """
    step = transition.step(command.step_id)
    before = _reported_before(step, command.attempt, is_completion=True)
    if before:
        return before
    held_lease(step, command)
    output = _output(command)
    _check_room(transition, step, output, command.artifacts)
    approval = transition.planned(step).definition.approval
    if approval is None:
        transition.emit(StepCompleted(step.id, output, command.artifacts, command.usage))
    else:
        _ask_for_approval(transition, step, approval, command, output)
    return Reported(step.id, command.attempt, transition.step(step.id).state)


def report_failure(transition: Transition, command: FailStep) -> Reported:
    """Take note that an attempt failed.

    Raises:
        LeaseLost: The attempt has lost its lease.
    """
    step = transition.step(command.step_id)
    before = _reported_before(step, command.attempt, is_completion=False)
    if before:
        return before
    held_lease(step, command)
    end = BadEnd(command.failure, command.usage, command.retry_after, is_reported=True)
    attempt_failed(transition, step, end)
    return Reported(step.id, command.attempt, transition.step(step.id).state)


def _reported_before(step: Step, attempt: int, *, is_completion: bool) -> Reported | None:
    report = step.report_of(attempt)
    if report is None or report.is_completion is not is_completion:
        return None
    return Reported(step.id, attempt, report.state)


def _output(command: CompleteStep) -> Json:
    try:
        output = encode(command.output)
    except ValueFault as fault:
        raise InvalidRequest((Violation("output", f"cannot be kept: {fault}"),)) from fault
    if len(output) > MAX_INLINE_BYTES:
        raise OutputTooLarge("output", size_bytes=len(output), limit_bytes=MAX_INLINE_BYTES)
    return output


def _check_room(transition: Transition, step: Step, output: Json, artifacts: tuple[Artifact, ...]) -> None:
    if len(artifacts) > MAX_ARTIFACTS:
        fact = f"{len(artifacts)} artefacts are more than the {MAX_ARTIFACTS} allowed: put some together"
        raise InvalidRequest((Violation("artifacts", fact),))
    inline = sum(artifact.size_bytes for artifact in artifacts if not artifact.uri)
    if inline > MAX_INLINE_BYTES:
        raise OutputTooLarge("artifacts", size_bytes=inline, limit_bytes=MAX_INLINE_BYTES)
    total = transition.draft.output_bytes + len(output)
    if total > MAX_RUN_OUTPUT_BYTES:
        raise OutputTooLarge(f"outputs up to {step.id}", size_bytes=total, limit_bytes=MAX_RUN_OUTPUT_BYTES)


def _ask_for_approval(
    transition: Transition, step: Step, approval: Approval, command: CompleteStep, output: Json
) -> None:
    transition.emit(StepHeld(step.id, step.attempt, output, command.artifacts, usage=command.usage, is_reported=True))
    transition.emit(
        InputRequested(
            f"{step.id}.approval.{step.attempt}",
            step.id,
            InputKind.APPROVAL,
            approval.prompt or f"Approve what step {step.id} has made?",
            expire_time=None if approval.timeout is None else transition.now + approval.timeout,
        )
    )
