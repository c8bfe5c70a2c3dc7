"""A shipper between an outbox in memory and a receiver, on a clock that pauses turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from ignis_server.signals import BatchDelivered, DestinationChanged
from ignis_server.telemetry.delivery.destination import Destination
from ignis_server.telemetry.delivery.lane import LaneLimits, Surroundings, Way
from ignis_server.telemetry.delivery.shipper import Shipper
from ignis_server.telemetry.delivery.shipping import transport_of
from ignis_server.telemetry.model import Receipt
from support.fakes import HandClock, RecordedSignals
from support.pending import PendingInMemory

__all__ = ["World", "delivering", "shipped"]


@dataclass(slots=True)
class World:
    """A clock that a pause turns on, randomness that repeats itself, and signals that are kept."""

    clock: HandClock = field(default_factory=HandClock)
    signals: RecordedSignals = field(default_factory=RecordedSignals)
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - jitter, and the same each time
    slept: list[float] = field(default_factory=list)

    @property
    def surroundings(self) -> Surroundings:
        """What a shipper takes of it."""
        return Surroundings(self.clock, self.random, self.signals, self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.clock.turn(seconds)
        # Long enough for others, and for the network, to have their turn.
        await asyncio.sleep(0.001)

    def reasons(self, destination: str = "d") -> list[str]:
        """Return the states that a destination got into, one after the other."""
        return [
            each.reason
            for each in self.signals.reported
            if isinstance(each, DestinationChanged) and each.destination == destination
        ]

    def delivered(self) -> list[BatchDelivered]:
        """Return what was reported of batches."""
        return [each for each in self.signals.reported if isinstance(each, BatchDelivered)]


@asynccontextmanager
async def delivering(destination: Destination, pending: PendingInMemory, world: World) -> AsyncIterator[Shipper]:
    """Deliver until the block ends."""
    transport = transport_of(destination, world.clock)
    limits = LaneLimits(destination.concurrent_requests, destination.max_request_bytes)
    way = Way(destination.name, transport, limits)
    shipper = Shipper(way, pending, world.surroundings, carried=tuple(destination.routes))
    task = asyncio.create_task(shipper.run())
    try:
        yield shipper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.aclose()


async def shipped(destination: Destination, pending: PendingInMemory, world: World) -> list[Receipt]:
    """Deliver all that waits, and return the receipts."""
    signals = set(destination.routes)
    count = sum(batch.signal in signals for batch in pending.batches)
    async with delivering(destination, pending, world):
        return await pending.until_settled(destination.name, count)
