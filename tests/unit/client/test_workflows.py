"""Workflows: what each method asks, and what it makes of the answer."""

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client import (
    Answer,
    Approval,
    Artifact,
    ClaimedStep,
    Effect,
    Guidance,
    IgnisClient,
    InputDefinition,
    InputKind,
    InputRequest,
    InputType,
    Lease,
    Progress,
    Question,
    Rejection,
    RetryPolicy,
    Run,
    RunState,
    Step,
    StepDefinition,
    StepFailure,
    StepState,
    TokenUsage,
    WorkflowDefinition,
)
from ignis_client.errors import DefinitionNotFound, LeaseLost, StoreUnavailable
from unit.client.scripted_server import Abort, ScriptedServer, abort

NOON = Timestamp(seconds=1_767_268_800)
AT_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
USAGE_MESSAGE = pb.TokenUsage(input_tokens=4, output_tokens=3, cache_read_tokens=2, cache_write_tokens=1)
USAGE = TokenUsage(4, 3, 2, 1)
LEASE = Lease("run-1", "draft", 2, "w-1", AT_NOON)
LEASE_MESSAGE = pb.Lease(run_id="run-1", step_id="draft", attempt=2, worker_id="w-1", expire_time=NOON)
REQUEST_ID = "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"

STEP_MESSAGE = pb.Step(
    id="draft",
    state=pb.STEP_STATE_COMPLETED,
    agent_id="writer",
    attempt=2,
    worker_id="w-1",
    lease_expire_time=NOON,
    output=Struct(fields={"n": Value(number_value=2), "x": Value(number_value=0.5), "none": Value(null_value=0)}),  # type: ignore[arg-type]  # the enum's only value
    artifacts=[
        pb.Artifact(name="a.md", media_type="text/markdown", digest="sha256:aa", size_bytes=1, content=b"a"),
        pb.Artifact(name="b.md", media_type="text/markdown", digest="sha256:bb", size_bytes=2, uri="s3://b"),
    ],
    failure=pb.StepFailure(code="timeout", message="slow", retryable=True, step_id="draft"),
    usage=USAGE_MESSAGE,
    start_time=NOON,
    end_time=NOON,
    output_digest="sha256:cc",
    output_size_bytes=9,
)
STEP = Step(
    id="draft",
    state=StepState.COMPLETED,
    agent_id="writer",
    attempt=2,
    worker_id="w-1",
    lease_expire_time=AT_NOON,
    output={"n": 2, "x": 0.5, "none": None},
    artifacts=(
        Artifact("a.md", "text/markdown", "sha256:aa", 1, content=b"a"),
        Artifact("b.md", "text/markdown", "sha256:bb", 2, uri="s3://b"),
    ),
    failure=StepFailure("timeout", "slow", retryable=True, step_id="draft"),
    usage=USAGE,
    start_time=AT_NOON,
    end_time=AT_NOON,
    output_digest="sha256:cc",
    output_size_bytes=9,
)
RUN_MESSAGE = pb.Run(
    id="run-1",
    definition_id="release",
    definition_digest="sha256:dd",
    state=pb.RUN_STATE_INPUT_REQUIRED,
    steps=[STEP_MESSAGE],
    input_requests=[
        pb.InputRequest(
            id="q", step_id="ask", kind=pb.INPUT_KIND_QUESTION, prompt="Which?", create_time=NOON, choices=["a", "b"]
        )
    ],
    create_time=NOON,
    update_time=NOON,
    version=7,
    labels={"team": "docs"},
    progress=pb.Progress(ended_steps=1, known_steps=2),
    usage=USAGE_MESSAGE,
)
RUN = Run(
    id="run-1",
    definition_id="release",
    definition_digest="sha256:dd",
    state=RunState.INPUT_REQUIRED,
    steps=(STEP,),
    input_requests=(InputRequest("q", "ask", InputKind.QUESTION, "Which?", AT_NOON, None, ("a", "b")),),
    failure=None,
    create_time=AT_NOON,
    update_time=AT_NOON,
    end_time=None,
    version=7,
    labels={"team": "docs"},
    progress=Progress(1, 2),
    usage=USAGE,
)


