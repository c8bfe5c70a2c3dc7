"""What workers are answered."""

from google.protobuf.json_format import MessageToDict

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.commands import CancelRun, CompleteStep, HeartbeatStep, RejectInput, StartRun
from ignis_server.workflow.state_machine import Claimed, Extended, step_inputs
from ignis_server.workflow.values import digest_of
from ignis_server.workflow.wire.claims import (
    from_bundle,
    from_claimed,
    from_completed,
    from_extended,
    from_failed,
    from_lease,
)
from support.runs import LEASE, START, Driven

FLOW = """\
name: A
inputs: {level: {type: number}}
steps:
  - {id: plan, agent: x, approval: {prompt: Good?}}
  - {id: each, agent: x, for_each: steps.plan.output.items, needs: plan}
"""


def started() -> Driven:
    driven = Driven(FLOW, is_started=False)
    driven.do(StartRun("start-1", {"level": 2}, trace_context={"traceparent": "00-1"}))
    return driven


def claimed(driven: Driven, step_id: str, bundle: pb.AgentBundle | None = None) -> pb.ClaimedStep:
    answer = driven.claim(step_id)
    assert isinstance(answer, Claimed)
    given = step_inputs(driven.run, driven.step(step_id))
    return from_claimed(driven.run, answer, given, bundle).claimed


def test_a_claimed_step_has_everything_that_a_worker_needs() -> None:
    bundle = from_bundle("sha256:1", "You plan.", tokens=3, agents=["x@sha256:2"])

    message = claimed(started(), "plan", bundle)

    assert message.lease == pb.Lease(
        run_id="run-1", step_id="plan", attempt=1, worker_id="w", expire_time=message.lease.expire_time
    )
    assert message.lease.expire_time.ToDatetime(START.tzinfo) == START + LEASE
    assert (message.definition.id, message.definition.approval_prompt) == ("plan", "Good?")
    assert MessageToDict(message.inputs) == {"inputs": {"level": 2.0}, "steps": {}}
    assert not message.HasField("item")
    assert (message.bundle.content, message.bundle.tokens, list(message.bundle.agents)) == (
        "You plan.",
        3,
        ["x@sha256:2"],
    )
    assert dict(message.trace_context) == {"traceparent": "00-1"}
    assert message.idempotency_key == "run-1/plan"


def test_a_step_that_was_sent_back_has_the_answers() -> None:
    driven = started()
    first = claimed(driven, "plan")
    driven.do(CompleteStep("plan", 1, "w", {"items": []}))
    driven.do(RejectInput("command-1", "plan.approval.1", "too short"))

    second = claimed(driven, "plan")

    assert not first.answers
    assert first.idempotency_key == second.idempotency_key
    assert second.lease.attempt == 2
    assert list(second.answers) == [
        pb.InputAnswer(input_id="plan.approval.1", reject=pb.Rejection(comment="too short"))
    ]
    assert not second.HasField("bundle")


def test_an_instance_has_its_item() -> None:
    driven = Driven(
        "name: A\ninputs: {files: {type: list}}\nsteps: [{id: s, agent: x, for_each: inputs.files}]\n",
        {"files": [{"a": 1}, None]},
    )

    with_item, with_null = claimed(driven, "s[0]"), claimed(driven, "s[1]")

    assert MessageToDict(with_item.item) == {"a": 1.0}
    assert with_item.definition.id == "s"
    assert with_null.item.WhichOneof("kind") == "null_value"


def test_what_is_too_large_is_given_by_reference() -> None:
    driven = Driven(
        "name: A\nsteps: [{id: a, agent: x}, {id: b, agent: x}, {id: c, agent: x}, {id: d, agent: x, needs: [a, b, c]}]\n"
    )
    for name in "abc":
        driven.complete(name, {"x": name * 1_000_000})

    message = claimed(driven, "d")

    output = driven.step("a").output
    assert output
    assert list(message.references) == [
        pb.OutputReference(step_id="a", digest=digest_of(output), size_bytes=len(output))
    ]
    assert message.inputs.fields["steps"].struct_value.fields.keys() == {"b", "c"}


def test_a_lease_is_extended() -> None:
    driven = started()
    driven.claim("plan")
    driven.turn(seconds=10)
    extended = driven.do(HeartbeatStep("plan", 1, "w"))
    assert isinstance(extended, Extended)

    message = from_extended("run-1", extended)

    assert message.lease == from_lease("run-1", extended)
    assert message.lease.expire_time.ToDatetime(START.tzinfo) == driven.now + LEASE
    assert not message.is_canceled


def test_a_worker_of_a_canceled_run_is_told_to_stop() -> None:
    driven = started()
    driven.claim("plan")
    driven.do(CancelRun("command-1"))
    extended = driven.do(HeartbeatStep("plan", 1, "w"))
    assert isinstance(extended, Extended)

    assert from_extended("run-1", extended).is_canceled


def test_reports_are_answered_with_where_things_stand() -> None:
    driven = started()
    driven.complete("plan", {"items": []})
    waiting = from_completed(driven.run, "plan")
    driven = started()
    driven.fail("plan")
    backing_off = from_failed(driven.run, "plan")

    assert (waiting.step.state, waiting.run_state) == (pb.STEP_STATE_INPUT_REQUIRED, pb.RUN_STATE_INPUT_REQUIRED)
    assert (backing_off.step.state, backing_off.run_state) == (pb.STEP_STATE_BACKING_OFF, pb.RUN_STATE_WORKING)
