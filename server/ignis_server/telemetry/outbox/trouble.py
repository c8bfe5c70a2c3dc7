"""Trouble with a disk: errors of the system and of SQLite, translated once, into reasons an operator can act on."""

import errno
import sqlite3
from typing import Final, Literal

__all__ = ["DiskTrouble", "JournalUnwritable", "Reason", "StoreCorrupt", "StoreForeign", "StoreTrouble", "reason_of"]

# "full" has no room left, "read-only" may not be written to, "broken" fails in another way.
Reason = Literal["full", "read-only", "broken"]

OF_SYSTEM: Final[dict[int, Reason]] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
}
# https://www.sqlite.org/rescode.html: the primary codes are the lowest eight bits.
PRIMARY_CODE: Final = 0xFF
OF_SQLITE: Final[dict[int, Reason]] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_CANTOPEN: "broken",
    sqlite3.SQLITE_IOERR: "broken",
    sqlite3.SQLITE_BUSY: "broken",
    sqlite3.SQLITE_LOCKED: "broken",
    sqlite3.SQLITE_NOMEM: "broken",
    sqlite3.SQLITE_PROTOCOL: "broken",
}


class DiskTrouble(Exception):
    """The disk does not do what is asked of it; it may again, later."""

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(f"the disk is {reason}")


class JournalUnwritable(DiskTrouble):
    """The journal could not be written to; what it holds is whole, and what was to be written is not in it."""


class StoreTrouble(DiskTrouble):
    """The database could not be read or written; it is as it was before."""


class StoreCorrupt(Exception):
    """What the database holds is no longer what was put there, and cannot be used."""


class StoreForeign(Exception):
    """The database was made by another release, and is not to be touched by this one."""


def reason_of(error: OSError | sqlite3.Error) -> Reason | None:
    """Return why the disk does not do what was asked of it; None where SQLite says that its file is damaged."""
    if isinstance(error, OSError):
        return OF_SYSTEM.get(error.errno or 0, "broken")
    # Where SQLite itself has nothing to say, Python found something that is no text where text should be.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return OF_SQLITE.get(code & PRIMARY_CODE)
