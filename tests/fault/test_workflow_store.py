"""Servers of workflows whose database goes away, is locked, or is full."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from support.limits import file_size_limit
from support.postgres import Postgres, postgres
from support.workflow_callers import answered, claim, complete, done, refusal, watched
from support.workflow_server import workflow_service

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

WORKFLOW = """
name: Chain
steps:
  - {id: build, executor: echo, approval: true, outputs: [text]}
  - {id: publish, needs: build, executor: echo, outputs: [text]}
"""
GONE = ("UNAVAILABLE", "STORE_UNAVAILABLE", True)
# More than the files have before, and less than what is to be written.
ROOM_BYTES = 500_000
LEASE_SECONDS = 5

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    (workflows / "chain.yaml").write_text(WORKFLOW)
    return workflows


@pytest.fixture
async def server() -> AsyncIterator[Postgres]:
    async with postgres() as started:
        yield started


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def on_sqlite(folder: Path, file: Path) -> AsyncIterator["WorkflowServiceAsyncStub"]:
    async with workflow_service(folder, f"sqlite:///{file}") as stub:
        yield stub


@asynccontextmanager
async def locked(file: Path) -> AsyncIterator[None]:
    """Have another process write to a file, and not come to an end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOCKER, str(file), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        await process.communicate(b"")


def start_request() -> pb.StartRunRequest:
    return pb.StartRunRequest(request_id=str(uuid4()), definition="chain")


async def run_of(service: "WorkflowServiceAsyncStub", run_id: str) -> pb.Run:
    return (await service.GetRun(pb.GetRunRequest(run_id=run_id))).run


def all_calls(
    service: "WorkflowServiceAsyncStub", run: pb.Run, lease: pb.Lease
) -> tuple[Callable[[], Coroutine[Any, Any, object]], ...]:
    """Return one call of each method that needs the database."""
    complete, failed = pb.CompleteStepRequest(lease=lease), pb.FailStepRequest(lease=lease)
    failed.failure.code = "busy"
    answer = pb.InputAnswer(input_id="input", approve=pb.Approval())
    claiming = pb.ClaimStepRequest(request_id=str(uuid4()), worker_id="w", capabilities=["echo"])
    resolve = pb.ResolveInputRequest(request_id=str(uuid4()), run_id=run.id, answer=answer)

    async def watch() -> object:
        return [each async for each in service.WatchRun(pb.WatchRunRequest(run_id=run.id))]

    async def called(method: Any, request: object) -> object:  # noqa: ANN401 - of any method
        return await method(request)

    asked: tuple[tuple[Any, object], ...] = (
        (service.StartRun, start_request()),
        (service.GetRun, pb.GetRunRequest(run_id=run.id)),
        (service.GetStep, pb.GetStepRequest(run_id=run.id, step_id="build")),
        (service.ListRuns, pb.ListRunsRequest()),
        (service.ClaimStep, claiming),
        (service.HeartbeatStep, pb.HeartbeatStepRequest(lease=lease)),
        (service.CompleteStep, complete),
        (service.FailStep, failed),
        (service.ResolveInput, resolve),
        (service.CancelRun, pb.CancelRunRequest(request_id=str(uuid4()), run_id=run.id)),
    )
    return (watch, *(lambda method=method, request=request: called(method, request) for method, request in asked))


async def test_a_database_that_is_gone_for_seconds_costs_nothing_but_waiting(folder: Path, server: Postgres) -> None:
    async with asyncio.timeout(60), workflow_service(folder, server.url) as service:
        run, orphan = [(await service.StartRun(start_request())).run for _ in range(2)]
        watching = asyncio.create_task(watched(service, run.id))
        claimed = await claim(service, run_id=run.id)
        lost = await claim(service, "lost", run_id=orphan.id, lease={"seconds": LEASE_SECONDS})
        assert claimed is not None
        assert lost is not None
        before = await run_of(service, run.id)
        waiting = asyncio.create_task(refusal(claim(service, capabilities=["nothing"], wait={"seconds": 20})))
        later = start_request()

        await server.stop()
        for call in all_calls(service, run, claimed.lease):
            assert await refusal(call()) == GONE
        assert await refusal(service.StartRun(later)) == GONE
        assert await waiting == GONE
        # The lease of the lost worker runs out while nobody can see to it.
        await asyncio.sleep(max(0.0, lost.lease.expire_time.ToMicroseconds() / 1e6 - datetime.now(UTC).timestamp()))
        await server.start()

        started = (await answered(lambda: service.StartRun(later))).run
        assert await answered(lambda: run_of(service, run.id)) == before
        heir = await claim(service, "heir", run_id=orphan.id, wait={"seconds": 15})
        assert heir is not None
        assert (heir.lease.step_id, heir.lease.attempt) == ("build", 2)
        await complete(service, heir)
        await complete(service, claimed)
        ended = [await done(service, each.id) for each in (run, orphan, started)]
        versions = await watching
        listed = (await service.ListRuns(pb.ListRunsRequest())).runs

    assert {each.state for each in ended} == {pb.RUN_STATE_COMPLETED}
    assert versions == list(range(1, ended[0].version + 1))
    assert {each.id for each in listed} == {run.id, orphan.id, started.id}
    assert [step.attempt for step in ended[0].steps] == [1, 1]


async def test_a_file_that_another_process_locks_is_read_and_written_again_when_it_is_free(
    on_sqlite: "WorkflowServiceAsyncStub", file: Path
) -> None:
    async with asyncio.timeout(60):
        run = (await on_sqlite.StartRun(start_request())).run
        claimed = await claim(on_sqlite)
        assert claimed is not None
        before = await run_of(on_sqlite, run.id)
        later = start_request()
        watching = asyncio.create_task(watched(on_sqlite, run.id))

        async with locked(file):
            refused = await asyncio.gather(
                refusal(on_sqlite.StartRun(later)),
                refusal(complete(on_sqlite, claimed)),
                refusal(on_sqlite.CancelRun(pb.CancelRunRequest(request_id=str(uuid4()), run_id=run.id))),
            )
            assert list(refused) == [GONE] * 3
            assert await run_of(on_sqlite, run.id) == before

        started = (await on_sqlite.StartRun(later)).run
        await complete(on_sqlite, claimed)
        ended = [await done(on_sqlite, each.id) for each in (run, started)]
        assert {each.state for each in ended} == {pb.RUN_STATE_COMPLETED}
        assert await watching == list(range(1, ended[0].version + 1))
        assert len((await on_sqlite.ListRuns(pb.ListRunsRequest())).runs) == 2


async def test_a_full_disk_refuses_what_it_cannot_keep_and_takes_it_when_there_is_room(
    on_sqlite: "WorkflowServiceAsyncStub",
) -> None:
    """A limit on the size of files is what a full disk is to the writer; others of this process write nothing meanwhile."""
    async with asyncio.timeout(60):
        run = (await on_sqlite.StartRun(start_request())).run
        claimed = await claim(on_sqlite)
        assert claimed is not None
        before = await run_of(on_sqlite, run.id)
        large = pb.CompleteStepRequest(lease=claimed.lease)
        large.output.update({"text": "x" * 2 * ROOM_BYTES})

        with file_size_limit(ROOM_BYTES):
            for _ in range(2):
                assert await refusal(on_sqlite.CompleteStep(large)) == GONE
            assert await run_of(on_sqlite, run.id) == before

        held = await on_sqlite.CompleteStep(large)
        assert held.step.state == pb.STEP_STATE_INPUT_REQUIRED
        assert (await done(on_sqlite, run.id)).state == pb.RUN_STATE_COMPLETED
