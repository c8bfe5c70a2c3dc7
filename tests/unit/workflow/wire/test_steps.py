"""Steps on the wire."""

import pytest
from google.protobuf.json_format import MessageToDict

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.commands import CompleteStep, HeartbeatStep
from ignis_server.workflow.run import Completed, Step
from ignis_server.workflow.values import Json, digest_of, encode
from ignis_server.workflow.wire.documents import from_document
from ignis_server.workflow.wire.parts import RUN_STATES, STEP_STATES
from ignis_server.workflow.wire.steps import from_step, from_steps, from_whole_step, inline_digests
from ignis_server.workflow.words import Artifact, RunState, StepState, TokenUsage
from support.runs import BROKEN, LEASE, START, Driven

FLOW = "name: A\nsteps: [{id: s, agent: x}]\n"
APPROVED = "name: A\nsteps: [{id: s, agent: x, approval: {prompt: Good?}}]\n"
DIGEST = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
HERE = Artifact("here", "text/plain", DIGEST, 3)
ELSEWHERE = Artifact("elsewhere", "text/plain", f"sha256:{'0' * 64}", 7, "s3://bucket/x")


def made(step_id: str, output: Json) -> Step:
    return Step(step_id, step_id, standing=Completed(output))


def text(size: int) -> Json:
    """Return an output of so many bytes."""
    return encode({"x": "y" * (size - len('{"x":""}'))})


def test_every_state_has_a_word_of_the_api() -> None:
    assert STEP_STATES.keys() == set(StepState)
    assert RUN_STATES.keys() == set(RunState)
    assert len(set(STEP_STATES.values())) == len(StepState)
    assert len(set(RUN_STATES.values())) == len(RunState)


def test_a_step_that_has_not_begun_says_little() -> None:
    assert MessageToDict(from_step(Driven(FLOW).step("s"))) == {
        "id": "s",
        "state": "STEP_STATE_READY",
        "agentId": "x",
        "usage": {},
    }


def test_a_step_that_is_worked_on_says_by_whom() -> None:
    driven = Driven(FLOW)
    driven.claim("s")

    message = from_step(driven.step("s"))

    assert (message.state, message.attempt, message.worker_id) == (pb.STEP_STATE_WORKING, 1, "w")
    assert message.lease_expire_time.ToDatetime(START.tzinfo) == START + LEASE
    assert message.start_time.ToDatetime(START.tzinfo) == START
    assert not message.HasField("end_time")
    assert not message.HasField("output")


def test_tokens_are_those_of_all_attempts_the_present_one_included() -> None:
    driven = Driven(FLOW)
    driven.claim("s")
    driven.turn(seconds=10)
    driven.do(HeartbeatStep("s", 1, "w", usage=TokenUsage(1, 2, 3, 4)))
    assert from_step(driven.step("s")).usage.input_tokens == 1
    driven.fail("s", BROKEN)

    message = from_step(driven.step("s"))

    assert message.state == pb.STEP_STATE_BACKING_OFF
    assert message.usage == pb.TokenUsage(input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_write_tokens=4)
    assert message.failure == pb.StepFailure(
        code="model-refused", message="the model is busy", retryable=True, step_id="s"
    )


def test_a_step_that_is_done_says_what_it_has_made() -> None:
    driven = Driven(FLOW)
    driven.claim("s")
    driven.do(CompleteStep("s", 1, "w", {"b": 1, "a": "ü"}, (HERE, ELSEWHERE)))

    message = from_step(driven.step("s"))

    assert MessageToDict(message.output) == {"a": "ü", "b": 1.0}
    assert message.output_digest == digest_of(Json('{"a":"ü","b":1}'.encode()))
    assert message.output_size_bytes == 16
    assert [(each.name, each.uri) for each in message.artifacts] == [("here", ""), ("elsewhere", "s3://bucket/x")]
    assert message.worker_id == ""
    assert message.HasField("end_time")


def test_nothing_made_is_told_from_not_done() -> None:
    driven = Driven(FLOW)
    driven.complete("s", {})

    message = from_step(driven.step("s"))

    assert message.HasField("output")
    assert message.output_size_bytes == 2
    assert message.output_digest == digest_of(Json(b"{}"))


