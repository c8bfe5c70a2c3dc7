"""An outbox in memory: the port that shippers use, exact enough to see every mistake they could make."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from ignis_server.telemetry.model import Batch, Receipt, Signal

__all__ = ["PendingInMemory"]

WAIT_SECONDS = 1.0


class PendingInMemory:
    """Keeps batches, receipts, and what went wrong, for as long as the test lasts."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = list(batches)
        self.receipts: dict[str, dict[int, Receipt]] = defaultdict(dict)
        self.taken = 0
        self.failures: list[tuple[str, Signal, str]] = []
        self._changed = asyncio.Condition()

    async def add(self, *batches: Batch) -> None:
        """Put batches behind those that are there."""
        async with self._changed:
            self.batches.extend(batches)
            self._changed.notify_all()

    async def next(self, destination: str, signal: Signal, after: int, max_batches: int) -> list[Batch]:
        """Return what waits."""
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._waiting(destination, signal, after))
        except TimeoutError:
            return []
        found = self._waiting(destination, signal, after)[:max_batches]
        self.taken += len(found)
        return found

    async def settled(self, destination: str, receipts: Sequence[Receipt]) -> None:
        """Keep receipts; a second one for the same batch is a mistake of the shipper's."""
        await asyncio.sleep(0)
        async with self._changed:
            for receipt in receipts:
                assert receipt.sequence not in self.receipts[destination], "settled twice"
                self.receipts[destination][receipt.sequence] = receipt
            self._changed.notify_all()

    async def failed(self, destination: str, signal: Signal, message: str) -> None:
        """Keep what went wrong."""
        await asyncio.sleep(0)
        async with self._changed:
            self.failures.append((destination, signal, message))
            self._changed.notify_all()

    async def until_settled(self, destination: str, count: int | None = None) -> list[Receipt]:
        """Wait until so many batches are settled, all if nothing is said; return the receipts by sequence."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.receipts[destination]) >= (count or len(self.batches)))
        return [self.receipts[destination][sequence] for sequence in sorted(self.receipts[destination])]

    async def until_failed(self, part: str) -> None:
        """Wait until something went wrong whose message has a part."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: any(part in message for _, _, message in self.failures))

    def messages(self) -> list[str]:
        """Return all that went wrong, in a sentence each."""
        return [message for _, _, message in self.failures]

    def _waiting(self, destination: str, signal: Signal, after: int) -> list[Batch]:
        done = self.receipts[destination]
        return [
            batch
            for batch in self.batches
            if batch.signal is signal and batch.sequence > after and batch.sequence not in done
        ]
