"""Workers: what becomes of a step, however its handler, its lease, its run and the server behave."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import RetryInfo

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client import Artifact, IgnisClient, JsonValue, StepFailed, TokenUsage, Worker, WorkerStep
from ignis_client.errors import InvalidRequest
from unit.client.scripted_server import Hang, abort
from unit.client.workflow_server import WorkflowServer, serving_workflows, step_message

Code = grpc.StatusCode
BUSY = abort(Code.UNAVAILABLE, "busy", reason="STORE_UNAVAILABLE", metadata={"reason": "busy"})
LOST_FACTS = {"step_id": "draft", "attempt": "1", "latest_attempt": "2", "worker_id": "w-1", "state": "working"}
LEASE_LOST = abort(Code.FAILED_PRECONDITION, "lost", reason="LEASE_LOST", metadata=LOST_FACTS)

LEASE = 0.6

DEEP: list[Any] = []
DEEP.append(DEEP)


@pytest.fixture
async def steps() -> AsyncIterator[WorkflowServer]:
    server = WorkflowServer()
    async with serving_workflows(server):
        yield server


@pytest.fixture
async def ignis(steps: WorkflowServer) -> AsyncIterator[IgnisClient]:
    async with IgnisClient(steps.target) as client:
        yield client


async def done(_: WorkerStep) -> Mapping[str, JsonValue]:
    return {"text": "done"}


class Slow:
    """A handler that works until it is let go or cancelled."""

    def __init__(self) -> None:
        self.steps: list[WorkerStep] = []
        self.under_way = 0
        self.most_under_way = 0
        self.begun = asyncio.Event()
        self._changed = asyncio.Condition()
        self.let_go = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, step: WorkerStep) -> Mapping[str, JsonValue]:
        self.steps.append(step)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.begun.set()
        async with self._changed:
            self._changed.notify_all()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.under_way -= 1
        return {"text": "slowly"}

    async def until(self, count: int) -> None:
        """Wait until so many steps are under way."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: self.under_way >= count)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator["asyncio.Task[None]"]:
    """Have a worker run until the block ends."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()


async def test_a_step_is_claimed_done_and_reported(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.offer(step_message())
    worker = ignis.worker(done, agents=["a"], capabilities=["llm"], run_id="run-1", worker_id="w-1", wait=7)

    async with working(worker):
        (report,) = await steps.until("CompleteStep")

    claim = steps.requests("ClaimStep")[0]
    assert (claim.worker_id, list(claim.agents), list(claim.capabilities)) == ("w-1", ["a"], ["llm"])
    assert (claim.run_id, claim.wait.seconds, claim.lease.seconds) == ("run-1", 7, 30)
    assert MessageToDict(report.output) == {"text": "done"}
    assert (report.lease.step_id, report.lease.attempt, report.lease.worker_id) == ("draft", 1, "w-1")
    assert not report.HasField("usage")


async def test_every_claim_has_an_id_of_its_own(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.offer(step_message("a"), step_message("b"))

    async with working(ignis.worker(done)):
        await steps.until("CompleteStep", 2)

    ids = [request.request_id for request in steps.requests("ClaimStep")]
    assert len(set(ids[:2])) == 2


async def test_usage_and_artifacts_go_with_the_report(steps: WorkflowServer, ignis: IgnisClient) -> None:
    async def handler(step: WorkerStep) -> Mapping[str, JsonValue]:
        step.usage = TokenUsage(input_tokens=7, output_tokens=3, cache_read_tokens=2, cache_write_tokens=1)
        step.artifacts.append(Artifact.inline("a.md", b"# A", "text/markdown"))
        step.artifacts.append(Artifact("b.md", "text/markdown", "sha256:00", 5, uri="s3://b/b.md"))
        return {}

    steps.offer(step_message())

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("CompleteStep")

    assert report.usage == pb.TokenUsage(input_tokens=7, output_tokens=3, cache_read_tokens=2, cache_write_tokens=1)
    inline, stored = report.artifacts
    assert (inline.content, inline.size_bytes, inline.digest[:7]) == (b"# A", 3, "sha256:")
    assert (stored.uri, stored.size_bytes, stored.WhichOneof("location")) == ("s3://b/b.md", 5, "uri")


async def test_what_a_handler_says_failed_is_reported_so(steps: WorkflowServer, ignis: IgnisClient) -> None:
    async def handler(step: WorkerStep) -> Mapping[str, JsonValue]:
        step.usage = TokenUsage(input_tokens=9)
        raise StepFailed("model-busy", "x" * 5000, retryable=True, retry_after=timedelta(seconds=7))

    steps.offer(step_message())

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("FailStep")

    assert (report.failure.code, report.failure.retryable, len(report.failure.message)) == ("model-busy", True, 4096)
    assert (report.retry_after.seconds, report.usage.input_tokens) == (7, 9)


async def test_a_wait_of_days_is_asked_for_as_an_hour(steps: WorkflowServer, ignis: IgnisClient) -> None:
    async def handler(_: WorkerStep) -> Mapping[str, JsonValue]:
        raise StepFailed("model-busy", "half \ud800", retryable=True, retry_after=timedelta(days=7))

    steps.offer(step_message())

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("FailStep")

    assert (report.retry_after.seconds, report.failure.message) == (3600, "half ?")


async def test_an_exception_is_reported_by_its_type_and_told_here(
    steps: WorkflowServer, ignis: IgnisClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text may hold what readers of the run must not see."""

    async def handler(_: WorkerStep) -> Mapping[str, JsonValue]:
        raise KeyError("a secret")

    steps.offer(step_message())

    with caplog.at_level(logging.ERROR, "ignis_client.worker"):
        async with working(ignis.worker(handler)):
            (report,) = await steps.until("FailStep")

    assert (report.failure.code, report.failure.retryable) == ("worker-error", True)
    assert report.failure.message == "the handler raised KeyError"
    assert "a secret" in caplog.text


