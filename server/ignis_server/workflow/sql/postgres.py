"""PostgreSQL: for several replicas. Work is written without await and runs on a greenlet, so that both databases share it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

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
# An answer is off by half of its round trip at most. One that took longer is worse than what was carried on since the last
# exact one, and is asked for again after a while, so that a database that is slow is not asked all the time.
EXACT_SECONDS = 0.1
ASKED_AGAIN_SECONDS = 1.0


class _Told(NamedTuple):
    """What the server said, as of when by the stopwatch, and how long it took to say it."""

    asked_at: float
    time: datetime
    took_seconds: float


class PostgresDatabase:
    """A pool of connections. Its time is the server's, asked for every ten seconds and carried on by the stopwatch between."""

    is_shared = True

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._clock = clock
        self._told: _Told | None = None
        self._ask_again_at = 0.0
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
        told, elapsed = self._told, self._clock.elapsed_seconds()
        if told is None or elapsed >= self._ask_again_at:
            answer = await self.read(self._ask)
            is_exact = answer.took_seconds <= EXACT_SECONDS
            if is_exact or told is None:
                told = answer
            if is_exact:
                self._told = answer
            self._ask_again_at = elapsed + (TIME_KEPT_SECONDS if is_exact else ASKED_AGAIN_SECONDS)
        return told.time + timedelta(seconds=self._clock.elapsed_seconds() - told.asked_at)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    def _ask(self, connection: Connection) -> _Told:
        # Without the wait for a connection: the answer would not be of the middle of that.
        began = self._clock.elapsed_seconds()
        time: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        took = self._clock.elapsed_seconds() - began
        return _Told(began + took / 2, time, took)


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
