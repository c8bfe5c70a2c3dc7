"""The port to what waits: batches in order, and a place for what became of them."""

from collections.abc import Sequence
from typing import Protocol

from ignis_server.telemetry.model import Batch, Receipt, Signal

__all__ = ["Pending"]


class Pending(Protocol):
    """What the outbox is to a shipper. Each destination sees all batches, whatever became of them elsewhere."""

    async def next(self, destination: str, signal: Signal, after: int, max_batches: int) -> list[Batch]:
        """Return the first batches with a sequence greater than `after` that have no receipt of this destination.

        Ordered by sequence, `max_batches` at most. Waits until there is something, about a second at most, and then returns an empty list.
        Cancelling changes nothing.
        """
        ...

    async def settled(self, destination: str, receipts: Sequence[Receipt]) -> None:
        """Keep receipts; what is settled is not returned by `next` again, not even after a crash. Returns once they are kept."""
        ...

    async def failed(self, destination: str, signal: Signal, message: str) -> None:
        """Note why a destination does not take a signal at the moment, for the ledger."""
        ...
