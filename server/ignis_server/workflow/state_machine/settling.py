"""What follows of itself: steps come up when those that they need have ended, and the run ends when all have."""

from ignis_server.workflow.events import RunCompleted, RunFailed, RunStateChanged, StepCanceled, StepFailed
from ignis_server.workflow.state_machine.opening import open_step
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.words import RunState, StepState

__all__ = ["cancel_open_steps", "settle"]

ACTIVE = (StepState.READY, StepState.WORKING, StepState.BACKING_OFF)
ENDED = (StepState.COMPLETED, StepState.SKIPPED, StepState.FAILED, StepState.CANCELED)


def settle(transition: Transition) -> None:
    """Let everything happen that needs nobody: after it a worker, a person or a deadline is waited for, or the run has ended."""
    draft = transition.draft
    if draft.state.is_terminal:
        return
    # What comes up may end at once, and lets others come up: the list grows while it is walked.
    for ended in draft.ended:
        if draft.tally.get(StepState.FAILED):
            break
        for dependent in draft.plan.steps[ended].dependents:
            planned = draft.plan.steps[dependent]
            if draft.is_pending(dependent) and all(draft.is_ended(need) for need in planned.definition.needs):
                open_step(transition, planned)
    if draft.tally.get(StepState.FAILED):
        _fail(transition)
    elif sum(draft.tally.get(state, 0) for state in ENDED) == len(draft.steps):
        transition.emit(RunCompleted())
    else:
        _move(transition)


def cancel_open_steps(transition: Transition) -> None:
    """End every step that has not ended."""
    for step in list(transition.draft.steps.values()):
        if not step.state.is_terminal:
            transition.emit(StepCanceled(step.id))


def _fail(transition: Transition) -> None:
    """End the run with the first failure that ended a step."""
    ends = (each.event for each in transition.events)
    failure = next(event.failure for event in ends if isinstance(event, StepFailed))
    cancel_open_steps(transition)
    transition.emit(RunFailed(failure))


def _move(transition: Transition) -> None:
    """Say whether the run works or waits. One that nobody has claimed a step of is still only submitted."""
    draft = transition.draft
    is_active = any(draft.tally.get(state) for state in ACTIVE)
    if not is_active:
        state = RunState.INPUT_REQUIRED
    elif draft.state is RunState.SUBMITTED and not draft.tally.get(StepState.WORKING):
        state = RunState.SUBMITTED
    else:
        state = RunState.WORKING
    if state is not draft.state:
        transition.emit(RunStateChanged(state))
