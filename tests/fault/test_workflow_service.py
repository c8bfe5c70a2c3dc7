"""Workers of WorkflowService that are lost, that come at once, and that say everything several times, over real gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from support.postgres import new_database
from support.workflow_callers import claim, complete, done, refusal
from support.workflow_server import workflow_service

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

WORKFLOWS = {
    "chain": """
name: Chain
steps:
  - {id: build, executor: echo, outputs: [text]}
  - {id: publish, needs: build, executor: echo, approval: true, outputs: [text]}
""",
    "once": """
name: Once
steps:
  - {id: pay, executor: echo, effect: once}
""",
    "wide": "name: Wide\nsteps:\n" + "".join(f"  - {{id: step-{n}, executor: echo}}\n" for n in range(50)),
}
# The shortest that a worker may have.
LEASE_SECONDS = 5
LOST = ("FAILED_PRECONDITION", "LEASE_LOST", False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    for name, text in WORKFLOWS.items():
        (workflows / f"{name}.yaml").write_text(text)
    return workflows


@pytest.fixture
async def service(folder: Path, tmp_path: Path) -> AsyncIterator["WorkflowServiceAsyncStub"]:
    async with workflow_service(folder, f"sqlite:///{tmp_path / 'runs.db'}") as stub:
        yield stub


@pytest.fixture
async def replicas(folder: Path, postgres_url: str) -> AsyncIterator[tuple["WorkflowServiceAsyncStub", ...]]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(new_database(postgres_url))
        yield tuple([await stack.enter_async_context(workflow_service(folder, url)) for _ in range(2)])


async def begun(service: "WorkflowServiceAsyncStub", definition: str) -> pb.Run:
    request = pb.StartRunRequest(request_id=str(uuid4()), definition=definition)
    return (await service.StartRun(request)).run


async def run_of(service: "WorkflowServiceAsyncStub", run_id: str) -> pb.Run:
    return (await service.GetRun(pb.GetRunRequest(run_id=run_id))).run


async def events_of(service: "WorkflowServiceAsyncStub", run_id: str) -> list[pb.RunEvent]:
    """Return all events of a run from now until it ends."""
    whole = [each async for each in service.WatchRun(pb.WatchRunRequest(run_id=run_id))]
    return [event for response in whole for event in response.events.events]


async def lost_claim(service: "WorkflowServiceAsyncStub", run: pb.Run) -> pb.ClaimedStep:
    """Claim a step for as short as may be."""
    claimed = await claim(service, "lost", run_id=run.id, lease={"seconds": LEASE_SECONDS})
    assert claimed is not None
    return claimed


async def said(service: "WorkflowServiceAsyncStub", run: pb.Run, word: pb.InputAnswer) -> pb.Run:
    """Say a person's word to the one thing that a run asks."""
    (asked,) = run.input_requests
    word.input_id = asked.id
    request = pb.ResolveInputRequest(request_id=str(uuid4()), run_id=run.id, answer=word)
    return (await service.ResolveInput(request)).run


async def test_a_lost_workers_step_goes_to_another_and_its_late_reports_are_refused(
    service: "WorkflowServiceAsyncStub",
) -> None:
    async with asyncio.timeout(60):
        run = await begun(service, "chain")
        lost = await lost_claim(service, run)
        heir = await claim(service, "heir", run_id=run.id, wait={"seconds": 10})

        assert heir is not None
        assert (heir.lease.step_id, heir.lease.attempt, heir.lease.worker_id) == ("build", 2, "heir")
        failure = pb.FailStepRequest(lease=lost.lease)
        failure.failure.code = "late"
        assert await refusal(complete(service, lost)) == LOST
        assert await refusal(service.HeartbeatStep(pb.HeartbeatStepRequest(lease=lost.lease))) == LOST
        assert await refusal(service.FailStep(failure)) == LOST
        (step, _) = (await run_of(service, run.id)).steps
        assert (step.worker_id, step.attempt, step.state) == ("heir", 2, pb.STEP_STATE_WORKING)
        await complete(service, heir)
        ended = await done(service, run.id)
        assert (ended.state, [step.attempt for step in ended.steps]) == (pb.RUN_STATE_COMPLETED, [2, 1])


