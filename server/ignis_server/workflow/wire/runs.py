"""GetRun, GetStep and CancelRun: requests validated, runs encoded."""

from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.changes import summary_of
from ignis_server.workflow.commands import CancelRun
from ignis_server.workflow.journal import RunSummary
from ignis_server.workflow.run import Run
from ignis_server.workflow.wire.identifiers import to_message, to_request_id, to_run_id, to_step_id
from ignis_server.workflow.wire.parts import RUN_STATES, from_failure, from_time, from_usage
from ignis_server.workflow.wire.people import from_input_request
from ignis_server.workflow.wire.steps import from_steps

__all__ = ["from_run", "from_summary", "to_cancellation", "to_run_reference", "to_step_reference"]

MAX_REASON_CHARACTERS: Final = 1_024


def to_run_reference(request: pb.GetRunRequest) -> str:
    """Validate the reference to a run.

    Raises:
        InvalidRequest: It is empty or too long.
    """
    checks = Checks()
    run_id = to_run_id(checks, request.run_id)
    checks.finish()
    return run_id


def to_step_reference(request: pb.GetStepRequest) -> tuple[str, str]:
    """Validate the reference to a step: its run's id, and its own.

    Raises:
        InvalidRequest: One of them is empty or too long.
    """
    checks = Checks()
    reference = to_run_id(checks, request.run_id), to_step_id(checks, request.step_id)
    checks.finish()
    return reference


def to_cancellation(request: pb.CancelRunRequest) -> tuple[str, CancelRun]:
    """Validate the end of a run: its id, and the command.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    command_id = to_request_id(checks, request.request_id)
    run_id = to_run_id(checks, request.run_id)
    reason = to_message(checks, "reason", request.reason, max_characters=MAX_REASON_CHARACTERS)
    checks.finish()
    return run_id, CancelRun(command_id, reason)


def from_run(run: Run) -> pb.Run:
    """Encode a run with its steps; the largest outputs are left out where all have more than 2 MiB together."""
    message = from_summary(summary_of(run))
    message.steps.extend(from_steps(run.ordered_steps()))
    message.input_requests.extend(map(from_input_request, run.input_requests.values()))
    return message


def from_summary(summary: RunSummary) -> pb.Run:
    """Encode a run as lists show it, without its steps and what it asks."""
    return pb.Run(
        id=summary.id,
        definition_id=summary.definition_id,
        definition_digest=summary.definition_digest,
        state=RUN_STATES[summary.state],
        failure=from_failure(summary.failure),
        create_time=from_time(summary.create_time),
        update_time=from_time(summary.update_time),
        end_time=from_time(summary.end_time),
        version=summary.version,
        labels=summary.labels,
        progress=pb.Progress(ended_steps=summary.ended_steps, known_steps=summary.known_steps),
        usage=from_usage(summary.usage),
    )
