"""Events: what a watcher is told of each thing that has happened in a run."""

from typing import assert_never

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.events import (
    InputAnswered,
    InputApproved,
    InputRejected,
    InputRequested,
    LeaseExtended,
    Recorded,
    RunCanceled,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunStateChanged,
    StepBackedOff,
    StepCanceled,
    StepClaimed,
    StepCompleted,
    StepExpanded,
    StepFailed,
    StepHeld,
    StepReady,
    StepReleased,
    StepSkipped,
)
from ignis_server.workflow.run import Run, State, Unstarted
from ignis_server.workflow.wire.parts import RUN_STATES, from_time
from ignis_server.workflow.wire.people import from_input_request, from_word
from ignis_server.workflow.wire.steps import from_step
from ignis_server.workflow.words import Answer, Approve, Reject

__all__ = ["from_recorded"]


def from_recorded(recorded: Recorded, before: State, after: Run) -> pb.RunEvent:
    """Encode an event, given the run before it and after it: exactly one content for each kind.

    The first event of a run leads from no state: no watcher gets it, as the earliest snapshot has it already.
    """
    message = pb.RunEvent(version=recorded.version, time=from_time(recorded.time))
    event = recorded.event
    match event:
        case RunStarted() | RunStateChanged() | RunCompleted() | RunFailed() | RunCanceled():
            message.run_state_changed.CopyFrom(_state_change(before, after))
        case LeaseExtended(step_id, attempt, message=words) if words:
            message.step_progressed.CopyFrom(pb.StepProgress(step_id=step_id, attempt=attempt, message=words))
        case (
            StepReady()
            | StepClaimed()
            | LeaseExtended()
            | StepReleased()
            | StepBackedOff()
            | StepHeld()
            | StepSkipped()
            | StepCompleted()
            | StepFailed()
            | StepCanceled()
        ):
            message.step_changed.CopyFrom(from_step(after.steps[event.step_id]))
        case StepExpanded(step_id, count):
            message.step_expanded.CopyFrom(pb.StepExpanded(step_id=step_id, count=count))
        case InputRequested():
            message.input_requested.CopyFrom(from_input_request(after.input_requests[event.input_id]))
        case InputApproved(input_id, command_id, comment):
            message.input_resolved.CopyFrom(from_word(input_id, Approve(comment), command_id))
        case InputRejected(input_id, command_id, comment, fail_run):
            message.input_resolved.CopyFrom(from_word(input_id, Reject(comment, fail_run=fail_run), command_id))
        case InputAnswered(input_id, command_id, answer):
            message.input_resolved.CopyFrom(from_word(input_id, Answer(answer), command_id))
        case _:
            assert_never(event)
    return message


def _state_change(before: State, after: Run) -> pb.RunStateChanged:
    earlier = pb.RUN_STATE_UNSPECIFIED if isinstance(before, Unstarted) else RUN_STATES[before.state]
    return pb.RunStateChanged(to=RUN_STATES[after.state], **{"from": earlier})
