"""Compiled files on the local disk: one SQLite file, which any number of processes may share."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeVar

import structlog

from ignis_server.agents.cache.seal import sealed, unsealed
from ignis_server.clock import Clock
from ignis_server.signals import CacheFailed, Signals

__all__ = ["DiskArtefacts"]

T = TypeVar("T")

FILE_NAME = "artefacts.sqlite3"
SCHEMA = """
CREATE TABLE IF NOT EXISTS artefact (key TEXT PRIMARY KEY, value BLOB NOT NULL, used_at INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS artefact_used_at ON artefact (used_at);
"""
# Another process may hold the file for a moment; after that, compiling is faster than waiting.
BUSY_SECONDS = 2.0
# Below the least that any SQLite allows in one statement (999).
KEYS_AT_ONCE = 500
# What was used is noted once a day, so that reading writes hardly ever.
NOTE_SECONDS = 86_400

log = structlog.get_logger()


class DiskArtefacts:
    """Keeps artefacts in a folder, up to a number of bytes; what was not used for longest goes first.

    A file that is no database, or a broken one, is replaced. A folder that cannot be written to, a disk that is full: the
    catalog is compiled as if nothing were kept, and a signal says so.
    """

    def __init__(self, folder: Path, *, max_bytes: int, clock: Clock, signals: Signals) -> None:
        self._file = folder / FILE_NAME
        self._max_bytes = max_bytes
        self._clock = clock
        self._signals = signals

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys; what is no longer whole is left out."""
        return await asyncio.to_thread(self._tried, "read", lambda: self._read(keys), {})

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values, and drop what there is no room for."""
        await asyncio.to_thread(self._tried, "write", lambda: self._write(values), None)

    def _tried(self, operation: Literal["read", "write"], action: Callable[[], T], otherwise: T) -> T:
        try:
            return action()
        except (sqlite3.Error, OSError) as error:
            # "file is not a database", "database disk image is malformed": the next process begins a new one.
            is_broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            if is_broken:
                self._remove()
            self._signals.report(CacheFailed("disk", operation, "corrupt" if is_broken else "unusable"))
            log.warning("cache.disk_failed", operation=operation, file=str(self._file), error=str(error))
            return otherwise

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(FILE_NAME + suffix).unlink(missing_ok=True)

    def _opened(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # What a power cut loses is compiled again.
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        with closing(self._opened()) as connection, connection:
            for some in _parts(keys):
                marks = ",".join("?" * len(some))
                rows = connection.execute(f"SELECT key, value FROM artefact WHERE key IN ({marks})", some)  # noqa: S608 - only marks
                found |= {key: content for key, value in rows if (content := unsealed(value)) is not None}
                now = int(self._clock.now().timestamp())
                connection.execute(
                    f"UPDATE artefact SET used_at = ? WHERE key IN ({marks}) AND used_at < ?",  # noqa: S608 - only marks
                    (now, *some, now - NOTE_SECONDS),
                )
        return found

    def _write(self, values: Mapping[str, bytes]) -> None:
        now = int(self._clock.now().timestamp())
        with closing(self._opened()) as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO artefact (key, value, used_at) VALUES (?, ?, ?)",
                ((key, sealed(content), now) for key, content in values.items()),
            )
            # The newest stay whose lengths together are no more than the bound.
            connection.execute(
                """DELETE FROM artefact WHERE key IN (SELECT key FROM (
                       SELECT key, SUM(LENGTH(value)) OVER (ORDER BY used_at DESC, key) AS total FROM artefact
                   ) WHERE total > ?)""",
                (self._max_bytes,),
            )


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]