async def test_a_handler_that_is_cancelled_from_inside_has_failed(steps: WorkflowServer, ignis: IgnisClient) -> None:
    async def handler(_: WorkerStep) -> Mapping[str, JsonValue]:
        raise asyncio.CancelledError

    steps.offer(step_message())

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("FailStep")

    assert report.failure.message == "the handler raised CancelledError"


@pytest.mark.parametrize(
    "output", [{"at": object()}, None, {"n": float("nan")}, {1: "x"}, {"t": "\ud800"}, {"d": DEEP}]
)
async def test_an_output_that_is_not_json_fails_the_step_for_good(
    output: Any,  # noqa: ANN401 - what no handler should return
    steps: WorkflowServer,
    ignis: IgnisClient,
) -> None:
    async def handler(_: WorkerStep) -> Mapping[str, JsonValue]:
        result: Mapping[str, JsonValue] = output
        return result

    steps.offer(step_message())

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("FailStep")

    assert (report.failure.code, report.failure.retryable) == ("invalid-output", False)
    assert steps.requests("CompleteStep") == []


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (
            abort(
                Code.INVALID_ARGUMENT,
                "too large",
                reason="OUTPUT_TOO_LARGE",
                metadata={"name": "output", "size_bytes": "2097152", "limit_bytes": "1048576"},
            ),
            "output-too-large",
        ),
        (abort(Code.INVALID_ARGUMENT, "wrong", reason="INVALID_REQUEST"), "output-refused"),
        (abort(Code.RESOURCE_EXHAUSTED, "message larger than max"), "output-refused"),
    ],
)
async def test_an_output_that_is_refused_fails_the_step_for_good(
    refusal: Any,  # noqa: ANN401 - an abort
    code: str,
    steps: WorkflowServer,
    ignis: IgnisClient,
) -> None:
    steps.trouble["CompleteStep"].append(refusal)
    steps.offer(step_message())

    async with working(ignis.worker(done)):
        (report,) = await steps.until("FailStep")

    assert (report.failure.code, report.failure.retryable) == (code, False)


async def test_a_lease_is_kept_alive_at_a_third_of_it(steps: WorkflowServer, ignis: IgnisClient) -> None:
    slow = Slow()
    steps.offer(step_message())

    async with working(ignis.worker(slow, lease=LEASE)):
        await soon(slow.begun)
        began = asyncio.get_running_loop().time()
        await steps.until("HeartbeatStep", 5)
        took = asyncio.get_running_loop().time() - began
        slow.let_go.set()
        await steps.until("CompleteStep")

    assert took > 4.5 * LEASE / 3
    assert not slow.cancelled.is_set()


