"""`PYTHONPATH=tests python -m perf.workflow.waiting`: what runs cost a server on SQLite that do nothing but wait for a person.

A server with no run, and one that was started again with all of them, each in a process of its own. Ready is from the
start of the process to the first answer that the database was asked for; Python and what it imports are most of it.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import psutil

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceStub
from support.collector import free_port

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

TESTS = Path(__file__).parents[1] / "tests"
WORKFLOW = """
name: Release
steps:
  - {id: build, executor: echo, approval: true, outputs: [text]}
  - {id: publish, needs: build, executor: echo, outputs: [text]}
"""
OUTPUT = "x" * 1_000
# Those who start runs and do their steps.
CALLERS = 32
# After that the sweeper and the retention have looked once.
IDLE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers: how to call it, its process, and how long it took."""

    service: "WorkflowServiceAsyncStub"
    process: psutil.Process
    ready_seconds: float

    @property
    def mebibytes(self) -> float:
        """What its process has of memory."""
        return float(self.process.memory_info().rss) / (1 << 20)


@asynccontextmanager
async def serving(folder: Path, database: Path) -> AsyncIterator[Serving]:
    """Run a server until the block ends."""
    port, start = free_port(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.workflow_child", str(port), str(folder), f"sqlite:///{database}"),
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(TESTS), os.environ.get("PYTHONPATH", "")))},
        stdout=asyncio.subprocess.DEVNULL,
    )
    options = (("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 20))
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            service: WorkflowServiceAsyncStub = WorkflowServiceStub(channel)
            await service.ListRuns(pb.ListRunsRequest(page_size=1), wait_for_ready=True)
            yield Serving(service, psutil.Process(process.pid), time.perf_counter() - start)
    finally:
        process.terminate()
        await process.wait()


async def fill(service: "WorkflowServiceAsyncStub", count: int) -> list[str]:
    """Have so many runs wait for a person, and return their ids."""
    left, run_ids = iter(range(count)), []

    async def caller() -> None:
        for _ in left:
            start = pb.StartRunRequest(request_id=str(uuid4()), definition="release", brief="A release")
            run_id = (await service.StartRun(start)).run.id
            claim = pb.ClaimStepRequest(request_id=str(uuid4()), worker_id="w", capabilities=["echo"], run_id=run_id)
            report = pb.CompleteStepRequest(lease=(await service.ClaimStep(claim)).claimed.lease)
            report.output.update({"text": OUTPUT})
            if (await service.CompleteStep(report)).run_state != pb.RUN_STATE_INPUT_REQUIRED:
                raise AssertionError("the run waits for nobody")
            run_ids.append(run_id)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return run_ids


async def measure(count: int) -> Mapping[str, str]:
    """Return figures by what they are of."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder, database = root / "workflows", root / "runs.db"
        folder.mkdir()
        (folder / "release.yaml").write_text(WORKFLOW)
        async with serving(folder, root / "empty.db") as empty:
            await asyncio.sleep(IDLE_SECONDS)
            idle, idle_ready = empty.mebibytes, empty.ready_seconds
        async with serving(folder, database) as first:
            start = time.perf_counter()
            run_ids = await fill(first.service, count)
            filled_seconds, filled = time.perf_counter() - start, first.mebibytes
        size = database.stat().st_size / (1 << 20)
        async with serving(folder, database) as again:
            await asyncio.sleep(IDLE_SECONDS)
            restarted, ready = again.mebibytes, again.ready_seconds
            start = time.perf_counter()
            answer = pb.ResolveInputRequest(request_id=str(uuid4()), run_id=run_ids[0])
            (asked,) = (await again.service.GetRun(pb.GetRunRequest(run_id=run_ids[0]))).run.input_requests
            answer.answer.input_id, answer.answer.approve.comment = asked.id, "good"
            await again.service.ResolveInput(answer)
            resolved_ms = (time.perf_counter() - start) * 1_000
            for run_id in run_ids:
                await again.service.GetRun(pb.GetRunRequest(run_id=run_id))
            read = again.mebibytes
    return {
        f"{count:,} runs brought to wait, and the file": f"{filled_seconds:.1f} s, {size:.1f} MiB",
        "no run: ready, memory": f"{idle_ready:.2f} s, {idle:.1f} MiB",
        "all runs, as they came: memory beyond no run": f"{filled - idle:.1f} MiB",
        "all runs, started again: ready": f"{ready:.2f} s",
        "all runs, started again: memory beyond no run": f"{restarted - idle:.1f} MiB",
        "the first of them is read and approved": f"{resolved_ms:.1f} ms",
        "after each was read once: memory beyond no run": f"{read - idle:.1f} MiB",
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    arguments = parser.parse_args()
    print("| what | figure |\n|---|---|")
    for name, value in asyncio.run(measure(arguments.runs)).items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
