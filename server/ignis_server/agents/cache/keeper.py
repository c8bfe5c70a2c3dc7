"""Proactive care of the cache: answers are ready before they are asked for, and live as long as they are used."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from ignis_server.agents.cache.cached_answers import CachedAnswers
from ignis_server.agents.cache.shared_store import SharedStore
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.live import LiveCatalog
from ignis_server.agents.snapshot import Snapshot
from ignis_server.clock import Clock
from ignis_server.signals import CacheWarmed, Signals

__all__ = ["CacheKeeper", "CareLimits"]

# Larger requests are not put on the list that replicas share.
MAX_NOTED_BYTES = 4_096
# Replicas that make the same answers ready at once take those of a batch in an order of their own, so that each computes
# some and finds the others.
BATCH = 16

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CareLimits:
    """Bounds of the care.

    Attributes:
        requests: So many requests are remembered as hot, by the process and by all replicas together.
        prepare_seconds: How long a new revision waits for its answers; those that are left are made ready afterwards.
        every_seconds: How often what is in use is looked after.
    """

    requests: int = 2_048
    prepare_seconds: float = 10.0
    every_seconds: float = 5.0


class CacheKeeper:
    """Warms a replica that starts, replays hot requests against a new revision, and keeps what is in use from expiring.

    Whatever it computes, it computes at half speed, so that callers are served meanwhile.
    """

    def __init__(
        self, cached: CachedAnswers, store: SharedStore, limits: CareLimits, *, clock: Clock, signals: Signals
    ) -> None:
        self._cached = cached
        self._store = store
        self._limits = limits
        self._clock = clock
        self._signals = signals
        self._left: list[LoadRequest] = []
        self._random = random.Random()  # noqa: S311 - an order, no secret

    async def warm(self, snapshot: Snapshot) -> None:
        """Bring to memory what all replicas were asked lately; nothing is computed."""
        began = self._clock.elapsed_seconds()
        requests = await self._noted()
        self._left = await self._cached.find(requests, snapshot)
        self._report("start", len(requests), began)

    async def prepare(self, now: Snapshot, successor: Snapshot) -> None:
        """Make the answers of a snapshot ready that will take the place of another, as many as there is time for."""
        began = self._clock.elapsed_seconds()
        hot = [hot.request for hot in self._cached.hot(now.catalog.revision) if hot.request.project.held is None]
        requests = list({request.digest: request for request in (*hot, *await self._noted())}.values())
        requests = requests[: self._limits.requests]
        missing = await self._cached.find(requests, successor)
        deadline = began + self._limits.prepare_seconds
        self._left = await self._computed(missing, successor, deadline)
        self._report("revision", len(requests), began)

    async def run(self, live: LiveCatalog) -> None:
        """Look after what is in use; never ends."""
        while True:
            await asyncio.sleep(self._limits.every_seconds)
            snapshot = live.snapshot
            revision = snapshot.catalog.revision
            await self._note(revision)
            await self._cached.refresh(revision, within=2 * self._limits.every_seconds)
            self._cached.forget_all_but(revision)
            left, self._left = self._left, []
            await self._computed(left, snapshot, self._clock.elapsed_seconds() + self._limits.prepare_seconds)

    async def _computed(
        self, requests: Sequence[LoadRequest], snapshot: Snapshot, deadline: float
    ) -> list[LoadRequest]:
        """Have answers computed until a deadline, and return the requests that are left."""
        done = 0
        for batch in _batches(requests):
            self._random.shuffle(batch)
            for request in batch:
                began = self._clock.elapsed_seconds()
                if began >= deadline:
                    return list(requests[done:])
                await self._cached.answer(request, snapshot)
                await asyncio.sleep(self._clock.elapsed_seconds() - began)
            done += len(batch)
        return []

    async def _note(self, revision: str) -> None:
        """Tell all replicas what was asked for here."""
        now = self._clock.now().timestamp()
        used = [hot for hot in self._cached.hot(revision) if hot.uses and hot.request.project.held is None]
        members = {hot.request.packed: now for hot in used if len(hot.request.packed) <= MAX_NOTED_BYTES}
        await self._store.note(members, keep=self._limits.requests)

    async def _noted(self) -> list[LoadRequest]:
        members = await self._store.noted(self._limits.requests)
        return [request for member in members if (request := LoadRequest.unpacked(member)) is not None]

    def _report(self, occasion: str, wanted: int, began: float) -> None:
        seconds = self._clock.elapsed_seconds() - began
        left = len(self._left)
        self._signals.report(CacheWarmed("start" if occasion == "start" else "revision", wanted - left, left, seconds))
        log.info("cache.warmed", occasion=occasion, ready=wanted - left, left=left, seconds=round(seconds, 3))


def _batches(requests: Sequence[LoadRequest]) -> Iterator[list[LoadRequest]]:
    for start in range(0, len(requests), BATCH):
        yield list(requests[start : start + BATCH])
