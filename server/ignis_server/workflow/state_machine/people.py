"""What people say: they approve, reject and answer, once for each request."""

from ignis_server.errors import (
    InputAlreadyResolved,
    InputNotFound,
    InvalidRequest,
    OutputTooLarge,
    RequestIdReused,
    Violation,
)
from ignis_server.workflow.commands import AnswerInput, ApproveInput, RejectInput
from ignis_server.workflow.events import InputAnswered, InputApproved, InputRejected, StepCompleted, StepFailed
from ignis_server.workflow.limits import MAX_INLINE_BYTES
from ignis_server.workflow.run import InputRequest
from ignis_server.workflow.state_machine.answers import Resolved
from ignis_server.workflow.state_machine.failing import BadEnd, fail, make_ready_again
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.values import Json, ValueFault, decode, encode
from ignis_server.workflow.words import Answer, Approve, Failure, InputKind, PersonsWord, Reject

__all__ = ["ANSWER", "answer_by_default", "resolve"]

# The name of a question's one output.
ANSWER = "answer"


def resolve(transition: Transition, command: ApproveInput | RejectInput | AnswerInput) -> Resolved:
    """Let a person's word hold. The same word again, from whomever, changes nothing.

    Raises:
        InputNotFound: The run does not ask this, or no more.
        InputAlreadyResolved: Somebody else has said something else.
        RequestIdReused: The same command has said something else.
        InvalidRequest: The word is no answer to what is asked.
    """
    word = _word(command)
    resolution = transition.draft.resolutions.get(command.input_id)
    if resolution is not None:
        if resolution.word == word:
            return Resolved(command.input_id, resolution.version)
        if resolution.command_id == command.command_id:
            raise RequestIdReused(command.command_id)
        raise InputAlreadyResolved(command.input_id, _called(resolution.word))
    request = transition.draft.input_requests.get(command.input_id)
    if request is None:
        raise InputNotFound(transition.draft.started.run_id, command.input_id)
    _check(request, word)
    match word:
        case Approve(comment):
            transition.emit(InputApproved(request.id, command.command_id, comment))
            transition.emit(StepCompleted(request.step_id))
        case Reject(comment, fail_run):
            transition.emit(InputRejected(request.id, command.command_id, comment, fail_run))
            _send_back(transition, request, word)
        case Answer(value):
            _answer(transition, request, command.command_id, value)
    return Resolved(request.id, transition.draft.resolutions[request.id].version)


def answer_by_default(transition: Transition, request: InputRequest, value: Json) -> None:
    """Let a default hold where nobody has answered in time."""
    _answer(transition, request, "", value)


def _answer(transition: Transition, request: InputRequest, command_id: str, value: Json) -> None:
    transition.emit(InputAnswered(request.id, command_id, value))
    transition.emit(StepCompleted(request.step_id, Json(b'{"%s":%s}' % (ANSWER.encode(), value))))


def _send_back(transition: Transition, request: InputRequest, word: Reject) -> None:
    step = transition.step(request.step_id)
    if word.fail_run:
        failure = Failure("rejected", word.comment or "a person rejected it", step_id=step.id)
        transition.emit(StepFailed(step.id, failure))
    elif request.kind is InputKind.QUESTION:
        fail(transition, step, BadEnd(Failure("not-answered", word.comment or "nobody will answer")))
    else:
        make_ready_again(transition, step)


def _word(command: ApproveInput | RejectInput | AnswerInput) -> PersonsWord:
    match command:
        case ApproveInput():
            return Approve(command.comment)
        case RejectInput():
            return Reject(command.comment, fail_run=command.fail_run)
        case AnswerInput():
            try:
                value = encode(command.answer)
            except ValueFault as fault:
                raise InvalidRequest((Violation("answer.answer", f"cannot be kept: {fault}"),)) from fault
            if len(value) > MAX_INLINE_BYTES:
                raise OutputTooLarge(ANSWER, size_bytes=len(value), limit_bytes=MAX_INLINE_BYTES)
            return Answer(value)


def _check(request: InputRequest, word: PersonsWord) -> None:
    is_question = request.kind is InputKind.QUESTION
    if is_question and isinstance(word, Approve):
        raise _unfit(request, "asks a question: send an answer, or reject it")
    if isinstance(word, Answer) and not is_question:
        raise _unfit(request, "asks no question: approve or reject it")
    if isinstance(word, Answer) and request.choices and decode(word.value) not in request.choices:
        raise _unfit(request, f"has choices, of which this is none: send one of {', '.join(request.choices)}")


def _unfit(request: InputRequest, fact: str) -> InvalidRequest:
    return InvalidRequest((Violation("answer", f"input {request.id} {fact}"),))


def _called(word: PersonsWord) -> str:
    match word:
        case Approve():
            return "approve"
        case Reject():
            return "reject"
        case Answer():
            return "answer"
