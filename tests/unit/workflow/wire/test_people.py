"""What people are asked and say, on the wire."""

from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Value

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.commands import AnswerInput, ApproveInput, RejectInput
from ignis_server.workflow.run import InputRequest, Resolution
from ignis_server.workflow.values import Json
from ignis_server.workflow.wire.parts import INPUT_KINDS
from ignis_server.workflow.wire.people import from_input_request, from_resolution, to_resolution
from ignis_server.workflow.words import Answer, Approve, InputKind, PersonsWord, Reject
from support.violations import violations_of

REQUEST_ID = "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"


def request(answer: pb.InputAnswer) -> pb.ResolveInputRequest:
    answer.input_id = "i"
    return pb.ResolveInputRequest(request_id=REQUEST_ID, run_id="run-1", answer=answer)


@pytest.mark.parametrize(
    ("answer", "command"),
    [
        (pb.InputAnswer(approve=pb.Approval()), ApproveInput(REQUEST_ID, "i")),
        (pb.InputAnswer(approve=pb.Approval(comment="good")), ApproveInput(REQUEST_ID, "i", "good")),
        (pb.InputAnswer(reject=pb.Rejection(comment="bad")), RejectInput(REQUEST_ID, "i", "bad")),
        (pb.InputAnswer(reject=pb.Rejection(fail_run=True)), RejectInput(REQUEST_ID, "i", fail_run=True)),
        (pb.InputAnswer(answer=Value(number_value=2)), AnswerInput(REQUEST_ID, "i", 2)),
        (pb.InputAnswer(answer=Value(null_value=0), is_default=True), AnswerInput(REQUEST_ID, "i", None)),  # type: ignore[arg-type]  # the only value of an enum
    ],
)
def test_a_word_is_understood(answer: pb.InputAnswer, command: object) -> None:
    assert to_resolution(request(answer)) == ("run-1", command)


def test_everything_is_required() -> None:
    assert violations_of(lambda: to_resolution(pb.ResolveInputRequest())) == {
        "request_id": "must not be empty: make a UUID, which makes repetition safe",
        "run_id": "must not be empty",
        "answer.input_id": "must not be empty",
        "answer": "decides nothing: send approve, reject or answer",
    }


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_comment_has_a_bound(decision: str) -> None:
    at, above = pb.InputAnswer(), pb.InputAnswer()
    getattr(at, decision).comment = "c" * 4_096
    getattr(above, decision).comment = "c" * 4_097

    assert violations_of(lambda: to_resolution(request(at))) == {}
    assert violations_of(lambda: to_resolution(request(above))) == {
        f"answer.{decision}.comment": "4097 characters are more than the 4096 allowed: shorten it"
    }


def test_an_answer_is_a_value() -> None:
    assert violations_of(lambda: to_resolution(request(pb.InputAnswer(answer=Value())))) == {
        "answer.answer": "cannot be kept: a value is not set; send null_value for null"
    }


def test_an_input_id_has_a_bound() -> None:
    message = request(pb.InputAnswer(approve=pb.Approval()))
    message.answer.input_id = "x" * 129

    assert list(violations_of(lambda: to_resolution(message))) == ["answer.input_id"]


def test_a_question_is_encoded() -> None:
    asked = InputRequest(
        "s.question",
        "s",
        InputKind.QUESTION,
        "Which?",
        ("a", "b"),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
    )

    assert MessageToDict(from_input_request(asked)) == {
        "id": "s.question",
        "stepId": "s",
        "kind": "INPUT_KIND_QUESTION",
        "prompt": "Which?",
        "choices": ["a", "b"],
        "createTime": "2026-01-01T00:00:00Z",
        "expireTime": "2026-01-02T00:00:00Z",
    }


def test_what_waits_for_ever_has_no_end() -> None:
    asked = InputRequest("i", "s", InputKind.APPROVAL, "?", (), datetime(2026, 1, 1, tzinfo=UTC), None)

    assert not from_input_request(asked).HasField("expire_time")


def test_every_kind_has_a_word_of_the_api() -> None:
    assert INPUT_KINDS.keys() == set(InputKind)
    assert len(set(INPUT_KINDS.values())) == len(InputKind)


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        (Approve(), pb.InputAnswer(approve=pb.Approval())),
        (Approve("good"), pb.InputAnswer(approve=pb.Approval(comment="good"))),
        (Reject("bad", fail_run=True), pb.InputAnswer(reject=pb.Rejection(comment="bad", fail_run=True))),
        (Answer(Json(b"2")), pb.InputAnswer(answer=Value(number_value=2))),
    ],
)
def test_a_word_is_encoded(word: PersonsWord, answer: pb.InputAnswer) -> None:
    answer.input_id = "i"

    assert from_resolution(Resolution("i", "s", word, "command-1", 7)) == answer


def test_a_default_is_told_from_an_answer() -> None:
    assert from_resolution(Resolution("i", "s", Answer(Json(b"2")), "", 7)).is_default