async def test_a_step_that_is_done_once_is_put_before_a_person_when_its_worker_is_lost(
    service: "WorkflowServiceAsyncStub",
) -> None:
    async with asyncio.timeout(60):
        runs = [await begun(service, "once") for _ in range(2)]
        lost = [await lost_claim(service, run) for run in runs]
        heirs = await asyncio.gather(*(claim(service, run_id=run.id, wait={"seconds": 7}) for run in runs))

        assert heirs == [None, None]
        asking = [await run_of(service, run.id) for run in runs]
        assert [run.state for run in asking] == [pb.RUN_STATE_INPUT_REQUIRED] * 2
        assert [asked.kind for run in asking for asked in run.input_requests] == [pb.INPUT_KIND_UNKNOWN_EFFECT] * 2
        assert [await refusal(complete(service, each)) for each in lost] == [LOST] * 2

        happened = await said(service, asking[0], pb.InputAnswer(approve=pb.Approval(comment="it was paid")))
        assert (happened.state, happened.steps[0].attempt) == (pb.RUN_STATE_COMPLETED, 1)

        await said(service, asking[1], pb.InputAnswer(reject=pb.Rejection(comment="nothing was paid")))
        again = await claim(service, run_id=runs[1].id)
        assert again is not None
        assert again.lease.attempt == 2
        await complete(service, again)
        assert (await run_of(service, runs[1].id)).state == pb.RUN_STATE_COMPLETED


async def assert_each_step_has_one_owner(*services: "WorkflowServiceAsyncStub") -> None:
    run = await begun(services[0], "wide")
    claimed = await asyncio.gather(
        *(claim(services[number % len(services)], f"w{number}", wait={"seconds": 10}) for number in range(50))
    )

    owners = {each.lease.step_id: (each.lease.worker_id, each.lease.attempt) for each in claimed if each is not None}
    assert len(owners) == len({worker for worker, _ in owners.values()}) == 50
    standing = await run_of(services[-1], run.id)
    assert owners == {step.id: (step.worker_id, 1) for step in standing.steps}
    await asyncio.gather(
        *(complete(services[number % len(services)], each) for number, each in enumerate(claimed) if each is not None)
    )
    assert (await run_of(services[0], run.id)).state == pb.RUN_STATE_COMPLETED


async def test_fifty_workers_at_once_each_own_one_of_fifty_steps(service: "WorkflowServiceAsyncStub") -> None:
    async with asyncio.timeout(60):
        await assert_each_step_has_one_owner(service)


async def test_fifty_workers_of_two_replicas_each_own_one_of_fifty_steps(
    replicas: tuple["WorkflowServiceAsyncStub", ...],
) -> None:
    async with asyncio.timeout(60):
        await assert_each_step_has_one_owner(*replicas)


async def test_what_ten_callers_say_at_once_through_two_replicas_holds_once(
    replicas: tuple["WorkflowServiceAsyncStub", ...],
) -> None:
    async with asyncio.timeout(60):
        ten = replicas * 5
        begin = pb.StartRunRequest(request_id=str(uuid4()), definition="chain")
        started = await asyncio.gather(*(each.StartRun(begin) for each in ten))
        assert all(each == started[0] for each in started)
        run = started[0].run
        watching = asyncio.create_task(events_of(replicas[1], run.id))
        assert [each.id for each in (await replicas[1].ListRuns(pb.ListRunsRequest())).runs] == [run.id]

        for _ in run.steps:
            claimed = await claim(replicas[0])
            assert claimed is not None
            completed = await asyncio.gather(*(complete(each, claimed) for each in ten))
            assert all(each == completed[0] for each in completed)

        (asked,) = (await run_of(replicas[0], run.id)).input_requests
        answer = pb.InputAnswer(input_id=asked.id, approve=pb.Approval(comment="good"))
        resolve = pb.ResolveInputRequest(request_id=str(uuid4()), run_id=run.id, answer=answer)
        resolved = await asyncio.gather(*(each.ResolveInput(resolve) for each in ten))
        assert all(each == resolved[0] for each in resolved)
        assert resolved[0].run.state == pb.RUN_STATE_COMPLETED

        ended = await run_of(replicas[1], run.id)
        assert (ended.version, ended.usage.input_tokens) == (resolved[0].run.version, 200)
        assert [step.attempt for step in ended.steps] == [1, 1]
        assert sum(event.HasField("input_resolved") for event in await watching) == 1