def test_an_output_that_waits_for_approval_is_shown_to_who_approves_it() -> None:
    driven = Driven(APPROVED)
    driven.claim("s")
    driven.do(CompleteStep("s", 1, "w", {"a": 1}, (HERE,)))

    message = from_step(driven.step("s"))

    assert message.state == pb.STEP_STATE_INPUT_REQUIRED
    assert message.output["a"] == 1
    assert message.output_digest == digest_of(Json(b'{"a":1}'))
    assert [each.name for each in message.artifacts] == ["here"]


def test_a_whole_step_has_the_bytes_of_its_artefacts() -> None:
    driven = Driven(FLOW)
    driven.claim("s")
    driven.do(CompleteStep("s", 1, "w", {"a": 1}, (HERE, ELSEWHERE, HERE)))
    step = driven.step("s")

    message = from_whole_step(step, {DIGEST: b"abc"}).step

    assert inline_digests(step) == (DIGEST,)
    assert [each.content for each in message.artifacts] == [b"abc", b"", b"abc"]
    assert MessageToDict(message.output) == {"a": 1.0}


def test_a_step_that_has_made_nothing_has_no_bytes() -> None:
    step = Driven(FLOW).step("s")

    assert inline_digests(step) == ()
    assert not from_whole_step(step, {}).step.HasField("output")


class TestLargeOutputs:
    """Above 2 MiB together the largest are left out."""

    MAX = 2 << 20

    def test_what_fits_is_there(self) -> None:
        # As Protobuf, some bytes of lengths stand around a text, and others than as JSON.
        half = self.MAX // 2 - 64

        assert [each.HasField("output") for each in from_steps((made("a", text(half)), made("b", text(half))))] == [
            True,
            True,
        ]

    def test_of_what_does_not_fit_the_largest_are_left_out(self) -> None:
        steps = (made("a", text(900_000)), made("b", text(1_000_000)), made("c", text(10)), made("d", text(950_000)))

        messages = from_steps(steps)

        assert [each.HasField("output") for each in messages] == [True, False, True, True]

    @pytest.mark.parametrize(("beyond", "is_left_out"), [(-2, False), (0, False), (2, True)])
    def test_the_bound_holds_for_bytes_of_json(self, beyond: int, *, is_left_out: bool) -> None:
        """A line's end is two bytes of JSON, and one of Protobuf."""
        lines = encode({"x": "\n" * ((self.MAX + beyond - len('{"x":""}') - 2) // 2)})
        steps = (made("a", lines), made("b", Json(b"{}")))

        messages = from_steps(steps)

        assert len(lines) + 2 == self.MAX + beyond
        assert [each.HasField("output") for each in messages] == [not is_left_out, True]

    @pytest.mark.parametrize(("beyond", "is_left_out"), [(-1, False), (0, False), (1, True)])
    def test_the_bound_holds_for_bytes_of_protobuf(self, beyond: int, *, is_left_out: bool) -> None:
        around = from_document(text(1_000_000)).ByteSize() - 1_000_000
        half = made("a", text(self.MAX // 2 - around))

        messages = from_steps((half, made("b", text(self.MAX // 2 - around + beyond))))

        assert [each.HasField("output") for each in messages] == [True, not is_left_out]

    def test_what_is_left_out_is_still_described(self) -> None:
        output = text(1_000_000)

        left_out = from_steps(tuple(made(name, output) for name in "abc"))[0]

        assert not left_out.HasField("output")
        assert (left_out.output_digest, left_out.output_size_bytes) == (digest_of(output), 1_000_000)

    def test_what_is_larger_as_protobuf_than_as_json_is_left_out(self) -> None:
        """A digit is 2 bytes of JSON and 11 of Protobuf: a client would not accept what the run may keep."""
        numbers = encode({"x": [1] * 200_000})
        assert len(numbers) < self.MAX // 4

        message = from_step(made("a", numbers))

        assert not message.HasField("output")
        assert from_whole_step(made("a", numbers), {}).step.output.ByteSize() > self.MAX
