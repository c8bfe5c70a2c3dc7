"""ResolveInput: its request validated; what runs ask of people, and what those said, encoded."""

from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.commands import AnswerInput, ApproveInput, RejectInput
from ignis_server.workflow.run import InputRequest, Resolution
from ignis_server.workflow.wire.documents import from_value, to_value
from ignis_server.workflow.wire.identifiers import to_message, to_name, to_request_id, to_run_id
from ignis_server.workflow.wire.parts import INPUT_KINDS, from_time
from ignis_server.workflow.words import Answer, Approve, PersonsWord, Reject

__all__ = ["from_input_request", "from_resolution", "from_word", "to_resolution"]

MAX_COMMENT_CHARACTERS: Final = 4_096


def to_resolution(request: pb.ResolveInputRequest) -> tuple[str, ApproveInput | RejectInput | AnswerInput]:
    """Validate a person's word: the run's id, and the command.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    command_id = to_request_id(checks, request.request_id)
    run_id = to_run_id(checks, request.run_id)
    input_id = to_name(checks, "answer.input_id", request.answer.input_id)
    command = _to_command(checks, request.answer, command_id, input_id)
    checks.finish()
    return run_id, command


def _to_command(
    checks: Checks, answer: pb.InputAnswer, command_id: str, input_id: str
) -> ApproveInput | RejectInput | AnswerInput:
    match answer.WhichOneof("decision"):
        case "approve":
            return ApproveInput(command_id, input_id, _to_comment(checks, "answer.approve", answer.approve.comment))
        case "reject":
            comment = _to_comment(checks, "answer.reject", answer.reject.comment)
            return RejectInput(command_id, input_id, comment, fail_run=answer.reject.fail_run)
        case "answer":
            return AnswerInput(command_id, input_id, to_value(checks, "answer.answer", answer.answer))
        case None:
            checks.add("answer", "decides nothing: send approve, reject or answer")
            return ApproveInput(command_id, input_id)


def _to_comment(checks: Checks, field: str, comment: str) -> str:
    return to_message(checks, f"{field}.comment", comment, max_characters=MAX_COMMENT_CHARACTERS)


def from_input_request(request: InputRequest) -> pb.InputRequest:
    """Encode what a run asks of a person."""
    return pb.InputRequest(
        id=request.id,
        step_id=request.step_id,
        kind=INPUT_KINDS[request.kind],
        prompt=request.prompt,
        create_time=from_time(request.create_time),
        expire_time=from_time(request.expire_time),
        choices=request.choices,
    )


def from_resolution(resolution: Resolution) -> pb.InputAnswer:
    """Encode what became of a request."""
    return from_word(resolution.input_id, resolution.word, resolution.command_id)


def from_word(input_id: str, word: PersonsWord, command_id: str) -> pb.InputAnswer:
    """Encode a person's word; without a command it is a question's default, which holds as nobody answered in time."""
    answer = pb.InputAnswer(input_id=input_id, is_default=not command_id)
    match word:
        case Approve(comment):
            answer.approve.CopyFrom(pb.Approval(comment=comment))
        case Reject(comment, fail_run):
            answer.reject.CopyFrom(pb.Rejection(comment=comment, fail_run=fail_run))
        case Answer(value):
            answer.answer.CopyFrom(from_value(value))
    return answer
