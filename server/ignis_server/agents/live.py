"""The snapshot that is served, and how it gives way to the next."""

import asyncio
from dataclasses import replace
from datetime import datetime

from ignis_server.agents.history import History
from ignis_server.agents.snapshot import Snapshot
from ignis_server.clock import Clock

__all__ = ["LiveCatalog"]


class LiveCatalog:
    """Hands out the snapshot of the moment. A call takes it once and keeps to it, whatever comes after.

    Belongs to one event loop: swapping is one assignment there, so no call ever sees half of it.
    """

    def __init__(self, snapshot: Snapshot, clock: Clock, history: History) -> None:
        """Serve a snapshot that has a history: an empty one, or what is known from before this process."""
        self._snapshot = replace(snapshot, history=history)
        self._clock = clock
        self._since = clock.now()
        self._replaced = asyncio.Event()

    @property
    def snapshot(self) -> Snapshot:
        """What is served now."""
        return self._snapshot

    @property
    def since(self) -> datetime:
        """When it went live."""
        return self._since

    def successor(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with the history that it has if it is served next."""
        history = self._snapshot.history.followed_by(self._snapshot.catalog, snapshot.catalog)
        return replace(snapshot, history=history)

    def replace(self, snapshot: Snapshot) -> None:
        """Serve a successor from now on, and wake who waits for it."""
        self._snapshot = snapshot
        self._since = self._clock.now()
        self._replaced.set()
        self._replaced = asyncio.Event()

    @property
    def replaced(self) -> asyncio.Event:
        """What is set when the present snapshot gives way to another."""
        return self._replaced
