"""When to send again: exponential back-off with full jitter, never before the time that the destination asks for."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import TypeVar

from ignis_server.clock import Clock
from ignis_server.telemetry.delivery.transport import Retry, SendOutcome

__all__ = ["Pace", "PaceEnded", "Sleep", "backoff_seconds", "unless"]

T = TypeVar("T")
Sleep = Callable[[float], Coroutine[object, object, None]]

FIRST_SECONDS = 0.1
# A receiver that comes back is found within this, which is the time in which telemetry is to be delivered.
LONGEST_SECONDS = 5.0
# Whoever asks for more is asked again after ten minutes: a date that is mistaken by a century must not silence us for one.
LONGEST_ADVISED_SECONDS = 600.0
# 0.1 s doubled six times is more than 5 s.
DOUBLINGS = 6


class PaceEnded(Exception):
    """Sending ends, and the next try would have to wait."""


def backoff_seconds(failures: int, random: Random) -> float:
    """Return how long to wait after so many failures in a row: anything up to 0.1 s doubled each time, 5 s at most.

    With jitter over the whole range, replicas that failed together do not come back together.
    """
    return random.uniform(0.0, min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, DOUBLINGS)))


async def unless(interruption: asyncio.Event, wanted: Coroutine[object, object, T]) -> T | None:
    """Return what is wanted, or None where an interruption comes first; what was wanted is cancelled then."""
    task, interrupted = asyncio.ensure_future(wanted), asyncio.ensure_future(interruption.wait())
    try:
        await asyncio.wait((task, interrupted), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        interrupted.cancel()
        await asyncio.gather(task, interrupted, return_exceptions=True)


class Pace:
    """How fast one destination is sent one signal: all at once while it is well, one try at a time while it is not.

    Whose turn it is while it is not goes round, so that a request it will not take now holds up no other.
    """

    def __init__(self, *, clock: Clock, random: Random, sleep: Sleep) -> None:
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._ending = asyncio.Event()
        self._turn = asyncio.Lock()
        self._failures = 0
        self._outages = 0
        self._resume_at = clock.elapsed_seconds()
        self._answers = 0

    @property
    def answers(self) -> int:
        """How many requests were answered for good."""
        return self._answers

    @property
    def is_well(self) -> bool:
        """Whether the last try was answered for good, and no pause was asked for."""
        return self._failures == 0 and self._clock.elapsed_seconds() >= self._resume_at

    async def attempt(self, send: Callable[[], Awaitable[SendOutcome]]) -> SendOutcome:
        """Send when it may be sent.

        Raises:
            PaceEnded: `end` was called, and the destination is not well.
        """
        if not self.is_well:
            async with self._turn:
                while (seconds := self._resume_at - self._clock.elapsed_seconds()) > 0:
                    await self.pause(seconds)
                if not self.is_well:
                    return await self._tried(send)
        return await self._tried(send)

    async def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            PaceEnded: `end` was called.
        """
        await unless(self._ending, self._sleep(seconds))
        if self._ending.is_set():
            raise PaceEnded

    def end(self) -> None:
        """Wait no more: from now on whoever would have to raises PaceEnded."""
        self._ending.set()

    async def _tried(self, send: Callable[[], Awaitable[SendOutcome]]) -> SendOutcome:
        outages = self._outages
        outcome = await send()
        if isinstance(outcome, Retry):
            self._failed(outcome, is_news=outages == self._outages)
        else:
            self._failures = 0
            self._answers += 1
        return outcome

    def _failed(self, outcome: Retry, *, is_news: bool) -> None:
        # Requests that were under way together and fail together are one failure.
        if is_news:
            self._outages += 1
            self._failures += 1
        advised = min(outcome.after_seconds or 0.0, LONGEST_ADVISED_SECONDS)
        if is_news or advised:
            seconds = advised + backoff_seconds(max(1, self._failures), self._random)
            self._resume_at = max(self._resume_at, self._clock.elapsed_seconds() + seconds)
