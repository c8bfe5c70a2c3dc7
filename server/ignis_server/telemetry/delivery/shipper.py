"""A shipper: all that goes to one destination, each signal by itself."""

import asyncio
from collections.abc import Collection

from ignis_server.background import background
from ignis_server.telemetry.delivery.lane import Lane, Surroundings, Way
from ignis_server.telemetry.delivery.pending import Pending
from ignis_server.telemetry.model import Signal

__all__ = ["Shipper"]


class Shipper:
    """Delivers what an outbox holds to one destination.

    Signals do not wait for each other, nor do shippers of several destinations: they share nothing but the outbox.
    """

    def __init__(
        self, way: Way, pending: Pending, surroundings: Surroundings, *, carried: Collection[Signal] = tuple(Signal)
    ) -> None:
        """Make a shipper; it begins with `run`.

        Args:
            way: The destination, and how it is reached.
            pending: The outbox.
            surroundings: Clock, randomness, signals.
            carried: The signals that go there.
        """
        self._destination = way.destination
        self._signals = surroundings.signals
        self._lanes = {signal: Lane(signal, way, pending, surroundings) for signal in carried}
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Deliver until `aclose`; a signal whose delivery fails unforeseen begins anew by itself, five seconds later.

        May be cancelled at any moment: what was not settled by then is sent again by the next shipper.
        """
        self._idle.clear()
        try:
            async with background(self._signals) as beside:
                for signal, lane in self._lanes.items():
                    beside.start(f"ship-{self._destination}-{signal}", lane.run)
                await beside.wait()
        finally:
            self._idle.set()

    async def aclose(self, *, seconds: float) -> bool:
        """Deliver what there is and let `run` end: when nothing is left, when the destination does not take it, or after so long.

        Returns:
            Whether it ended in time; where it did not, `run` goes on until it is cancelled.
        """
        for lane in self._lanes.values():
            lane.end()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
