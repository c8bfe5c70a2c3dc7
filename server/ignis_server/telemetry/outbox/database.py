"""One SQLite file as this process alone uses it: transactions, errors in our own words, and room given back to the disk."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ignis_server.telemetry.outbox.trouble import DiskTrouble, StoreCorrupt, StoreTrouble, reason_of

__all__ = ["Database", "move_aside"]

# A lock that nobody else holds is not waited for; another process in the same slot would be a mistake.
LOCK_SECONDS: Final = 1.0
PAGE_BYTES: Final = 4_096
# The write-ahead log is written back to the file at 1 MiB, and is no longer than a large transaction makes it.
LOG_PAGES: Final = 256
LOG_BYTES: Final = 2 << 20
CACHE_KIB: Final = 4_096

OPENING: Final = (
    # One process alone: no lock is taken and released each time, and no shared memory is needed.
    "PRAGMA locking_mode = EXCLUSIVE",
    f"PRAGMA page_size = {PAGE_BYTES}",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    f"PRAGMA wal_autocheckpoint = {LOG_PAGES}",
    f"PRAGMA journal_size_limit = {LOG_BYTES}",
    f"PRAGMA cache_size = -{CACHE_KIB}",
    "PRAGMA temp_store = MEMORY",
    # Some distributions have it on: everything that is deleted would be written once more, as zeros.
    "PRAGMA secure_delete = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
)

# Damaged files are kept for whoever wants to look into them: the last two.
MAX_ASIDE: Final = 2

Row = tuple[Any, ...]


class Database:
    """A connection that one thread at a time uses.

    Every method raises StoreTrouble where the disk fails, and StoreCorrupt where the file is not what was written.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where there is none; nobody else may read it."""
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _translated(error) from error
        try:
            for statement in OPENING:
                self.rows(statement)
        except (StoreTrouble, StoreCorrupt):
            self.close()
            raise

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a statement and return all of its rows."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error
        except UnicodeDecodeError as error:
            raise StoreCorrupt(str(error)) from error

    def many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute a statement for each row."""
        try:
            self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise _translated(error) from error

    @contextmanager
    def transaction(self, *, is_forced: bool = False) -> Iterator[None]:
        """Do everything in the block or nothing of it.

        Either way it survives the end of the process; where it is forced, a power cut too. The others may be undone by that, the
        last first.
        """
        self.rows(f"PRAGMA synchronous = {'FULL' if is_forced else 'NORMAL'}")
        self.rows("BEGIN IMMEDIATE")
        try:
            yield
            self.rows("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                # SQLite has undone it by itself where it says that it could not.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise

    def free_pages(self) -> int:
        """Return how many pages the file has that nothing is on."""
        return int(self.rows("PRAGMA freelist_count")[0][0])

    def give_back(self, pages: int) -> None:
        """Make the file shorter by so many pages that nothing is on, and have what is in the log written to it."""
        try:
            # Python executes a statement without columns by one step, which is one page; a script it executes to the end.
            self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")
        except sqlite3.Error as error:
            raise _translated(error) from error
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_there(self) -> bool:
        """Tell whether the file is still where it was opened."""
        try:
            return self._path.exists()
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; what could not be written back to it is in the log, and will be next time."""
        with suppress(sqlite3.Error):
            self._connection.close()


def move_aside(path: Path) -> int:
    """Rename a damaged database and its log, so that a new one can begin, and return how many bytes they are.

    Raises:
        DiskTrouble: They could not be renamed.
    """
    try:
        kept = list(path.parent.glob(f"{path.name}.corrupt-*"))
        number = 1 + max(map(_number, kept), default=0)
        sources = [source for suffix in ("", "-wal") if (source := path.with_name(path.name + suffix)).exists()]
        size = sum(source.stat().st_size for source in sources)
        for source in sources:
            source.rename(path.with_name(f"{path.name}.corrupt-{number}{source.name.removeprefix(path.name)}"))
        for each in kept if sources else ():
            if _number(each) <= number - MAX_ASIDE:
                each.unlink()
    except OSError as error:
        raise DiskTrouble(reason_of(error) or "broken") from error
    return size


def _number(path: Path) -> int:
    digits = path.name.rpartition(".corrupt-")[2].removesuffix("-wal")
    return int(digits) if digits.isdecimal() else 0


def _translated(error: OSError | sqlite3.Error) -> StoreTrouble | StoreCorrupt:
    if isinstance(error, (sqlite3.ProgrammingError, sqlite3.InterfaceError)):
        # A mistake of ours, and no fault of the file.
        raise error
    reason = reason_of(error)
    return StoreTrouble(reason) if reason else StoreCorrupt(str(error))
