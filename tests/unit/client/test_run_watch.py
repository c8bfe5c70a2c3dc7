"""Watching runs: across lost connections and restarts, to the end, and to what a person is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import RetryInfo

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client import (
    Approval,
    IgnisClient,
    InputAnswer,
    InputRequest,
    Run,
    RunEvent,
    RunState,
    RunStateChanged,
    Step,
    StepExpanded,
    StepProgress,
)
from ignis_client.errors import LimitReached, ResumeTokenTooOld, RunNotFound, Unavailable
from unit.client.scripted_server import Abort, Hang, abort
from unit.client.workflow_server import WorkflowServer, serving_workflows

Code = grpc.StatusCode
# The first pause of a watch is half a second; these say that less will do.
SOON = RetryInfo(retry_delay=Duration(nanos=1_000_000))
TOO_OLD = abort(Code.OUT_OF_RANGE, reason="RESUME_TOKEN_TOO_OLD", metadata={"version": "1", "oldest_version": "9"})
TOO_SLOW = abort(Code.RESOURCE_EXHAUSTED, "slow", SOON, reason="WATCHER_TOO_SLOW", metadata={"limit": "4096"})
STARTED = pb.RUN_STATE_WORKING


def snapshot(state: pb.RunState.ValueType = STARTED, version: int = 1, **fields: object) -> pb.WatchRunResponse:
    run = pb.Run(id="run-1", state=state, version=version, **fields)  # type: ignore[arg-type]  # fields of a message
    return pb.WatchRunResponse(snapshot=run, resume_token=f"t{version}")


def events(*several: pb.RunEvent) -> pb.WatchRunResponse:
    return pb.WatchRunResponse(events=pb.RunEvents(events=several), resume_token=f"t{several[-1].version}")


def progress(version: int) -> pb.RunEvent:
    told = pb.StepProgress(step_id="draft", attempt=1, message=str(version))
    return pb.RunEvent(version=version, step_progressed=told)


def changed(version: int, to: pb.RunState.ValueType) -> pb.RunEvent:
    event = pb.RunEvent(version=version)
    event.run_state_changed.to = to
    setattr(event.run_state_changed, "from", STARTED)
    return event


@pytest.fixture
async def steps() -> AsyncIterator[WorkflowServer]:
    server = WorkflowServer()
    async with serving_workflows(server):
        yield server


@pytest.fixture
async def ignis(steps: WorkflowServer) -> AsyncIterator[IgnisClient]:
    async with IgnisClient(steps.target) as client:
        yield client


async def versions(ignis: IgnisClient, *, patience: float = 300) -> list[int]:
    """Return the versions of all that a watch says until it ends."""
    async with asyncio.timeout(10):
        return [said.version async for said in ignis.workflows.watch_run("run-1", patience=patience)]


async def test_a_watch_says_what_is_and_what_happens_to_the_end(steps: WorkflowServer, ignis: IgnisClient) -> None:
    time = Timestamp(seconds=1_767_268_800)
    steps.watches.append(
        (
            snapshot(),
            pb.WatchRunResponse(heartbeat=pb.WatchHeartbeat(), resume_token="t1"),  # noqa: S106 - a watch's
            events(
                pb.RunEvent(version=2, time=time, step_changed=pb.Step(id="draft")),
                pb.RunEvent(version=3, input_requested=pb.InputRequest(id="q")),
                pb.RunEvent(version=4, input_resolved=pb.InputAnswer(input_id="q", approve=pb.Approval())),
            ),
            events(
                progress(5),
                pb.RunEvent(version=6, step_expanded=pb.StepExpanded(step_id="each", count=2)),
                pb.RunEvent(version=7),
                changed(8, pb.RUN_STATE_COMPLETED),
            ),
            Hang(),
        )
    )

    async with asyncio.timeout(10):
        said = [each async for each in ignis.workflows.watch_run("run-1")]

    run, step, asked, answered, told, expanded, newer, ended = said
    assert isinstance(run, Run)
    assert isinstance(step, RunEvent)
    assert (step.version, step.time) == (2, datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert isinstance(step.change, Step)
    assert isinstance(asked, RunEvent)
    assert isinstance(asked.change, InputRequest)
    assert isinstance(answered, RunEvent)
    assert answered.change == InputAnswer("q", Approval())
    assert isinstance(told, RunEvent)
    assert told.change == StepProgress("draft", 1, "5")
    assert isinstance(expanded, RunEvent)
    assert expanded.change == StepExpanded("each", 2)
    assert isinstance(newer, RunEvent)
    assert newer.change is None
    assert isinstance(ended, RunEvent)
    assert ended.change == RunStateChanged(RunState.WORKING, RunState.COMPLETED)


async def test_a_watch_of_a_run_that_has_ended_says_so_and_ends(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((snapshot(pb.RUN_STATE_CANCELED, 9), Hang()))

    assert await versions(ignis) == [9]


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param((), id="ended"),
        pytest.param((abort(Code.UNAVAILABLE, "restarting", SOON),), id="unavailable"),
        pytest.param((Abort(Code.CANCELLED, "cut"),), id="cut"),
        pytest.param((TOO_SLOW,), id="too-slow"),
    ],
)
async def test_a_watch_goes_on_after_the_last_event(
    trouble: tuple[Abort, ...], steps: WorkflowServer, ignis: IgnisClient
) -> None:
    steps.watches.append((snapshot(), events(progress(2), progress(3)), *trouble))
    steps.watches.append((events(progress(4)), events(changed(5, pb.RUN_STATE_FAILED))))

    assert await versions(ignis) == [1, 2, 3, 4, 5]
    assert [each.resume_token for each in steps.requests("WatchRun")] == ["", "t3"]


async def test_a_watch_goes_on_with_another_server() -> None:
    first, second = WorkflowServer(), WorkflowServer()
    first.watches.append((snapshot(), events(progress(2)), Hang()))
    second.watches.append((events(changed(3, pb.RUN_STATE_COMPLETED)),))
    said: list[int] = []

    async def watch(ignis: IgnisClient) -> None:
        async for each in ignis.workflows.watch_run("run-1"):
            said.append(each.version)
            seen.set()

    seen = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        async with serving_workflows(first):
            ignis = IgnisClient(first.target)
            task = group.create_task(watch(ignis))
            while said != [1, 2]:
                await seen.wait()
                seen.clear()
        async with serving_workflows(second, first.target):
            await task
        await ignis.close()

    assert said == [1, 2, 3]
    assert [each.resume_token for each in second.requests("WatchRun")] == ["t2"]


async def test_a_watch_whose_events_are_gone_goes_on_with_a_snapshot(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((snapshot(), TOO_SLOW))
    steps.watches.append((TOO_OLD,))
    steps.watches.append((snapshot(version=12), events(changed(13, pb.RUN_STATE_COMPLETED))))

    assert await versions(ignis) == [1, 12, 13]
    assert [each.resume_token for each in steps.requests("WatchRun")] == ["", "t1", ""]


async def test_a_watch_that_is_too_old_without_a_token_is_an_error(steps: WorkflowServer, ignis: IgnisClient) -> None:
    """Or the client would ask for ever."""
    steps.watches.append((TOO_OLD,))

    with pytest.raises(ResumeTokenTooOld):
        await versions(ignis)


async def test_a_watch_of_no_run_is_refused(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((abort(Code.NOT_FOUND, reason="RUN_NOT_FOUND", metadata={"run_id": "run-1"}),))

    with pytest.raises(RunNotFound):
        await versions(ignis)


async def test_one_watch_too_many_is_refused(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((abort(Code.RESOURCE_EXHAUSTED, reason="TOO_MANY_WATCHERS", metadata={"limit": "9"}),))

    with pytest.raises(LimitReached):
        await versions(ignis)


async def test_patience_ends() -> None:
    async with IgnisClient("127.0.0.1:1") as ignis:
        with pytest.raises(Unavailable):
            await versions(ignis, patience=0.1)


async def test_a_watch_that_is_left_is_cancelled(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((snapshot(), Hang()))

    async with aclosing(ignis.workflows.watch_run("run-1")) as said:
        await anext(said)

    assert len(steps.requests("WatchRun")) == 1


async def test_who_takes_long_over_an_event_is_not_out_of_patience(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((snapshot(), abort(Code.UNAVAILABLE, "restarting", SOON)))
    steps.watches.append((events(changed(2, pb.RUN_STATE_COMPLETED)),))
    said = []

    async for each in ignis.workflows.watch_run("run-1", patience=0.2):
        said.append(each.version)
        await asyncio.sleep(0.3)

    assert said == [1, 2]


async def test_waiting_ends_with_the_run(steps: WorkflowServer, ignis: IgnisClient) -> None:
    steps.watches.append((snapshot(), events(progress(2)), events(changed(3, pb.RUN_STATE_COMPLETED))))
    steps.watches.append((snapshot(pb.RUN_STATE_COMPLETED, 3),))

    run = await ignis.workflows.wait_run("run-1")

    assert (run.state, run.version) == (RunState.COMPLETED, 3)


@pytest.mark.parametrize(
    "first",
    [
        snapshot(pb.RUN_STATE_FAILED, 9),
        snapshot(pb.RUN_STATE_INPUT_REQUIRED, 9, input_requests=[pb.InputRequest(id="q")]),
    ],
)
async def test_waiting_ends_at_once_where_there_is_nothing_to_wait_for(
    first: pb.WatchRunResponse, steps: WorkflowServer, ignis: IgnisClient
) -> None:
    steps.watches.append((first, Hang()))

    assert (await ignis.workflows.wait_run("run-1")).version == 9


async def test_waiting_ends_with_a_question(steps: WorkflowServer, ignis: IgnisClient) -> None:
    asked = pb.InputRequest(id="q", prompt="Which?")
    steps.watches.append((snapshot(), events(pb.RunEvent(version=2, input_requested=asked)), Hang()))
    steps.watches.append((snapshot(version=2, input_requests=[asked]), Hang()))

    run = await ignis.workflows.wait_run("run-1")

    assert [each.prompt for each in run.input_requests] == ["Which?"]


async def test_a_question_that_somebody_has_answered_is_not_waited_for(
    steps: WorkflowServer, ignis: IgnisClient
) -> None:
    asked = pb.RunEvent(version=2, input_requested=pb.InputRequest(id="q"))
    steps.watches.append((snapshot(), events(asked), Hang()))
    steps.watches.append((snapshot(version=3), events(changed(4, pb.RUN_STATE_COMPLETED))))
    steps.watches.append((snapshot(pb.RUN_STATE_COMPLETED, 4),))

    assert (await ignis.workflows.wait_run("run-1")).version == 4


async def test_waiting_outlives_a_server_that_restarts(steps: WorkflowServer, ignis: IgnisClient) -> None:
    restarting = abort(Code.UNAVAILABLE, "restarting", SOON)
    steps.watches.append((snapshot(), restarting))
    steps.watches.append((events(changed(2, pb.RUN_STATE_COMPLETED)),))
    steps.watches.append((restarting,))
    steps.watches.append((restarting,))
    steps.watches.append((snapshot(pb.RUN_STATE_COMPLETED, 2),))

    assert (await ignis.workflows.wait_run("run-1")).version == 2
