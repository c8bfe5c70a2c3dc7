"""StartRun: its request validated."""

from dataclasses import dataclass
from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.commands import StartRun
from ignis_server.workflow.wire.documents import to_document
from ignis_server.workflow.wire.identifiers import to_definition_id, to_labels, to_request_id

__all__ = ["Start", "to_start"]

MAX_BRIEF_BYTES: Final = 65_536
# What the agent loader admits.
MAX_BUDGET_TOKENS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Start:
    """Which workflow is to be started, by id or unique name, and with what. The command has no trace context yet."""

    definition: str
    command: StartRun


def to_start(request: pb.StartRunRequest) -> Start:
    """Validate the start of a run; whether its inputs are those of the workflow, and fit, is decided with the workflow.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    start = Start(
        definition=to_definition_id(checks, request.definition, "definition"),
        command=StartRun(
            command_id=to_request_id(checks, request.request_id),
            inputs=to_document(checks, "inputs", request.inputs),
            brief=checks.text("brief", request.brief, max_bytes=MAX_BRIEF_BYTES),
            step_budget_tokens=_to_budget(checks, request),
            labels=to_labels(checks, request.labels),
        ),
    )
    checks.finish()
    return start


def _to_budget(checks: Checks, request: pb.StartRunRequest) -> int | None:
    if not request.HasField("step_budget_tokens"):
        return None
    budget = request.step_budget_tokens
    if not 1 <= budget <= MAX_BUDGET_TOKENS:
        fact = f"{budget} is not between 1 and {MAX_BUDGET_TOKENS}: leave it out for the loader's own"
        checks.add("step_budget_tokens", fact)
    return budget
