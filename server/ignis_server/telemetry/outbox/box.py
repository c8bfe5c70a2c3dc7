"""A box: batches of one outbox id in the order of their numbers, as shippers use them, whoever captured what is in them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from ignis_server.telemetry.model import Batch, LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.batch_store import SettledBatch
from ignis_server.telemetry.outbox.contents import Contents
from ignis_server.telemetry.outbox.journal import Journal
from ignis_server.telemetry.outbox.trouble import Reason

__all__ = ["Box"]

T = TypeVar("T")

# How long a shipper waits for something new before it is told that there is nothing.
WAIT_SECONDS: Final = 1.0
# Receipts that are kept in memory while the disk is in trouble; then shippers wait.
MAX_HELD: Final = 10_000


class Box:
    """What is in a slot, for the event loop: all that touches the disk is done on a thread.

    No method raises because of a disk in trouble. Where receipts cannot be written down and the process ends, those batches are
    sent again, whole and under the same numbers.
    """

    def __init__(self, contents: Contents, thread: Executor) -> None:
        self._contents = contents
        self._thread = thread
        self._news = asyncio.Event()
        self._written_down = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def outbox_id(self) -> str:
        """The id under which its batches are numbered."""
        return self._contents.outbox_id

    @property
    def size_bytes(self) -> int:
        """Bytes that wait in it, on disk."""
        return self._contents.size_bytes

    @property
    def writable_journal(self) -> Journal | None:
        """The journal; None where there is no use in appending to it for now."""
        return self._contents.journal if self._contents.is_writable else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in it."""
        return self._contents.is_empty

    async def next(self, destination: str, signal: Signal, after: int, max_batches: int) -> list[Batch]:
        """Return the next batches that a destination has not settled, in the order of their numbers.

        Waits a second for one at most, and returns nothing then. Returns no more than 4 MiB, but at least one batch where there
        is one.

        Args:
            destination: Who will get them; nothing waits for one that is not configured.
            signal: Of what.
            after: Only batches of higher numbers.
            max_batches: How many at most.
        """
        news = self._news
        found = await self._read(destination, signal, after, max_batches)
        if found:
            return found
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                await news.wait()
        return await self._read(destination, signal, after, max_batches)

    async def waiting(self, destination: str, signal: Signal, limit: int, *, after: int = 0) -> list[Batch]:
        """Return what `next` would, without waiting for it."""
        return await self._read(destination, signal, after, limit)

    async def settled(self, destination: str, receipts: Sequence[Receipt]) -> None:
        """Keep what became of batches; returns when that is written down, or is in memory where the disk is in trouble.

        At 10,000 receipts in memory it waits until they are written down.
        """
        while self._contents.held_receipts >= MAX_HELD and not self._ended.is_set():
            await self._written_down.wait()
        if not self._ended.is_set():
            await self._on_thread(partial(self._contents.settle, destination, receipts))

    async def failed(self, destination: str, signal: Signal, message: str) -> None:
        """Keep what a destination said when it failed, for the ledger; where that cannot be written down, it is not kept."""
        if not self._ended.is_set():
            await self._on_thread(partial(self._contents.note_error, destination, signal, message))

    async def ledger(self) -> list[LedgerRow]:
        """Return the account of each signal at each destination, what was captured just now included."""
        return [] if self._ended.is_set() else await self._on_thread(self._contents.accounts)

    async def receipts(self, destination: str, from_sequence: int, limit: int) -> list[SettledBatch]:
        """Return what became of batches at a destination, from a number on; the last 100,000 are remembered."""
        if self._ended.is_set():
            return []
        return list(await self._on_thread(partial(self._contents.receipts, destination, from_sequence, limit)))

    async def ended(self) -> None:
        """Wait until nothing comes from it any more: it was emptied and removed, or the outbox is closed."""
        await self._ended.wait()

    async def work(self, *, is_held: bool = False) -> Reason | None:
        """Write down what is in memory unless it is held, seal what is in the journal, and return what is wrong with the disk."""
        number = self._contents.next_sequence
        trouble = await self._on_thread(partial(self._contents.work, is_held=is_held))
        if self._contents.next_sequence != number:
            news, self._news = self._news, asyncio.Event()
            news.set()
        if trouble is None:
            written_down, self._written_down = self._written_down, asyncio.Event()
            written_down.set()
        return trouble

    async def write_down(self) -> Reason | None:
        """Write down what is in memory, and return what is wrong with the disk."""
        return await self._on_thread(self._contents.write_down)

    async def shed(self, size_bytes: int) -> int:
        """Give up the oldest batches until so many bytes are free, and return how many are; 0 where nothing can be given up."""
        return await self._on_thread(partial(self._contents.shed, size_bytes))

    async def force(self) -> Reason | None:
        """Force the journal to disk, and return what is wrong with the disk."""
        return await self._on_thread(self._contents.force)

    async def oldest_ns(self) -> int | None:
        """Return when the oldest that waits in it was captured; None where nothing does."""
        return await self._on_thread(self._contents.oldest_ns)

    async def inherited(self) -> Sequence[LedgerRow]:
        """Return the accounts of boxes that were emptied and removed."""
        return await self._on_thread(self._contents.inherited)

    async def inherit(self, other: "Box") -> bool:
        """Keep the accounts of a box that is about to be removed, and tell whether that is done."""
        return await self._on_thread(partial(self._contents.inherit, other.outbox_id, await other.ledger()))

    async def close(self, *, is_removed: bool = False) -> None:
        """Close it; what is in it stays there, unless it is to be removed."""
        if self.end():
            await self._on_thread(partial(self._contents.close, is_removed=is_removed))

    def end(self) -> bool:
        """Give nothing out and take nothing in from now on; tell whether that is new."""
        is_new = not self._ended.is_set()
        for event in (self._ended, self._news, self._written_down):
            event.set()
        return is_new

    async def _read(self, destination: str, signal: Signal, after: int, max_batches: int) -> list[Batch]:
        if self._ended.is_set() or after >= self._contents.newest(signal):
            return []
        return await self._on_thread(partial(self._contents.read, destination, signal, after, max_batches))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