async def test_a_definition_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    step = pb.StepDefinition(
        id="ship",
        agent="shipper",
        instruction="Ship it.",
        needs=["draft"],
        when="inputs.go",
        for_each="inputs.list",
        requires_approval=True,
        optional=True,
        effect=pb.EFFECT_ONCE,
        retry=pb.RetryPolicy(
            max_attempts=3,
            initial_backoff=Duration(seconds=1),
            max_backoff=Duration(seconds=60),
            backoff_multiplier=2,
        ),
        timeout=Duration(seconds=600),
        outputs=["url"],
        capabilities=["shell"],
        executor="echo",
        selects_agent=True,
        question=pb.Question(
            prompt="Go?", choices=["yes"], timeout=Duration(seconds=5), default_value=Value(string_value="yes")
        ),
        is_milestone=True,
        inputs={"go": "inputs.go"},
        approval_prompt="Fine?",
        approval_timeout=Duration(seconds=9),
    )
    definition = pb.Definition(
        id="release",
        digest="sha256:dd",
        name="Release",
        description="Ships.",
        steps=[step, pb.StepDefinition(id="bare", question=pb.Question(prompt="?"))],
        required_inputs=["go"],
        inputs=[
            pb.InputDefinition(name="go", type=pb.INPUT_TYPE_BOOLEAN, description="Whether"),
            pb.InputDefinition(
                name="n", type=pb.INPUT_TYPE_TEXT, default_value=Value(string_value="a"), choices=["a", "b"]
            ),
        ],
        tags=["ci"],
        guidance=[pb.Guidance(name="when", text="always")],
    )
    server.script(pb.GetDefinitionResponse(definition=definition))

    decoded = await ignis.workflows.get_definition("release")

    shipping, bare = decoded.steps
    assert shipping == StepDefinition(
        id="ship",
        agent="shipper",
        instruction="Ship it.",
        needs=("draft",),
        when="inputs.go",
        for_each="inputs.list",
        requires_approval=True,
        optional=True,
        effect=Effect.ONCE,
        retry=RetryPolicy(3, timedelta(seconds=1), timedelta(minutes=1), 2.0),
        timeout=timedelta(minutes=10),
        outputs=("url",),
        capabilities=("shell",),
        executor="echo",
        selects_agent=True,
        question=Question("Go?", ("yes",), timedelta(seconds=5), "yes"),
        is_milestone=True,
        inputs={"go": "inputs.go"},
        approval_prompt="Fine?",
        approval_timeout=timedelta(seconds=9),
    )
    assert (bare.question, bare.approval_timeout) == (Question("?", (), None, None), None)
    assert decoded == WorkflowDefinition(
        id="release",
        digest="sha256:dd",
        name="Release",
        description="Ships.",
        steps=(shipping, bare),
        required_inputs=("go",),
        inputs=(
            InputDefinition("go", InputType.BOOLEAN, "Whether", None, ()),
            InputDefinition("n", InputType.TEXT, "", "a", ("a", "b")),
        ),
        tags=("ci",),
        guidance=(Guidance("when", "always"),),
    )
    assert server.requests == [pb.GetDefinitionRequest(definition="release")]


async def test_definitions_are_listed_page_by_page(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.ListDefinitionsResponse(definitions=[pb.Definition(id="a"), pb.Definition(id="b")], next_page_token="2"),  # noqa: S106 - a page's
        pb.ListDefinitionsResponse(definitions=[pb.Definition(id="c")]),
    )

    assert [each.id async for each in ignis.workflows.list_definitions()] == ["a", "b", "c"]
    assert [(each.page_size, each.page_token) for each in server.requests] == [(200, ""), (200, "2")]


async def test_a_run_is_started_with_all_that_it_is_given(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.StartRunResponse(run=RUN_MESSAGE))

    run = await ignis.workflows.start_run(
        "release",
        brief="a shop",
        inputs={"go": True, "n": 3, "deep": {"list": [1, "x", None]}, "tuple": (1.5,)},
        step_budget_tokens=9_000,
        labels={"team": "docs"},
        request_id=REQUEST_ID,
    )

    inputs = Struct()
    inputs.update({"go": True, "n": 3, "deep": {"list": [1, "x", None]}, "tuple": [1.5]})
    assert run == RUN
    assert server.requests == [
        pb.StartRunRequest(
            request_id=REQUEST_ID,
            definition="release",
            brief="a shop",
            inputs=inputs,
            step_budget_tokens=9_000,
            labels={"team": "docs"},
        )
    ]


