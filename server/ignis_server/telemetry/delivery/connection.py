"""The connection that requests go over now, and the one that takes its place while others are still under way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Generic, TypeVar

from ignis_server.telemetry.delivery.tls import stamp

__all__ = ["Connection", "CurrentConnection"]

T = TypeVar("T")


class Connection(Generic[T]):
    """A channel or a pool; retired, it is closed as soon as nothing is under way on it."""

    def __init__(self, value: T, made_of: object, close: Callable[[T], Coroutine[object, object, object]]) -> None:
        self.value = value
        self.made_of = made_of
        self._close = close
        self._under_way = 0
        self._is_retired = False

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[T]:
        """Keep it open until the block ends."""
        self._under_way += 1
        try:
            yield self.value
        finally:
            self._under_way -= 1
            await self._close_when_idle()

    async def retire(self) -> None:
        """Let it go; nothing is sent over it from now on."""
        self._is_retired = True
        await self._close_when_idle()

    async def _close_when_idle(self) -> None:
        if self._is_retired and not self._under_way:
            await asyncio.shield(self._close(self.value))


class CurrentConnection(Generic[T]):
    """Makes a connection when there is none, and another one when the files change that it was made of."""

    def __init__(
        self, files: Sequence[Path], make: Callable[[], T], close: Callable[[T], Coroutine[object, object, object]]
    ) -> None:
        """Make nothing yet.

        Args:
            files: What it is made of; looked at before each request.
            make: Makes one; called on a thread.
            close: Closes one.
        """
        self._files = files
        self._make = make
        self._close = close
        self._current: Connection[T] | None = None
        self._making = asyncio.Lock()

    async def get(self) -> Connection[T]:
        """Return the one to send the next request over. Raises what `make` raises."""
        async with self._making:
            # Before they are read: what changes in between is noticed next time.
            found = await asyncio.to_thread(stamp, self._files) if self._files else ()
            if self._current is not None and self._current.made_of != found:
                await self.leave(self._current)
            if self._current is None:
                self._current = Connection(await asyncio.to_thread(self._make), found, self._close)
            return self._current

    async def leave(self, connection: Connection[T]) -> None:
        """Use a connection no more, if it is the one in use."""
        if self._current is connection:
            self._current = None
            await connection.retire()

    async def aclose(self) -> None:
        """Close the one in use. Nothing may be under way."""
        if self._current is not None:
            await self.leave(self._current)
