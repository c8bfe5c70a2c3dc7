"""Replicas of workflows whose clocks are wrong, or who hear late what the time is: the database's time holds for all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import Connection, func, select

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.clock import SystemClock
from ignis_server.workflow.sql.postgres import MAX_CONNECTIONS, postgres_database
from support.postgres import Postgres, new_database, postgres
from support.workflow_callers import claim, complete, done, refusal
from support.workflow_server import workflow_service

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

WORKFLOW = """
name: Chain
steps:
  - {id: build, executor: echo, approval: true, outputs: [text]}
  - {id: publish, needs: build, executor: echo, outputs: [text]}
"""
LEASE_SECONDS = 5
SKEW = timedelta(seconds=30)


class SkewedClock(SystemClock):
    """The clock of a machine on which it was set wrongly."""

    def __init__(self, skew: timedelta) -> None:
        self._skew = skew

    def now(self) -> datetime:
        """Return a wrong moment."""
        return super().now() + self._skew


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


def start_request() -> pb.StartRunRequest:
    return pb.StartRunRequest(request_id=str(uuid4()), definition="chain")


async def test_leases_last_by_the_databases_time_whatever_the_clocks_of_replicas_say(
    folder: Path, postgres_url: str
) -> None:
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        url = await stack.enter_async_context(new_database(postgres_url))
        behind, ahead = [
            await stack.enter_async_context(workflow_service(folder, url, clock=SkewedClock(skew)))
            for skew in (-SKEW, SKEW)
        ]
        database = await asyncpg.connect(url)
        stack.push_async_callback(database.close)

        async def handed_over(first: "WorkflowServiceAsyncStub", then: "WorkflowServiceAsyncStub") -> pb.Run:
            run = (await first.StartRun(start_request())).run
            granted_at = await database_time(database)
            lost = await claim(first, "lost", run_id=run.id, lease={"seconds": LEASE_SECONDS})
            assert lost is not None
            expires_at = lost.lease.expire_time.ToDatetime(UTC)
            heir = await claim(then, "heir", run_id=run.id, wait={"seconds": 10})
            taken_at = await database_time(database)
            assert heir is not None
            assert (heir.lease.worker_id, heir.lease.attempt) == ("heir", 2)
            # A replica's idea of the database's time is exact to some milliseconds.
            assert abs(expires_at - granted_at - timedelta(seconds=LEASE_SECONDS)) < timedelta(seconds=1)
            assert timedelta(seconds=-0.1) < taken_at - expires_at < timedelta(seconds=4)
            assert (await refusal(complete(first, lost)))[1] == "LEASE_LOST"
            await complete(then, heir)
            return await done(first, run.id)

        lock = asyncio.Lock()

        async def database_time(connection: Any) -> datetime:  # noqa: ANN401 - asyncpg has no types
            async with lock:
                time: datetime = await connection.fetchval("SELECT clock_timestamp()")
                return time

        ended = await asyncio.gather(handed_over(behind, ahead), handed_over(ahead, behind))

    assert {run.state for run in ended} == {pb.RUN_STATE_COMPLETED}
    assert [[step.attempt for step in run.steps] for run in ended] == [[2, 1]] * 2


async def test_the_databases_time_is_exact_although_all_connections_were_in_use(postgres_url: str) -> None:
    """Who waits for a connection is answered at the end, and not in the middle, of its wait."""
    async with asyncio.timeout(30), postgres_database(postgres_url, clock=SystemClock()) as database:
        busy = [asyncio.create_task(database.read(partial(slept, seconds=1.5))) for _ in range(MAX_CONNECTIONS)]
        await asyncio.sleep(0.2)
        told = await database.now()
        real = await database.read(time_of)
        await asyncio.gather(*busy)

    assert abs(real - told) < timedelta(seconds=0.5)


async def test_a_time_that_came_slowly_is_asked_for_again(server: Postgres) -> None:
    async with asyncio.timeout(30), postgres_database(server.url, clock=SystemClock()) as database:
        stopped = await database.read(process_of)
        asking = asyncio.create_task(database.now())
        os.kill(stopped, signal.SIGSTOP)
        await asyncio.sleep(2)
        os.kill(stopped, signal.SIGCONT)
        await asking
        told, real = await database.now(), await database.read(time_of)

    assert abs(real - told) < timedelta(seconds=0.5)


def slept(connection: Connection, seconds: float) -> None:
    connection.execute(select(func.pg_sleep(seconds)))


def time_of(connection: Connection) -> datetime:
    time: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return time


def process_of(connection: Connection) -> int:
    number: int = connection.execute(select(func.pg_backend_pid())).scalar_one()
    return number
