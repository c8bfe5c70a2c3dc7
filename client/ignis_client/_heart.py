"""The heart of a claimed step: it keeps the lease alive, and notices when it is lost."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ignis_client._backoff import Backoff
from ignis_client.claims import Lease
from ignis_client.errors import IgnisError, LeaseLost, NotFound
from ignis_client.run import TokenUsage
from ignis_client.workflows import Workflows

__all__ = ["Heart", "cut"]

# Beats of a lease: two may get lost.
BEATS_PER_LEASE: Final = 3
# The server records no words that come within a second, or a sixth of the lease, of the last beat or the claim. The tenth on
# top is for beats whose ways take differently long.
WORDS_PAUSE_SECONDS: Final = 1.0
RECORDED_SHARE: Final = 6
WORDS_MARGIN_SECONDS: Final = 0.1
MAX_WORDS_CHARACTERS: Final = 512
LONGEST_CALL_SECONDS: Final = 10.0
SHORTEST_CALL_SECONDS: Final = 0.1


class Heart:
    """Beats for one attempt.

    Attributes:
        alive_until: When the lease is over by this process's clock, unless it is extended.
    """

    def __init__(  # noqa: PLR0913 - what it beats for, and how
        self,
        workflows: Workflows,
        lease: Lease,
        *,
        lease_seconds: float,
        is_repeated: bool,
        usage: Callable[[], TokenUsage | None],
        chance: Callable[[], float],
    ) -> None:
        """Make a heart whose lease has begun now.

        Args:
            workflows: Where it beats.
            lease: The lease.
            lease_seconds: How long it lasts without a beat.
            is_repeated: Whether the claim was sent more than once, so that the lease may have begun long ago: then
                the first beat is due at once.
            usage: Tells the tokens used so far.
            chance: As Backoff's.
        """
        now = asyncio.get_running_loop().time()
        self.alive_until = now + lease_seconds
        self._workflows = workflows
        self._lease = lease
        self._seconds = lease_seconds
        self._pause = lease_seconds / BEATS_PER_LEASE
        self._next = now if is_repeated else now + self._pause
        self._usage = usage
        self._backoff = Backoff(min(0.5, self._pause / 4), self._pause, chance)
        self._words = ""
        self._said = asyncio.Event()
        self._words_pause = min(WORDS_PAUSE_SECONDS, lease_seconds / RECORDED_SHARE) + WORDS_MARGIN_SECONDS
        self._words_after = now + self._words_pause

    def tell(self, words: str) -> None:
        """Send words on the progress with the next beat, which is brought forward for them."""
        self._words = cut(words, MAX_WORDS_CHARACTERS)
        self._said.set()

    async def beat(self) -> str:
        """Keep the lease alive for as long as that is possible, and then say in a word or two why it is not."""
        loop = asyncio.get_running_loop()
        while True:
            await self._turn()
            began, words = loop.time(), self._words
            self._words = ""
            self._said.clear()
            self._words_after = began + self._words_pause
            try:
                answer = await self._workflows.heartbeat_step(
                    self._lease, progress_message=words, usage=self._usage(), timeout=self._call_seconds(began)
                )
            except (LeaseLost, NotFound):
                return "lease lost"
            except IgnisError as error:
                if loop.time() >= self.alive_until:
                    return "lease ran out"
                self._words = self._words or words
                self._next = min(loop.time() + self._backoff.next_seconds(error.retry_after), self.alive_until)
            else:
                if answer.is_canceled:
                    return "run canceled"
                self._backoff.reset()
                self.alive_until = began + self._seconds
                self._next = began + self._pause

    async def _turn(self) -> None:
        """Wait until it is time to beat, or there are words to be sent."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._next):
                await self._said.wait()
                await asyncio.sleep(self._words_after - loop.time())

    def _call_seconds(self, now: float) -> float:
        return max(min(self._pause, self.alive_until - now, LONGEST_CALL_SECONDS), SHORTEST_CALL_SECONDS)


def cut(text: str, most: int) -> str:
    """Return what may be sent of a text: its beginning, without half characters, which UTF-8 cannot say."""
    whole = text.encode("utf-8", "replace").decode()
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
