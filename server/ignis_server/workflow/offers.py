"""Offers of workers: the journal is asked once for all who make the same one at the same time."""

import asyncio
import time
from collections import OrderedDict, deque
from datetime import timedelta
from typing import Final, NamedTuple

from ignis_server.errors import StoreUnavailable
from ignis_server.workflow.journal import ClaimableStep, Journal, Offer

__all__ = ["Offers"]

# Long enough to claim what is offered, and short for whoever comes next where the offer is dropped.
OFFER_HELD: Final = timedelta(seconds=5)
# Steps that are asked for at once.
MAX_AT_ONCE: Final = 32
# Different offers of which it is remembered that there was nothing for them.
MAX_KNOWN: Final = 1_024


class _Asking(NamedTuple):
    """Somebody who waits for the journal's answer."""

    since: float
    found: asyncio.Future[ClaimableStep | None]


class Offers:
    """Finds steps for workers, a different one for each.

    A thousand workers that hear the same bell would each ask the journal; here the first who asks learns whether the others need
    to. Many that find something at the same time share the looking.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._asking: dict[Offer, deque[_Asking]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # When it was last found, by `time.monotonic`, that there is nothing for an offer.
        self._nothing: OrderedDict[Offer, float] = OrderedDict()

    async def step_for(self, offer: Offer, since: float) -> ClaimableStep | None:
        """Return a step that nobody else is offered; None where none has been found since a moment, by `time.monotonic`.

        Raises:
            StoreUnavailable: The journal cannot be asked.
        """
        if self._nothing.get(offer, 0.0) >= since:
            return None
        found: asyncio.Future[ClaimableStep | None] = asyncio.get_running_loop().create_future()
        asking = self._asking.get(offer)
        if asking is None:
            self._asking[offer] = deque([_Asking(since, found)])
            task = asyncio.create_task(self._answer(offer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            asking.append(_Asking(since, found))
        return await found

    async def _answer(self, offer: Offer) -> None:
        """Answer all who make an offer, until nobody asks."""
        asking = self._asking[offer]
        try:
            while asking:
                await self._answer_some(offer, [asking.popleft() for _ in range(min(len(asking), MAX_AT_ONCE))])
        finally:
            del self._asking[offer]

    async def _answer_some(self, offer: Offer, asking: list[_Asking]) -> None:
        waiting = deque(each for each in asking if not each.found.done())
        if all(self._nothing.get(offer, 0.0) >= each.since for each in waiting):
            _tell_nothing(waiting)
            return
        looked_at = time.monotonic()
        try:
            steps = await self._journal.offered(offer, limit=len(waiting), hold=OFFER_HELD)
        except StoreUnavailable as error:
            for each in waiting:
                if not each.found.done():
                    each.found.set_exception(error)
            return
        for step in steps:
            # Who has gone meanwhile leaves the step to another, or to the end of its hold.
            while waiting and waiting[0].found.done():
                waiting.popleft()
            if waiting:
                waiting.popleft().found.set_result(step)
        if waiting:
            self._nothing[offer] = looked_at
            self._nothing.move_to_end(offer)
            if len(self._nothing) > MAX_KNOWN:
                self._nothing.popitem(last=False)
            _tell_nothing(waiting)


def _tell_nothing(asking: deque[_Asking]) -> None:
    for each in asking:
        if not each.found.done():
            each.found.set_result(None)
