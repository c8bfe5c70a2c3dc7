"""The one table from what drivers raise to why the store is unavailable. What is not in it is a mistake of ours, and passes."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import structlog
from sqlalchemy import exc

from ignis_server.errors import StoreUnavailable

__all__ = ["faults_mapped", "reason_of"]

# By the beginning of an SQLSTATE, the longest that fits: classes have two characters.
BY_SQLSTATE: Mapping[str, str] = MappingProxyType(
    {
        "08": "unreachable",
        "25006": "read-only",
        "25P03": "slow",
        "28": "refusing",
        "3D": "refusing",
        "40": "busy",
        "42501": "refusing",
        "53": "busy",
        "53100": "full",
        "54": "full",
        "55P03": "busy",
        "57": "unreachable",
        "57014": "slow",
        "58": "damaged",
        "XX001": "damaged",
        "XX002": "damaged",
    }
)
# By the beginning of SQLite's own names of its codes.
BY_SQLITE_NAME: Mapping[str, str] = MappingProxyType(
    {
        "SQLITE_BUSY": "busy",
        "SQLITE_LOCKED": "busy",
        "SQLITE_FULL": "full",
        "SQLITE_READONLY": "read-only",
        "SQLITE_PERM": "read-only",
        "SQLITE_AUTH": "read-only",
        # A file that may not grow is an error of writing to SQLite.
        "SQLITE_IOERR_WRITE": "full",
        "SQLITE_IOERR": "unreachable",
        "SQLITE_CANTOPEN": "unreachable",
        "SQLITE_INTERRUPT": "slow",
        "SQLITE_CORRUPT": "damaged",
        "SQLITE_NOTADB": "damaged",
    }
)

log = structlog.get_logger()


def reason_of(error: BaseException) -> str:
    """Return one word for what is wrong with the store; "" where nothing is, and we are."""
    for each in _chain(error):
        code = getattr(each, "sqlstate", None)
        name = getattr(each, "sqlite_errorname", None)
        if code:
            return _longest(BY_SQLSTATE, str(code))
        if name:
            return _longest(BY_SQLITE_NAME, str(name))
        if isinstance(each, TimeoutError):
            return "slow"
        if isinstance(each, exc.TimeoutError):
            return "busy"
        if isinstance(each, OSError):
            return "unreachable"
    is_lost = isinstance(error, exc.DBAPIError) and (
        error.connection_invalidated or isinstance(error, exc.InterfaceError)
    )
    return "unreachable" if is_lost else ""


@contextmanager
def faults_mapped() -> Iterator[None]:
    """Turn faults of the store into StoreUnavailable; their story goes to the log, as it may name hosts and paths."""
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error, OSError, TimeoutError) as error:
        reason = reason_of(error)
        if not reason:
            raise
        log.warning("store.unavailable", reason=reason, error=repr(error)[:512])
        raise StoreUnavailable(reason) from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = getattr(at, "orig", None) or at.__cause__


def _longest(table: Mapping[str, str], code: str) -> str:
    fits = [each for each in table if code.startswith(each)]
    return table[max(fits, key=len)] if fits else ""