Change = Callable[[IgnisClient], Awaitable[Run]]
CHANGES: list[Change] = [
    lambda ignis: ignis.workflows.start_run("release"),
    lambda ignis: ignis.workflows.cancel_run("run-1"),
    lambda ignis: ignis.workflows.approve("run-1", "q"),
]


@pytest.mark.parametrize("change", CHANGES)
async def test_each_change_has_a_request_id_that_its_retries_keep(
    change: Change, server: ScriptedServer, ignis: IgnisClient
) -> None:
    busy = Abort(grpc.StatusCode.UNAVAILABLE, "busy")
    answers = [pb.StartRunResponse, pb.CancelRunResponse, pb.ResolveInputResponse]
    answer = answers[CHANGES.index(change)](run=RUN_MESSAGE)

    server.script(busy, busy, answer)
    await change(ignis)
    await change(ignis)

    first, *repeated, second = [UUID(each.request_id) for each in server.requests]
    assert repeated == [first, first]
    assert first != second


async def test_a_budget_that_is_not_given_is_not_sent(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.StartRunResponse(run=RUN_MESSAGE))

    await ignis.workflows.start_run("release")

    assert not server.requests[0].HasField("step_budget_tokens")
    assert not server.requests[0].HasField("inputs")


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (math.nan, ValueError, "inputs.a: JSON has no nan"),
        (2**53 + 1, ValueError, "send it as text"),
        (b"x", TypeError, "JSON has no bytes"),
        ({1: 2}, TypeError, "the key 1 is no text"),
        ([{"b": object()}], TypeError, r"inputs.a\[0\].b: JSON has no object"),
        ("\ud800", ValueError, "surrogates"),
    ],
)
async def test_inputs_that_json_cannot_say_are_refused_here(
    value: Any,  # noqa: ANN401 - what no caller should pass
    kind: type[Exception],
    words: str,
    server: ScriptedServer,
    ignis: IgnisClient,
) -> None:
    with pytest.raises(kind, match=words):
        await ignis.workflows.start_run("release", inputs={"a": value})

    assert server.requests == []


async def test_inputs_that_nest_without_end_are_refused_here(ignis: IgnisClient) -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(ValueError, match="deeper than 28 levels"):
        await ignis.workflows.start_run("release", inputs={"a": endless})


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]])
async def test_an_output_that_is_as_deep_as_may_be_can_be_sent_and_read_wherever_it_is_found(
    wrap: Callable[[Any], Any], server: ScriptedServer, ignis: IgnisClient
) -> None:
    """Protobuf reads 100 levels: an output that only its own report can hold would stop the run that needs it."""
    deep: Any = "x"
    for _ in range(27):
        deep = wrap(deep)
    server.script(pb.CompleteStepResponse())

    await ignis.workflows.complete_step(LEASE, {"a": deep})

    claimed = pb.ClaimedStep()
    each = claimed.inputs.fields["steps"].struct_value.fields["draft"].list_value.values.add()
    each.struct_value.CopyFrom(server.requests[0].output)
    server.script(pb.ClaimStepResponse.FromString(pb.ClaimStepResponse(claimed=claimed).SerializeToString()))
    step = await ignis.workflows.claim_step("w-1")
    assert isinstance(step, ClaimedStep)
    assert step.inputs == {"steps": {"draft": [{"a": deep}]}}


async def test_a_workflow_that_is_not_there(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        abort(
            grpc.StatusCode.NOT_FOUND,
            reason="DEFINITION_NOT_FOUND",
            metadata={"definition": "relese", "nearest": "release"},
        )
    )

    with pytest.raises(DefinitionNotFound) as caught:
        await ignis.workflows.start_run("relese")

    assert (caught.value.definition, caught.value.nearest) == ("relese", ("release",))


