"""Where runs are kept: a file of SQLite for one machine, PostgreSQL for several replicas, by URL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ignis_server.clock import Clock
from ignis_server.workflow.journal import Retention
from ignis_server.workflow.store import Store
from ignis_server.workflow.store_url import is_postgres, path_of
from ignis_server.workflow.wakeups import LocalWakeups

__all__ = ["OpenStore", "open_store"]


@dataclass(frozen=True, slots=True)
class OpenStore(Store):
    """A store, and what must run beside it for as long as it is used, if anything."""

    beside: Callable[[], Awaitable[None]] | None = None


@asynccontextmanager
async def open_store(url: str, *, clock: Clock, retention: Retention) -> AsyncIterator[OpenStore]:
    """Open a store, made or brought up to date where that is needed, until the block ends.

    Raises:
        StoreUnavailable: It cannot be reached, opened or written.
    """
    # SQL takes a quarter of a second to import, which whoever serves no workflows need not wait for.
    from ignis_server.workflow.sql_journal import SqlJournal  # noqa: PLC0415

    if is_postgres(url):
        from ignis_server.workflow.sql.postgres import postgres_database  # noqa: PLC0415
        from ignis_server.workflow.sql.postgres_wakeups import PostgresWakeups  # noqa: PLC0415

        async with postgres_database(url, clock=clock) as database:
            shared = PostgresWakeups(url)
            yield OpenStore(SqlJournal(database, wakeups=shared, retention=retention), shared, shared.run)
        return
    from ignis_server.workflow.sql.sqlite import sqlite_database  # noqa: PLC0415

    path = path_of(url)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with sqlite_database(path, clock=clock) as file:
        local = LocalWakeups()
        yield OpenStore(SqlJournal(file, wakeups=local, retention=retention), local)
