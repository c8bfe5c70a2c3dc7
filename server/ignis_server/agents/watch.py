"""The use case of watching: each revision as it goes live, and a sign of life between them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from ignis_server.agents.history import CatalogStep
from ignis_server.agents.live import LiveCatalog
from ignis_server.errors import ShuttingDown

__all__ = ["CatalogEvent", "CatalogHeartbeat", "CatalogReplaced", "CatalogWatch"]

HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class CatalogReplaced:
    """The watch begins, or another revision went live."""

    step: CatalogStep
    time: datetime


@dataclass(frozen=True, slots=True)
class CatalogHeartbeat:
    """Nothing happened."""

    revision: str


CatalogEvent = CatalogReplaced | CatalogHeartbeat


class CatalogWatch:
    """Tells watchers of revisions.

    Nothing is queued for a watcher: one that is slow is told of all that happened meanwhile in one step.
    """

    def __init__(self, live: LiveCatalog, closing: asyncio.Event) -> None:
        self._live = live
        self._closing = closing

    async def events(self, known_revision: str) -> AsyncIterator[CatalogEvent]:
        """Yield what leads from a known revision to the present one, and then each that follows.

        Args:
            known_revision: What the watcher knows; empty for nothing, which gives all agents first.

        Raises:
            RevisionTooOld: The revision is not remembered.
            ShuttingDown: The server ends.
        """
        known = known_revision
        while True:
            if self._closing.is_set():
                raise ShuttingDown
            snapshot, replaced = self._live.snapshot, self._live.replaced
            if snapshot.catalog.revision != known:
                yield CatalogReplaced(snapshot.history.step(known, snapshot.catalog), self._live.since)
                known = snapshot.catalog.revision
            elif not await self._any_of(replaced, self._closing):
                yield CatalogHeartbeat(known)

    async def _any_of(self, *events: asyncio.Event) -> bool:
        """Wait until one of some events is set; False where none is for the time of a heartbeat."""
        waiting = [asyncio.create_task(event.wait(), name="catalog-watch") for event in events]
        try:
            done, _ = await asyncio.wait(waiting, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for task in waiting:
                task.cancel()
