"""WorkflowService over real gRPC, in a server as it is deployed: definitions, runs, workers, people, watchers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.app import running
from ignis_server.settings import Settings
from support.workflow_callers import claim, complete, done, resolve, served, start, stub_of

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

WORKFLOW = """
name: Review
inputs:
  topic:
    type: text
steps:
  - id: plan
    agent: postgres-dba
    instruction: Plan the work.
    outputs: [plan]
  - id: check
    needs: [plan]
    select: true
    instruction: Find slow queries and plan migrations.
    approval: true
    outputs: [report]
"""


def settings(root: Path, catalog: Path, **chosen: object) -> Settings:
    return Settings.read(
        catalog_paths=(catalog,),
        workflow_paths=(root / "workflows",),
        database_url=f"sqlite:///{root / 'runs.db'}",
        listen="127.0.0.1:0",
        **chosen,
    )


@pytest.fixture
def workflows(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "review.yaml").write_text(WORKFLOW)
    return tmp_path


@pytest.fixture
async def service(workflows: Path, small_catalog: Path) -> AsyncIterator["WorkflowServiceAsyncStub"]:
    async with served(settings(workflows, small_catalog)) as stub:
        yield stub


async def test_a_run_of_agents_and_people_is_watched_to_its_end(service: "WorkflowServiceAsyncStub") -> None:
    async with asyncio.timeout(30):
        run = await start(service)
        watched: list[pb.WatchRunResponse] = []

        async def watch() -> None:
            watched.extend([each async for each in service.WatchRun(pb.WatchRunRequest(run_id=run.id))])

        watching = asyncio.create_task(watch())
        planned = await claim(service)
        assert planned is not None
        assert planned.bundle.agents[0].startswith("backend/postgres-dba@sha256:")
        assert planned.bundle.digest == "sha256:" + hashlib.sha256(planned.bundle.content.encode()).hexdigest()
        assert planned.bundle.tokens > 0
        assert MessageToDict(planned.inputs) == {"inputs": {"topic": "indexes"}, "steps": {}}
        assert planned.trace_context["traceparent"].startswith("00-")
        assert (await complete(service, planned)).step.state == pb.STEP_STATE_COMPLETED

        checked = await claim(service)
        assert checked is not None
        assert checked.bundle.tokens > 0
        assert MessageToDict(checked.inputs)["steps"] == {"plan": {"plan": "plan of plan"}}
        held = await complete(service, checked)
        assert (held.step.state, held.run_state) == (pb.STEP_STATE_INPUT_REQUIRED, pb.RUN_STATE_INPUT_REQUIRED)

        waiting = (await service.GetRun(pb.GetRunRequest(run_id=run.id))).run
        ended = await resolve(service, run, waiting.input_requests[0])
        await watching

    assert ended.state == pb.RUN_STATE_COMPLETED
    assert (ended.usage.input_tokens, ended.progress.ended_steps) == (200, 2)
    assert watched[0].snapshot.id == run.id
    versions = [event.version for response in watched[1:] for event in response.events.events]
    assert versions == list(range(watched[0].snapshot.version + 1, ended.version + 1))
    resumed = [
        each async for each in service.WatchRun(pb.WatchRunRequest(run_id=run.id, resume_token=watched[2].resume_token))
    ]
    rest = [event for response in resumed for event in response.events.events]
    assert rest == [event for response in watched[3:] for event in response.events.events]


async def test_what_was_begun_goes_on_after_a_restart(workflows: Path, small_catalog: Path) -> None:
    given = settings(workflows, small_catalog)
    async with asyncio.timeout(60):
        async with served(given) as before:
            run = await start(before, labels={"team": "data"})
            claimed = await claim(before)
            assert claimed is not None
        async with served(given) as after:
            assert (await complete(after, claimed)).step.state == pb.STEP_STATE_COMPLETED
            listed = (await after.ListRuns(pb.ListRunsRequest(labels={"team": "data"}))).runs
            ended = await done(after, run.id)

    assert [each.id for each in listed] == [run.id]
    assert ended.state == pb.RUN_STATE_COMPLETED


async def test_repetitions_get_the_first_answer(service: "WorkflowServiceAsyncStub") -> None:
    request_id = str(uuid4())
    run = await start(service, request_id=request_id)
    claimed = await claim(service)
    assert claimed is not None
    once = await complete(service, claimed)

    assert await start(service, request_id=request_id) == run
    assert await complete(service, claimed) == once
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await start(service, request_id=request_id, brief="Something else")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_claim_and_a_watch_end_with_the_server(workflows: Path, small_catalog: Path) -> None:
    given = settings(workflows, small_catalog)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        async with running(given) as server:
            # The channel outlives the server.
            service = stub_of(await stack.enter_async_context(grpc.aio.insecure_channel(server.address)))
            run = await start(service)
            idle = asyncio.create_task(claim(service, capabilities=["nothing"], run_id=str(uuid4())))

            async def watch() -> int:
                return len([each async for each in service.WatchRun(pb.WatchRunRequest(run_id=run.id))])

            watching = asyncio.create_task(watch())
            await asyncio.sleep(0.5)
            began = loop.time()
        took = loop.time() - began

        assert await idle is None
        assert await watching == 1
    assert took < given.drain_seconds


async def test_without_workflows_the_service_says_so(small_catalog: Path) -> None:
    given = Settings.read(catalog_paths=(small_catalog,), listen="127.0.0.1:0")
    async with served(given) as service:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.ListDefinitions(pb.ListDefinitionsRequest())

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_definitions_are_listed_and_read(service: "WorkflowServiceAsyncStub") -> None:
    listed = await service.ListDefinitions(pb.ListDefinitionsRequest())
    whole = await service.GetDefinition(pb.GetDefinitionRequest(definition="Review"))

    assert [(each.id, list(each.required_inputs)) for each in listed.definitions] == [("review", ["topic"])]
    assert [step.id for step in whole.definition.steps] == ["plan", "check"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.GetDefinition(pb.GetDefinitionRequest(definition="reviews"))
    assert (caught.value.code(), "did you mean review" in (caught.value.details() or "")) == (
        grpc.StatusCode.NOT_FOUND,
        True,
    )
