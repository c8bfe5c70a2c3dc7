"""PostgreSQL: for several replicas. Work is written without await and runs on a greenlet, so that both databases share it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ignis_server.clock import Clock
from ignis_server.workflow.limits import MAX_STORE_SECONDS
from ignis_server.workflow.sql.faults import faults_mapped
from ignis_server.workflow.sql.migrations import migrate

__all__ = ["PostgresDatabase", "postgres_database"]

T = TypeVar("T")

MAX_CONNECTIONS = 10
# The server gives up before the caller does, so that the caller learns what is wrong and the connection stays of use.
STATEMENT_MILLISECONDS = 3_000
# Clocks drift by some 50 microseconds in so long.
TIME_KEPT_SECONDS = 10.0


class PostgresDatabase:
    """A pool of connections. Its time is the server's, asked for every ten seconds and carried on by the stopwatch between."""

    is_shared = True

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._clock = clock
        self._asked_at = -TIME_KEPT_SECONDS
        self._time = clock.now()
        self._engine = _engine(url)
        # Each statement by itself: a transaction around a read would be two more round trips.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Carry out work that only reads: a statement sees what was committed before it."""
        with faults_mapped():
            async with asyncio.timeout(MAX_STORE_SECONDS), self._reading.connect() as connection:
                return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Carry out work in a transaction of isolation READ COMMITTED."""
        with faults_mapped():
            async with asyncio.timeout(MAX_STORE_SECONDS), self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def now(self) -> datetime:
        """Return the server's time."""
        elapsed = self._clock.elapsed_seconds()
        if elapsed - self._asked_at >= TIME_KEPT_SECONDS:
            time = await self.read(_time)
            # The answer was given in the middle of the round trip, as far as anybody knows.
            self._asked_at = (elapsed + self._clock.elapsed_seconds()) / 2
            self._time = time
        return self._time + timedelta(seconds=self._clock.elapsed_seconds() - self._asked_at)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _time(connection: Connection) -> datetime:
    time: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return time


def _engine(url: str) -> AsyncEngine:
    settings = {
        "application_name": "ignis",
        "statement_timeout": str(STATEMENT_MILLISECONDS),
        "lock_timeout": str(STATEMENT_MILLISECONDS),
        "idle_in_transaction_session_timeout": str(int(MAX_STORE_SECONDS * 1_000)),
        "timezone": "UTC",
        "jit": "off",
    }
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=MAX_CONNECTIONS,
        max_overflow=0,
        pool_timeout=MAX_STORE_SECONDS - 1,
        connect_args={
            "server_settings": settings,
            "timeout": MAX_STORE_SECONDS - 1,
            "command_timeout": MAX_STORE_SECONDS - 1,
        },
    )


@asynccontextmanager
async def postgres_database(url: str, *, clock: Clock) -> AsyncIterator[PostgresDatabase]:
    """Open a database, bring its tables up to date, and close it when the block ends.

    Raises:
        StoreUnavailable: It cannot be reached or written.
    """
    database = PostgresDatabase(url, clock=clock)
    try:
        await database.write(migrate)
        yield database
    finally:
        await database.aclose()
