"""What the journal asks of a database: to carry out a piece of work in one transaction, within a time."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

__all__ = ["Database"]

T = TypeVar("T")


class Database(Protocol):
    """Carries out work on a connection. What the work raises undoes all of it; faults of the database are StoreUnavailable.

    Attributes:
        is_shared: Whether several processes hand out steps from it.
    """

    is_shared: bool

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Carry out work that only reads, on a state of the database that was committed."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Carry out work in a transaction, and return when it is committed."""
        ...

    async def now(self) -> datetime:
        """Return the database's time."""
        ...

    async def aclose(self) -> None:
        """Close all connections; nothing may be asked after that."""
        ...