async def test_a_run_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    failed = pb.Run(failure=pb.StepFailure(code="timeout", step_id="draft"), end_time=NOON, state=pb.RUN_STATE_FAILED)
    server.script(pb.GetRunResponse(run=RUN_MESSAGE), pb.GetRunResponse(run=failed))

    run = await ignis.workflows.get_run("run-1")
    other = await ignis.workflows.get_run("run-2")

    assert run == RUN
    assert run.step("draft") == STEP
    assert not run.has_ended
    with pytest.raises(KeyError, match="ship"):
        run.step("ship")
    assert (other.end_time, other.has_ended) == (AT_NOON, True)
    assert other.failure == StepFailure("timeout", "", retryable=False, step_id="draft")
    assert [each.run_id for each in server.requests] == ["run-1", "run-2"]


async def test_what_a_step_does_not_have_is_none(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.GetStepResponse(step=pb.Step(id="draft", state=pb.STEP_STATE_PENDING)))

    step = await ignis.workflows.get_step("run-1", "draft")

    assert (step.output, step.failure, step.lease_expire_time, step.start_time, step.end_time) == (None,) * 5
    assert server.requests == [pb.GetStepRequest(run_id="run-1", step_id="draft")]


async def test_runs_are_listed_by_what_is_asked(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.ListRunsResponse(runs=[pb.Run(id="b")], next_page_token="2"),  # noqa: S106 - a page's
        pb.ListRunsResponse(runs=[pb.Run(id="a")]),
    )
    later = datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))

    runs = ignis.workflows.list_runs(
        states=[RunState.FAILED, RunState.CANCELED],
        definition_id="release",
        labels={"team": "docs"},
        create_time_from=AT_NOON,
        create_time_until=later,
    )

    assert [run.id async for run in runs] == ["b", "a"]
    assert server.requests[0] == pb.ListRunsRequest(
        states=[pb.RUN_STATE_FAILED, pb.RUN_STATE_CANCELED],
        definition_id="release",
        labels={"team": "docs"},
        create_time_from=NOON,
        create_time_until=NOON,
        page_size=200,
    )


async def test_a_time_without_a_zone_is_refused(ignis: IgnisClient) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        await anext(aiter(ignis.workflows.list_runs(create_time_from=AT_NOON.replace(tzinfo=None))))


async def test_one_state_is_no_list(ignis: IgnisClient) -> None:
    with pytest.raises(TypeError, match="put it into a list"):
        await anext(aiter(ignis.workflows.list_runs(states=RunState.FAILED)))  # type: ignore[arg-type]  # a state is a str


async def test_a_run_is_cancelled_with_a_reason(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.CancelRunResponse(run=pb.Run(id="run-1", state=pb.RUN_STATE_CANCELED)))

    run = await ignis.workflows.cancel_run("run-1", reason="too dear", request_id=REQUEST_ID)

    assert run.state is RunState.CANCELED
    assert server.requests == [pb.CancelRunRequest(request_id=REQUEST_ID, run_id="run-1", reason="too dear")]


async def test_a_person_decides(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.ResolveInputResponse(run=RUN_MESSAGE))
    workflows = ignis.workflows

    assert await workflows.approve("run-1", "q", "fine") == RUN
    await workflows.reject("run-1", "q", "wrong", fail_run=True)
    await workflows.answer("run-1", "q", {"n": [1]})
    await workflows.answer("run-1", "q", None)
    await workflows.resolve_input("run-1", "q", Approval(), request_id=REQUEST_ID)
    await workflows.resolve_input("run-1", "q", Rejection())
    await workflows.resolve_input("run-1", "q", Answer("a"))

    value = Value()
    value.struct_value.update({"n": [1]})
    assert [each.answer for each in server.requests] == [
        pb.InputAnswer(input_id="q", approve=pb.Approval(comment="fine")),
        pb.InputAnswer(input_id="q", reject=pb.Rejection(comment="wrong", fail_run=True)),
        pb.InputAnswer(input_id="q", answer=value),
        pb.InputAnswer(input_id="q", answer=Value(null_value=0)),  # type: ignore[arg-type]  # the enum's only value
        pb.InputAnswer(input_id="q", approve=pb.Approval()),
        pb.InputAnswer(input_id="q", reject=pb.Rejection()),
        pb.InputAnswer(input_id="q", answer=Value(string_value="a")),
    ]
    assert server.requests[4].request_id == REQUEST_ID


