"""Runs on the wire."""

import pytest
from google.protobuf.json_format import MessageToDict

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.changes import summary_of
from ignis_server.workflow.commands import CancelRun, RejectInput, StartRun
from ignis_server.workflow.wire.runs import (
    from_run,
    from_summary,
    to_cancellation,
    to_run_reference,
    to_step_reference,
)
from ignis_server.workflow.words import TokenUsage
from support.runs import FINAL, START, Driven
from support.violations import violations_of

REQUEST_ID = "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"
FLOW = """\
name: A
steps:
  - {id: plan, agent: x}
  - {id: each, agent: x, for_each: steps.plan.output.items, needs: plan}
  - {id: ask, ask: Which?, needs: each}
"""


def test_references_are_understood() -> None:
    assert to_run_reference(pb.GetRunRequest(run_id=" run-1 ")) == "run-1"
    assert to_step_reference(pb.GetStepRequest(run_id="run-1", step_id="s[3]")) == ("run-1", "s[3]")


def test_references_are_required() -> None:
    assert violations_of(lambda: to_run_reference(pb.GetRunRequest())) == {"run_id": "must not be empty"}
    assert violations_of(lambda: to_step_reference(pb.GetStepRequest())) == {
        "run_id": "must not be empty",
        "step_id": "must not be empty",
    }


def test_references_hold_nothing_that_the_database_refuses() -> None:
    request = pb.GetStepRequest(run_id="a\0", step_id="b\0")

    assert violations_of(lambda: to_step_reference(request)).keys() == {"run_id", "step_id"}


@pytest.mark.parametrize("length", [0, 1_024])
def test_a_cancellation_is_understood(length: int) -> None:
    request = pb.CancelRunRequest(request_id=REQUEST_ID, run_id="run-1", reason="r" * length)

    assert to_cancellation(request) == ("run-1", CancelRun(REQUEST_ID, "r" * length))


def test_all_that_is_wrong_with_a_cancellation_is_told() -> None:
    assert violations_of(lambda: to_cancellation(pb.CancelRunRequest(reason="r" * 1_025))) == {
        "request_id": "must not be empty: make a UUID, which makes repetition safe",
        "run_id": "must not be empty",
        "reason": "1025 characters are more than the 1024 allowed: shorten it",
    }


def test_a_run_that_has_begun() -> None:
    driven = Driven(FLOW, is_started=False)
    driven.do(StartRun("start-1", labels={"team": "a"}))

    message = from_run(driven.run)

    assert MessageToDict(message) == {
        "id": "run-1",
        "definitionId": "flow",
        "definitionDigest": driven.plan.digest,
        "state": "RUN_STATE_SUBMITTED",
        "steps": [
            {"id": "plan", "state": "STEP_STATE_READY", "agentId": "x", "usage": {}},
            {"id": "each", "state": "STEP_STATE_PENDING", "agentId": "x", "usage": {}},
            {"id": "ask", "state": "STEP_STATE_PENDING", "usage": {}},
        ],
        "createTime": START.isoformat().replace("+00:00", "Z"),
        "updateTime": START.isoformat().replace("+00:00", "Z"),
        "version": "2",
        "labels": {"team": "a"},
        "progress": {"knownSteps": 3},
        "usage": {},
    }


def test_a_run_that_asks() -> None:
    driven = Driven(FLOW)
    driven.complete("plan", {"items": [1, 2]}, usage=TokenUsage(5, 1))
    driven.complete("each[1]", usage=TokenUsage(7))
    driven.complete("each[0]")

    message = from_run(driven.run)

    assert message.state == pb.RUN_STATE_INPUT_REQUIRED
    assert [step.id for step in message.steps] == ["plan", "each[0]", "each[1]", "ask"]
    assert [(each.id, each.kind) for each in message.input_requests] == [("ask.question", pb.INPUT_KIND_QUESTION)]
    assert (message.progress.ended_steps, message.progress.known_steps) == (3, 4)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (12, 1)
    assert not message.HasField("failure")
    assert not message.HasField("end_time")


def test_a_run_that_failed_says_why() -> None:
    driven = Driven(FLOW)
    driven.turn(seconds=5)
    driven.fail("plan", FINAL)

    message = from_run(driven.run)

    assert message.state == pb.RUN_STATE_FAILED
    assert message.failure == pb.StepFailure(code="nonsense", message="nothing can be done with this", step_id="plan")
    assert message.end_time.ToDatetime(START.tzinfo) == driven.now
    assert [step.state for step in message.steps] == [pb.STEP_STATE_FAILED] + [pb.STEP_STATE_CANCELED] * 2


def test_a_run_in_a_list_is_the_same_without_its_steps() -> None:
    driven = Driven("name: A\nsteps: [{id: ask, ask: Which?}]\n")
    whole = from_run(driven.run)
    whole.ClearField("steps")
    whole.ClearField("input_requests")

    assert from_summary(summary_of(driven.run)) == whole


def test_what_was_answered_is_asked_no_more() -> None:
    driven = Driven("name: A\nsteps: [{id: ask, ask: Which?}]\n")
    driven.do(RejectInput("command-1", "ask.question"))

    assert not from_run(driven.run).input_requests
