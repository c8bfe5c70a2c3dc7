"""SQLite: one thread writes, what waits meanwhile is committed together, and others read beside it.

Durable means on the disk: `synchronous` is FULL. The sync of a commit is shared by all that is written with it.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import QueuePool

from ignis_server.clock import Clock
from ignis_server.errors import StoreUnavailable
from ignis_server.workflow.limits import MAX_STORE_SECONDS
from ignis_server.workflow.sql.faults import faults_mapped, reason_of
from ignis_server.workflow.sql.migrations import migrate

__all__ = ["SqliteDatabase", "sqlite_database"]

T = TypeVar("T")

READERS = 2
# A commit of so many takes some milliseconds; more would let the first wait for the last.
MAX_TOGETHER = 32
MAX_WAITING = 1_000
# Shorter than what a caller waits, so that it learns what is wrong.
BUSY_MILLISECONDS = 2_000


class _Piece:
    """Work that waits for the writer, and where its outcome goes."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()


class SqliteDatabase:
    """A file. Its time is the machine's: whoever shares the file shares the clock."""

    is_shared = False

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._clock = clock
        self._engine = _engine(path)
        self._readers = ThreadPoolExecutor(READERS, "journal-reader")
        self._waiting: queue.Queue[_Piece | None] = queue.Queue()
        self._of_reader = threading.local()
        self._opened: list[Connection] = []
        # The writer's own.
        self._connection: Connection | None = None
        self._writer = threading.Thread(target=self._write_all, name="journal-writer", daemon=True)
        self._writer.start()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Carry out work beside the writer."""
        with faults_mapped():
            async with asyncio.timeout(MAX_STORE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self._read, work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Have work carried out by the writer; where a thousand wait for it, it is busy."""
        if self._waiting.qsize() >= MAX_WAITING:
            raise StoreUnavailable("busy")
        piece = _Piece(work)
        self._waiting.put(piece)
        with faults_mapped():
            async with asyncio.timeout(MAX_STORE_SECONDS):
                # Who gives up waiting takes its work back, unless it has begun.
                outcome: T = await asyncio.wrap_future(piece.future)
        return outcome

    async def now(self) -> datetime:
        """Return the machine's time."""
        return self._clock.now()

    async def aclose(self) -> None:
        """Write what waits, and close the file."""
        self._waiting.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        # A connection for each reader: getting one out of a pool costs five times what most reads do.
        connection: Connection | None = getattr(self._of_reader, "connection", None)
        if connection is None or connection.closed:
            connection = self._of_reader.connection = self._engine.connect()
            self._opened.append(connection)
        driver = _driver_of(connection)
        driver.execute("BEGIN")
        try:
            return work(connection)
        finally:
            driver.execute("ROLLBACK")

    def _close(self) -> None:
        """Give the writer's connection back, and undo what was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(exc.SQLAlchemyError, sqlite3.Error):
                connection.close()

    def _write_all(self) -> None:
        try:
            self._write_until_told()
        finally:
            self._close()

    def _write_until_told(self) -> None:
        while (first := self._waiting.get()) is not None:
            pieces, is_last = self._together(first)
            started = [piece for piece in pieces if piece.future.set_running_or_notify_cancel()]
            if started:
                self._write_together(started)
            if is_last:
                return

    def _together(self, first: _Piece) -> tuple[list[_Piece], bool]:
        pieces = [first]
        while len(pieces) < MAX_TOGETHER:
            try:
                piece = self._waiting.get_nowait()
            except queue.Empty:
                break
            if piece is None:
                return pieces, True
            pieces.append(piece)
        return pieces, False

    def _write_together(self, pieces: list[_Piece]) -> None:
        """Commit pieces together; one that fails is undone by itself, and a fault of the store fails all of them."""
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            outcomes.extend(_attempt(self._connection, piece) for piece in pieces)
            self._connection.commit()
        except Exception as error:  # noqa: BLE001 - a background loop: what fails is raised where each caller waits
            outcomes = [(None, error)] * len(pieces)
            self._close()
        for piece, (outcome, failure) in zip(pieces, outcomes, strict=True):
            if failure is None:
                piece.future.set_result(outcome)
            else:
                piece.future.set_exception(failure)


def _attempt(connection: Connection, piece: _Piece) -> tuple[Any, BaseException | None]:
    # Past SQLAlchemy, whose part in these would cost more than SQLite's.
    driver = _driver_of(connection)
    driver.execute("SAVEPOINT piece")
    try:
        outcome = piece.work(connection)
    except Exception as error:
        if reason_of(error):
            # After some faults SQLite has undone the whole transaction by itself: nobody's piece holds then.
            raise
        # It is the caller's, and raised where the caller waits.
        driver.execute("ROLLBACK TO piece")
        driver.execute("RELEASE piece")
        return None, error
    driver.execute("RELEASE piece")
    return outcome, None


def _driver_of(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=READERS + 1,
        max_overflow=0,
        pool_timeout=MAX_STORE_SECONDS,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_MILLISECONDS / 1_000},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16000", "temp_store=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


@asynccontextmanager
async def sqlite_database(path: Path, *, clock: Clock) -> AsyncIterator[SqliteDatabase]:
    """Open a file, made where it is missing, bring its tables up to date, and close it when the block ends.

    Raises:
        StoreUnavailable: It cannot be opened or written.
    """
    database = SqliteDatabase(path, clock=clock)
    try:
        await database.write(migrate)
        yield database
    finally:
        await database.aclose()
