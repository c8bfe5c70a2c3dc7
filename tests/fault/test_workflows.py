"""Servers of workflows that are killed: runs go on, nothing is done twice, nothing that was seen is unseen."""

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from support.postgres import new_database
from support.workflow_callers import ENDED, answered, resolve, stub_of, watched

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

TESTS = Path(__file__).parents[1]

WORKFLOW = """
name: Release
steps:
  - id: build
    executor: echo
    outputs: [text]
  - id: publish
    needs: build
    executor: echo
    effect: once
    approval: true
    outputs: [text]
  - id: announce
    needs: publish
    executor: echo
    outputs: [text]
"""
# A start, for each of three steps an offer, a claim and a completion, and an approval.
WRITES = range(1, 12)


class Killed:
    """A server that is started again whenever it is killed."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.deaths = 0
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, *killing: str) -> None:
        """Serve, the first time to be killed as is said, then as often as it is needed."""
        while True:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "support.workflow_child",
                str(self.port),
                self._folder,
                self._url,
                *killing,
                env=os.environ | {"PYTHONPATH": str(TESTS)},
            )
            if await self._process.wait() != -signal.SIGKILL:
                raise AssertionError("the server ended by itself")
            self.deaths += 1
            killing = ()

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()

    async def end(self) -> None:
        """Have it gone for good."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def killed(folder: Path, url: str, *killing: str) -> AsyncIterator[tuple[Killed, "WorkflowServiceAsyncStub"]]:
    server = Killed(folder, url)
    running = asyncio.create_task(server.run(*killing))
    options = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100))
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
            yield server, stub_of(channel)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await server.end()


async def done(service: "WorkflowServiceAsyncStub", run_id: str, effects: Counter[str], worker: str = "w") -> pb.Run:
    """Do what a run asks for until it has ended; each attempt that is done is counted."""
    while True:
        run = (await answered(lambda: service.GetRun(pb.GetRunRequest(run_id=run_id)))).run
        if run.state in ENDED:
            return run
        for asked in run.input_requests:
            await resolved(service, run, asked)
        request = pb.ClaimStepRequest(worker_id=worker, request_id=str(uuid4()), capabilities=["echo"], run_id=run_id)
        request.wait.FromMilliseconds(200)
        response = await answered(lambda request=request: service.ClaimStep(request))  # type: ignore[misc]  # bound now
        if response.HasField("claimed"):
            lease = response.claimed.lease
            effects[f"{lease.step_id}/{lease.attempt}"] += 1
            report = pb.CompleteStepRequest(lease=lease)
            report.output.update({"text": f"by {lease.step_id}"})
            with suppress(grpc.aio.AioRpcError):
                await answered(lambda report=report: service.CompleteStep(report))  # type: ignore[misc]  # bound now


async def resolved(service: "WorkflowServiceAsyncStub", run: pb.Run, asked: pb.InputRequest) -> None:
    # What is asked may have been answered by the call that was cut off.
    with suppress(grpc.aio.AioRpcError):
        await answered(lambda: resolve(service, run, asked))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    (workflows / "release.yaml").write_text(WORKFLOW)
    return workflows


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
async def test_a_server_that_is_killed_at_any_write_costs_nothing(
    folder: Path, tmp_path: Path, write: int, moment: str
) -> None:
    effects: Counter[str] = Counter()
    async with (
        asyncio.timeout(60),
        killed(folder, f"sqlite:///{tmp_path / 'runs.db'}", str(write), moment) as (server, service),
    ):
        start = pb.StartRunRequest(request_id=str(uuid4()), definition="release")
        begun = (await answered(lambda: service.StartRun(start))).run
        ended, versions = await asyncio.gather(done(service, begun.id, effects), watched(service, begun.id))
        runs = (await answered(lambda: service.ListRuns(pb.ListRunsRequest()))).runs

    assert server.deaths == 1
    assert ended.state == pb.RUN_STATE_COMPLETED
    assert [run.id for run in runs] == [begun.id]
    assert versions == list(range(1, ended.version + 1))
    assert effects == {"build/1": 1, "publish/1": 1, "announce/1": 1}
    assert [step.attempt for step in ended.steps] == [1, 1, 1]


async def test_one_of_two_replicas_is_killed_under_load_and_the_other_finishes_every_run(
    folder: Path, postgres_url: str
) -> None:
    effects: Counter[str] = Counter()
    async with (
        asyncio.timeout(120),
        new_database(postgres_url) as url,
        killed(folder, url) as (first, one),
        killed(folder, url) as (_, other),
    ):
        starts = [pb.StartRunRequest(request_id=str(uuid4()), definition="release") for _ in range(20)]
        runs = [(await answered(lambda start=start: one.StartRun(start))).run for start in starts]  # type: ignore[misc]  # bound now

        async def kill_now_and_then() -> None:
            for _ in range(3):
                await asyncio.sleep(0.7)
                with suppress(ProcessLookupError):
                    first.kill()

        killing = asyncio.create_task(kill_now_and_then())
        services = (one, other)
        ended = await asyncio.gather(
            *(done(services[number % 2], run.id, effects, f"w{number}") for number, run in enumerate(runs))
        )
        seen = await asyncio.gather(*(watched(other, run.id) for run in runs))
        await killing

    assert first.deaths >= 3
    assert {run.state for run in ended} == {pb.RUN_STATE_COMPLETED}
    assert all(versions == list(range(1, run.version + 1)) for versions, run in zip(seen, ended, strict=True))
    assert all(step.attempt == 1 for run in ended for step in run.steps)
    assert set(effects.values()) == {20}