async def test_a_step_is_claimed_by_hand(server: ScriptedServer, ignis: IgnisClient) -> None:
    claimed = pb.ClaimedStep(lease=LEASE_MESSAGE, definition=pb.StepDefinition(id="draft"), idempotency_key="key")
    claimed.references.add(step_id="plan", digest="sha256:00", size_bytes=3)
    server.script(pb.ClaimStepResponse(claimed=claimed), pb.ClaimStepResponse())

    step = await ignis.workflows.claim_step("w-1", wait=0.25, lease=5, request_id=REQUEST_ID, timeout=2)
    nothing = await ignis.workflows.claim_step("w-1")

    assert isinstance(step, ClaimedStep)
    assert (step.lease, step.idempotency_key, step.references[0].size_bytes) == (LEASE, "key", 3)
    assert nothing is None
    assert server.requests[0] == pb.ClaimStepRequest(
        worker_id="w-1", wait=Duration(nanos=250_000_000), lease=Duration(seconds=5), request_id=REQUEST_ID
    )
    assert server.time_limits[0] == pytest.approx(2.25, abs=0.2)
    assert server.time_limits[1] == pytest.approx(30, abs=0.5)


async def test_a_step_is_kept_done_and_failed_by_hand(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.HeartbeatStepResponse(lease=LEASE_MESSAGE, is_canceled=True),
        pb.CompleteStepResponse(step=STEP_MESSAGE, run_state=pb.RUN_STATE_COMPLETED),
        pb.FailStepResponse(step=STEP_MESSAGE, run_state=pb.RUN_STATE_WORKING),
    )
    failure = StepFailure("timeout", "slow", retryable=True)

    beat = await ignis.workflows.heartbeat_step(LEASE, progress_message="half", usage=USAGE)
    done = await ignis.workflows.complete_step(LEASE, {"n": 1}, artifacts=STEP.artifacts, usage=USAGE)
    failed = await ignis.workflows.fail_step(LEASE, failure, usage=USAGE, retry_after=timedelta(seconds=3))

    output = Struct()
    output.update({"n": 1})
    assert (beat.lease, beat.is_canceled) == (LEASE, True)
    assert (done.step, done.run_state) == (STEP, RunState.COMPLETED)
    assert (failed.step, failed.run_state) == (STEP, RunState.WORKING)
    assert server.requests == [
        pb.HeartbeatStepRequest(lease=LEASE_MESSAGE, progress_message="half", usage=USAGE_MESSAGE),
        pb.CompleteStepRequest(
            lease=LEASE_MESSAGE, output=output, artifacts=STEP_MESSAGE.artifacts, usage=USAGE_MESSAGE
        ),
        pb.FailStepRequest(
            lease=LEASE_MESSAGE,
            failure=pb.StepFailure(code="timeout", message="slow", retryable=True),
            usage=USAGE_MESSAGE,
            retry_after=Duration(seconds=3),
        ),
    ]


async def test_a_lost_lease_says_who_has_it(server: ScriptedServer, ignis: IgnisClient) -> None:
    facts = {"step_id": "draft", "attempt": "1", "latest_attempt": "2", "worker_id": "w-1", "state": "working"}
    server.script(abort(grpc.StatusCode.FAILED_PRECONDITION, reason="LEASE_LOST", metadata=facts))

    with pytest.raises(LeaseLost) as caught:
        await ignis.workflows.complete_step(LEASE, {})

    assert (caught.value.attempt, caught.value.latest_attempt, caught.value.state) == (1, 2, "working")


async def test_a_database_that_is_away_is_told_after_four_attempts(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(abort(grpc.StatusCode.UNAVAILABLE, reason="STORE_UNAVAILABLE", metadata={"reason": "slow"}))

    with pytest.raises(StoreUnavailable) as caught:
        await ignis.workflows.get_run("run-1")

    assert caught.value.why == "slow"
    assert len(server.requests) == 4


def test_states_say_whether_they_are_the_end() -> None:
    assert [each.name for each in RunState if each.is_terminal] == ["COMPLETED", "FAILED", "CANCELED"]
    assert [each.name for each in StepState if each.is_terminal] == ["COMPLETED", "SKIPPED", "FAILED", "CANCELED"]