async def test_progress_and_usage_go_with_heartbeats(steps: WorkflowServer, ignis: IgnisClient) -> None:
    slow = Slow()

    async def handler(step: WorkerStep) -> Mapping[str, JsonValue]:
        step.usage = TokenUsage(output_tokens=5)
        for number in range(100):
            await step.progress(f"{number} " + "x" * 600)
        return await slow(step)

    steps.offer(step_message())
    began = asyncio.get_running_loop().time()

    async with working(ignis.worker(handler)):
        (first,) = await steps.until("HeartbeatStep")
        took = asyncio.get_running_loop().time() - began
        slow.let_go.set()
        await steps.until("CompleteStep")

    assert first.usage.output_tokens == 5
    assert first.progress_message.startswith("99 ")
    assert len(first.progress_message) == 512
    # Sooner, the server would not record it.
    assert 1 < took < 3


async def test_a_canceled_run_stops_the_handler_and_nothing_is_reported(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    slow = Slow()
    steps.offer(step_message())

    async with working(ignis.worker(slow, lease=LEASE)):
        await soon(slow.begun)
        steps.is_canceled = True
        await soon(slow.cancelled)
        # It goes on with the next one.
        slow.let_go.set()
        steps.is_canceled = False
        steps.offer(step_message("next"))
        (report,) = await steps.until("CompleteStep")

    assert report.lease.step_id == "next"
    assert steps.requests("FailStep") == []


async def test_a_lost_lease_stops_the_handler_and_nothing_is_reported(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    slow = Slow()
    steps.trouble["HeartbeatStep"].append(LEASE_LOST)
    steps.offer(step_message())

    async with working(ignis.worker(slow, lease=LEASE)):
        await soon(slow.cancelled)
        await asyncio.sleep(0.05)

    assert steps.requests("FailStep") == []
    assert steps.requests("CompleteStep") == []


async def test_heartbeats_that_fail_do_not_stop_a_handler_while_the_lease_lasts(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    slow = Slow()
    broken = abort(Code.INTERNAL, "broken", reason="INTERNAL")
    steps.trouble["HeartbeatStep"].extend([broken, broken])
    steps.offer(step_message())

    async with working(ignis.worker(slow, lease=LEASE)):
        await steps.until("HeartbeatStep", 5)
        slow.let_go.set()
        await steps.until("CompleteStep")

    assert not slow.cancelled.is_set()


async def test_a_handler_is_stopped_when_its_lease_is_over_and_no_server_can_be_asked(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    """Another worker may have the step by then."""
    slow = Slow()
    steps.trouble["HeartbeatStep"].extend([Hang()] * 20)
    steps.offer(step_message())

    async with working(ignis.worker(slow, lease=LEASE)):
        await soon(slow.begun)
        began = asyncio.get_running_loop().time()
        await soon(slow.cancelled)
        took = asyncio.get_running_loop().time() - began
        await asyncio.sleep(0.05)

    assert LEASE * 0.9 < took < LEASE * 3
    assert steps.requests("FailStep") == []


async def test_a_report_is_repeated_while_the_server_is_away(steps: WorkflowServer, ignis: IgnisClient) -> None:
    # gRPC itself tries a call four times.
    steps.trouble["CompleteStep"].extend([BUSY] * 6)
    steps.offer(step_message())

    async with working(ignis.worker(done)):
        reports = await steps.until("CompleteStep", 7)

    assert reports == [reports[0]] * 7
    assert steps.requests("FailStep") == []


async def test_a_report_is_given_up_when_the_lease_is_over(
    steps: WorkflowServer, ignis: IgnisClient, caplog: pytest.LogCaptureFixture
) -> None:
    steps.trouble["CompleteStep"].extend([Hang()] * 9)
    steps.offer(step_message("a"), step_message("b"))

    with caplog.at_level(logging.WARNING, "ignis_client.worker"):
        async with working(ignis.worker(done, lease=LEASE)):
            count = 1
            while {each.lease.step_id for each in await steps.until("CompleteStep", count)} != {"a", "b"}:
                count += 1

    assert "step a of run run-1 is not reported" in caplog.text


async def test_a_report_that_comes_too_late_is_dropped(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.trouble["CompleteStep"].append(LEASE_LOST)
    steps.offer(step_message("late"), step_message("next"))

    async with working(ignis.worker(done)):
        reports = await steps.until("CompleteStep", 2)

    assert [each.lease.step_id for each in reports] == ["late", "next"]
    assert steps.requests("FailStep") == []


async def test_no_more_steps_are_in_hand_than_allowed(steps: WorkflowServer, ignis: IgnisClient) -> None:
    slow = Slow()
    steps.offer(*(step_message(f"s{number}") for number in range(7)))

    async with working(ignis.worker(slow, concurrency=3)):
        await slow.until(3)
        await asyncio.sleep(0.1)
        in_hand = slow.under_way
        slow.let_go.set()
        await steps.until("CompleteStep", 7)

    assert (in_hand, slow.most_under_way) == (3, 3)


async def test_a_lost_answer_is_asked_for_again_by_the_same_id(steps: WorkflowServer, ignis: IgnisClient) -> None:
    """Or the step would wait for the end of its lease, and one that must not be done twice for a person."""
    steps.trouble["ClaimStep"].extend([BUSY] * 5)
    steps.offer(step_message())

    async with working(ignis.worker(done, lease=LEASE)):
        await steps.until("CompleteStep")

    claims = steps.requests("ClaimStep")
    assert len({claim.request_id for claim in claims[:6]}) == 1
    assert len(steps.requests("CompleteStep")) == 1


async def test_a_lease_that_may_be_old_is_extended_at_once(steps: WorkflowServer, ignis: IgnisClient) -> None:
    slow = Slow()
    steps.trouble["ClaimStep"].append(abort(Code.INTERNAL, "broken", reason="INTERNAL"))
    steps.offer(step_message())

    async with working(ignis.worker(slow, lease=60)):
        await steps.until("HeartbeatStep")
        slow.let_go.set()
        await steps.until("CompleteStep")


async def test_a_server_that_is_away_is_waited_for() -> None:
    server = WorkflowServer()
    server.offer(step_message())
    async with serving_workflows(server):
        target = server.target
    async with IgnisClient(target) as ignis, working(ignis.worker(done)) as task:
        await asyncio.sleep(0.3)
        async with serving_workflows(server, target):
            await server.until("CompleteStep")
            assert not task.done()


async def test_a_server_that_is_stopped_under_a_claim_is_waited_for() -> None:
    """Such a server ends calls with CANCELLED, or whatever else."""
    first, second = WorkflowServer(), WorkflowServer()
    second.offer(step_message())
    first.trouble["ClaimStep"].append(Hang())
    async with serving_workflows(first):
        ignis = IgnisClient(first.target)
        task = asyncio.create_task(ignis.worker(done).run())
        await first.until("ClaimStep")
    async with serving_workflows(second, first.target):
        await second.until("CompleteStep")
        task.cancel()
        await asyncio.wait({task})
    await ignis.close()

    assert task.cancelled()


async def test_a_cancelled_call_is_no_reason_to_end(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.trouble["ClaimStep"].append(abort(Code.CANCELLED, "stopping"))
    steps.trouble["CompleteStep"].append(abort(Code.CANCELLED, "stopping"))
    steps.offer(step_message())

    async with working(ignis.worker(done)):
        await steps.until("CompleteStep", 2)

    assert steps.requests("FailStep") == []


async def test_a_full_server_is_asked_again_when_it_says(steps: WorkflowServer, ignis: IgnisClient) -> None:
    advice = RetryInfo(retry_delay=Duration(nanos=400_000_000))
    full = abort(
        Code.RESOURCE_EXHAUSTED,
        "full",
        advice,
        reason="TOO_MANY_WAITERS",
        metadata={"limit": "9", "retry_seconds": "1"},
    )
    steps.trouble["ClaimStep"].append(full)
    steps.offer(step_message())
    began = asyncio.get_running_loop().time()

    async with working(ignis.worker(done)):
        await steps.until("CompleteStep")

    assert asyncio.get_running_loop().time() - began > 0.4


async def test_a_claim_that_is_refused_ends_the_worker_after_its_work(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    slow = Slow()
    steps.offer(step_message())

    async with working(ignis.worker(slow, concurrency=2)) as task:
        await soon(slow.begun)
        steps.trouble["ClaimStep"].append(abort(Code.INVALID_ARGUMENT, "wrong", reason="INVALID_REQUEST"))
        await asyncio.sleep(LEASE)
        assert not task.done()
        slow.let_go.set()
        with pytest.raises(InvalidRequest, match="wrong"):
            await task

    assert len(steps.requests("CompleteStep")) == 1


async def test_a_worker_that_is_cancelled_gives_its_steps_back_at_once(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    slow = Slow()
    steps.offer(step_message("a"), step_message("b"))

    async with working(ignis.worker(slow, concurrency=2)) as task:
        await slow.until(2)
        began = asyncio.get_running_loop().time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        took = asyncio.get_running_loop().time() - began

    reports = steps.requests("FailStep")
    assert {each.lease.step_id for each in reports} == {"a", "b"}
    assert {(each.failure.code, each.failure.retryable) for each in reports} == {("worker-stopped", True)}
    assert took < 1
    assert slow.under_way == 0


async def test_a_report_under_way_is_finished_when_the_worker_is_cancelled(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    steps.trouble["CompleteStep"].extend([BUSY] * 3)
    steps.offer(step_message())

    async with working(ignis.worker(done)) as task:
        await steps.until("CompleteStep")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert len(steps.requests("CompleteStep")) == 4
    assert steps.requests("FailStep") == []


async def test_a_step_that_was_granted_to_nobody_is_given_back(steps: WorkflowServer, ignis: IgnisClient) -> None:
    """The worker was cancelled between the grant and the answer."""
    steps.trouble["ClaimStep"].append(Hang())
    steps.offer(step_message())

    async with working(ignis.worker(done)) as task:
        await steps.until("ClaimStep")
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    (first, second) = steps.requests("ClaimStep")
    (report,) = steps.requests("FailStep")
    assert first.request_id == second.request_id
    assert (report.failure.code, report.lease.step_id) == ("worker-stopped", "draft")


async def test_a_worker_that_is_cancelled_where_no_server_answers_ends_all_the_same() -> None:
    async with IgnisClient("127.0.0.1:1") as ignis:
        async with working(ignis.worker(done)) as task:
            await asyncio.sleep(0.1)
            began = asyncio.get_running_loop().time()
        assert task.cancelled()
        assert asyncio.get_running_loop().time() - began < 3


async def test_a_worker_that_is_cancelled_where_a_server_is_silent_ends_all_the_same(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    steps.trouble["ClaimStep"].extend([Hang(), Hang()])

    async with working(ignis.worker(done)) as task:
        await steps.until("ClaimStep")
        began = asyncio.get_running_loop().time()
    assert task.cancelled()
    assert 1 < asyncio.get_running_loop().time() - began < 3


async def test_a_worker_that_is_told_to_stop_does_what_it_has_in_hand(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    slow = Slow()
    worker = ignis.worker(slow, concurrency=2)
    steps.offer(step_message())

    async with working(worker) as task:
        await soon(slow.begun)
        worker.stop()
        await asyncio.sleep(0.1)
        assert not task.done()
        slow.let_go.set()
        async with asyncio.timeout(5):
            await task

    assert len(steps.requests("CompleteStep")) == 1


async def test_a_worker_that_was_stopped_before_it_began_claims_nothing(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    worker = ignis.worker(done)
    worker.stop()

    async with asyncio.timeout(5):
        await worker.run()

    assert steps.calls == []


async def test_a_large_output_is_fetched_by_its_reference(steps: WorkflowServer, ignis: IgnisClient) -> None:
    async def handler(step: WorkerStep) -> Mapping[str, JsonValue]:
        return {step.references[0].step_id: await step.fetch(step.references[0])}

    claimed = step_message()
    claimed.references.add(step_id="plan", digest="sha256:00", size_bytes=3)
    steps.outputs["plan"] = pb.Step(id="plan")
    steps.outputs["plan"].output.update({"text": "long"})
    steps.offer(claimed)

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("CompleteStep")

    assert MessageToDict(report.output) == {"plan": {"text": "long"}}


async def test_a_step_continues_the_trace_of_its_run(steps: WorkflowServer, ignis: IgnisClient) -> None:
    traceparent = f"00-{0xABC:032x}-{0xDEF:016x}-01"
    claimed = step_message()
    claimed.trace_context["traceparent"] = traceparent
    steps.offer(claimed, step_message("other"))

    async with working(ignis.worker(done)):
        await steps.until("CompleteStep", 2)

    sent = [metadata.get("traceparent") for method, metadata in steps.metadata if method == "CompleteStep"]
    assert sent == [traceparent, None]


async def test_a_handler_is_given_all_that_was_claimed(steps: WorkflowServer, ignis: IgnisClient) -> None:
    slow = Slow()
    claimed = step_message("draft[2]", agent="writer")
    claimed.inputs.update({"topic": "gRPC", "count": 3, "ratio": 0.5, "deep": {"list": [1, None, True]}})
    claimed.item.string_value = "chapter"
    claimed.bundle.MergeFrom(pb.AgentBundle(content="You write.", tokens=3, agents=["writer@1"]))
    claimed.answers.add(input_id="q").reject.comment = "shorter"
    claimed.idempotency_key = "key"
    steps.offer(claimed)

    async with working(ignis.worker(slow)):
        await soon(slow.begun)
        slow.let_go.set()
        await steps.until("CompleteStep")

    (step,) = slow.steps
    assert (step.id, step.run_id, step.attempt, step.item) == ("draft[2]", "run-1", 1, "chapter")
    assert step.inputs == {"topic": "gRPC", "count": 3, "ratio": 0.5, "deep": {"list": [1, None, True]}}
    assert (step.definition.agent, step.bundle.content, step.idempotency_key) == ("writer", "You write.", "key")
    assert step.answers[0].input_id == "q"
    assert step.claimed.trace_context == {}


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"lease": 0}, {"wait": 0}, {"lease": float("nan")}, {"wait": float("inf")}]
)
async def test_bounds_that_are_none_are_refused(wrong: dict[str, Any], ignis: IgnisClient) -> None:
    with pytest.raises(ValueError, match=r"concurrency 0|cannot be"):
        ignis.worker(done, **wrong)


@pytest.mark.parametrize("wrong", [{"agents": "writer"}, {"capabilities": "llm"}])
async def test_one_string_is_no_list(wrong: dict[str, Any], ignis: IgnisClient) -> None:
    with pytest.raises(TypeError, match="one string"):
        ignis.worker(done, **wrong)


@pytest.mark.parametrize("code", ["", "x" * 129])
def test_a_failure_has_a_code(code: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        StepFailed(code, retryable=False)


class Broken(Mapping[str, JsonValue]):
    """An output that breaks when it is read."""

    def __getitem__(self, key: str) -> JsonValue:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        yield "text"

    def __len__(self) -> int:
        return 1


async def test_what_nobody_foresaw_costs_one_step_and_not_the_worker(
    steps: WorkflowServer, ignis: IgnisClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(step: WorkerStep) -> Mapping[str, JsonValue]:
        return Broken() if step.id == "broken" else {}

    steps.offer(step_message("broken"), step_message("next"))

    async with working(ignis.worker(handler)):
        (report,) = await steps.until("CompleteStep")

    assert report.lease.step_id == "next"
    assert "step broken of run run-1 is not reported" in caplog.text


@pytest.mark.parametrize("count", [-1, 1 << 63, 1.5])
async def test_counts_that_cannot_be_sent_are_refused_where_they_are_set(
    count: Any,  # noqa: ANN401 - what no handler should count
    steps: WorkflowServer,
    ignis: IgnisClient,
) -> None:
    async def handler(step: WorkerStep) -> Mapping[str, JsonValue]:
        with pytest.raises(ValueError, match="63 bits"):
            step.usage = TokenUsage(input_tokens=count)
        return {}

    steps.offer(step_message())

    async with working(ignis.worker(handler)):
        await steps.until("CompleteStep")
