"""Workers of our own client on a real server: by an echo, by a model's endpoint, and by people in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from ignis_client import IgnisClient
from ignis_client.executors.echo import echo
from ignis_client.executors.openai import OpenAIExecutor
from ignis_client.run import Run, RunState, StepState
from ignis_client.values import JsonValue
from ignis_client.worker_step import WorkerStep
from ignis_server.app import running
from ignis_server.settings import Settings
from support.openai_server import Chat, openai_server

WORKFLOW = """
name: Release notes
inputs:
  version:
    type: text
steps:
  - id: areas
    executor: echo
    outputs: [list]
  - id: look
    agent: postgres-dba
    executor: echo
    for_each: '["api", "storage", "docs"]'
    instruction: Say what has changed.
    outputs: [text]
  - id: write
    agent: postgres-dba
    executor: llm
    needs: [areas, look]
    instruction: Write the notes.
    outputs: [notes]
    approval: true
"""


@pytest.fixture
async def ignis(tmp_path: Path, small_catalog: Path) -> AsyncIterator[IgnisClient]:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "notes.yaml").write_text(WORKFLOW)
    settings = Settings.read(
        catalog_paths=(small_catalog,),
        workflow_paths=(tmp_path / "workflows",),
        database_url=f"sqlite:///{tmp_path / 'runs.db'}",
        listen="127.0.0.1:0",
    )
    async with running(settings) as server, IgnisClient(server.address) as client:
        yield client


async def started(ignis: IgnisClient) -> Run:
    return await ignis.workflows.start_run("notes", inputs={"version": "1.2"}, brief="A PostgreSQL service")


async def test_an_echo_a_model_and_a_person_bring_a_run_to_its_end(ignis: IgnisClient) -> None:
    async with asyncio.timeout(60), openai_server() as endpoint:
        endpoint.script(Chat(("The notes of ", "1.2.")))
        async with OpenAIExecutor(endpoint.base_url, "a-model") as model:
            workers = [
                ignis.worker(echo, capabilities=["echo"], concurrency=3, wait=1.0),
                ignis.worker(model, capabilities=["llm"], wait=1.0),
            ]
            working = [asyncio.create_task(worker.run()) for worker in workers]
            run = await started(ignis)
            waiting = await ignis.workflows.wait_run(run.id)
            (asked,) = waiting.input_requests
            written = next(step for step in waiting.steps if step.id == "write")
            ended = await ignis.workflows.approve(run.id, asked.id, "good")
            for worker in workers:
                worker.stop()
            await asyncio.gather(*working)

    assert written.output == {"notes": "The notes of 1.2."}
    assert ended.state is RunState.COMPLETED
    assert {step.id: step.state for step in ended.steps} == dict.fromkeys(
        ["areas", "look[0]", "look[1]", "look[2]", "write"], StepState.COMPLETED
    )
    (request,) = endpoint.asked
    assert "Postgres DBA" in str(request.body["messages"][0])


async def test_a_run_that_is_cancelled_cancels_the_handlers_of_its_steps(ignis: IgnisClient) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def for_ever(_: WorkerStep) -> Mapping[str, JsonValue]:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        cancelled.set()
        raise asyncio.CancelledError

    async with asyncio.timeout(60):
        worker = ignis.worker(for_ever, capabilities=["echo"], lease=5.0, wait=1.0)
        working = asyncio.create_task(worker.run())
        run = await started(ignis)
        await begun.wait()
        await ignis.workflows.cancel_run(run.id, reason="enough")
        await cancelled.wait()
        worker.stop()
        await working

    assert (await ignis.workflows.get_run(run.id)).state is RunState.CANCELED
