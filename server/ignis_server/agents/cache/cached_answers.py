"""The cache before the computation of answers: two levels, one computation per key."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ignis_server.agents.answers import Answer, Answered, Answers, Outcome, Refused
from ignis_server.agents.cache.answer_codec import decode_answer, encode_answer
from ignis_server.agents.cache.provenance import maker
from ignis_server.agents.cache.shared_store import SharedStore
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.catalog import is_pin
from ignis_server.agents.recently_used import RecentlyUsed
from ignis_server.agents.snapshot import Snapshot
from ignis_server.clock import Clock

__all__ = ["CacheLimits", "CachedAnswers", "HotAnswer"]

# A share of the time to live by which each one is longer or shorter, so that what came together does not go together.
JITTER = 0.1
# Larger answers stay in the process that computed them.
MAX_SHARED_BYTES = 4 << 20
# So many are put anew at a time; the others are not far behind.
MAX_REFRESHED = 256
FIRST_POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Bounds of a cache of answers.

    Attributes:
        memory_bytes: What the process keeps; what was not used for longest goes first.
        memory_seconds: How long the process keeps an answer, give or take a tenth.
        seconds: How long the store that replicas share does, likewise.
        refusal_seconds: How long an error is kept; shorter, as it is mostly asked for once.
        claim_seconds: How long one replica may take to compute an answer for which others wait; then they compute it too.
    """

    memory_bytes: int = 128 << 20
    memory_seconds: float = 300.0
    seconds: float = 3_600.0
    refusal_seconds: float = 60.0
    claim_seconds: float = 5.0


class AnswerKey(NamedTuple):
    """All that an answer depends on. Visibility and budget are part of the request's digest."""

    revision: str
    selector_version: str
    request: bytes

    @classmethod
    def of(cls, request: LoadRequest, snapshot: Snapshot) -> "AnswerKey":
        """Return the key of the answer that a snapshot gives to a request."""
        return cls(snapshot.catalog.revision, snapshot.selector_version, request.digest)

    def shared(self) -> str:
        """Return the key by which replicas of the same code share the answer."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (maker(), self.revision, self.selector_version):
            digest.update(f"{part}\0".encode())
        digest.update(self.request)
        return digest.hexdigest()


@dataclass(slots=True)
class HotAnswer:
    """An answer in memory.

    Attributes:
        request: What it answers.
        answer: The answer.
        expires_at: When memory forgets it.
        shared_until: When the shared store does, as far as this process knows.
        uses: How often it was found lately; halved every so often.
    """

    request: LoadRequest
    answer: Answer
    expires_at: float
    shared_until: float
    uses: int = 0


class CachedAnswers:
    """Finds answers in memory, then in the store that replicas share, and has the others computed.

    An answer follows from its key alone, so one that is found is as good as one that is computed: it can be gone, but not
    stale. However many callers ask for one at once, the process asks the store and computes once; where the store is well,
    so do all replicas together.
    """

    def __init__(self, computed: Answers, store: SharedStore, limits: CacheLimits, clock: Clock) -> None:
        self._computed = computed
        self._store = store
        self._limits = limits
        self._clock = clock
        self._memory: RecentlyUsed[AnswerKey, HotAnswer] = RecentlyUsed(max_bytes=limits.memory_bytes)
        self._flights: dict[AnswerKey, asyncio.Task[tuple[Answer, Outcome]]] = {}
        self._random = random.Random()  # noqa: S311 - spreads expiry, protects nothing

    @property
    def memory_bytes(self) -> int:
        """What is kept in memory."""
        return self._memory.size_bytes

    async def answer(self, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        """Return the answer of a request, and where it was found."""
        key = AnswerKey(snapshot.catalog.revision, snapshot.selector_version, request.digest)
        hot = self._memory.get(key)
        if hot is not None and hot.expires_at > self._clock.elapsed_seconds():
            hot.uses += 1
            return hot.answer, Outcome.PROCESS_HIT
        flight = self._flights.get(key)
        if flight is not None:
            answer, outcome = await asyncio.shield(flight)
            return answer, Outcome.COALESCED if outcome is Outcome.COMPUTED else outcome
        # A task of its own: a caller that gives up does not take the answer from those who wait for the same.
        flight = self._flights[key] = asyncio.create_task(self._found_or_computed(key, request, snapshot))
        flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def hot(self, revision: str) -> list[HotAnswer]:
        """Return what memory holds of a revision, the most used first and of equals the newest."""
        held = [hot for key, hot in self._memory if key.revision == revision]
        held.reverse()
        return sorted(held, key=lambda hot: -hot.uses)

    async def find(self, requests: Sequence[LoadRequest], snapshot: Snapshot) -> list[LoadRequest]:
        """Bring to memory what the shared store has of some requests, and return those that it has no answer for."""
        wanted = {AnswerKey.of(request, snapshot): request for request in requests}
        wanted = {key: request for key, request in wanted.items() if self._memory.get(key) is None}
        names = {key: key.shared() for key in wanted}
        found = await self._store.get(list(names.values()))
        missing = []
        for key, request in wanted.items():
            answer = _decoded(found.get(names[key]))
            if answer is None:
                missing.append(request)
            else:
                self._keep(key, request, answer)
        return missing

    async def refresh(self, revision: str, *, within: float) -> None:
        """Let what is in use live on that would expire within so many seconds, in memory and in the shared store.

        Nothing is computed anew: an answer cannot become stale.
        """
        now = self._clock.elapsed_seconds()
        fading: dict[str, bytes] = {}
        for key, hot in self._memory:
            if key.revision != revision or not hot.uses:
                continue
            if hot.expires_at <= now + within:
                hot.expires_at = now + self._jittered(self._memory_seconds(hot.answer))
            if hot.shared_until <= now + within and len(fading) < MAX_REFRESHED:
                value = encode_answer(hot.answer)
                if len(value) <= MAX_SHARED_BYTES:
                    fading[key.shared()] = value
                hot.shared_until = now + self._shared_seconds(hot.answer)
            hot.uses //= 2
        if fading:
            await self._store.put(fading, seconds=self._limits.seconds)

    def forget_all_but(self, revision: str) -> None:
        """Drop the answers of other revisions, which nobody will ask for."""
        for key, _ in self._memory:
            if key.revision != revision:
                self._memory.drop(key)

    async def aclose(self) -> None:
        """End what is still being computed: its callers have gone."""
        flights = tuple(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _landed(self, key: AnswerKey, flight: asyncio.Task[tuple[Answer, Outcome]]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            # What went wrong is told to whoever waits; if nobody does, nobody needs to hear.
            flight.exception()

    async def _found_or_computed(
        self, key: AnswerKey, request: LoadRequest, snapshot: Snapshot
    ) -> tuple[Answer, Outcome]:
        name = key.shared()
        found = await self._store.get([name])
        answer, outcome = _decoded(found.get(name)), Outcome.SHARED_HIT
        if answer is None:
            answer, outcome = await self._claimed(name, request, snapshot)
        self._keep(key, request, answer, is_new=outcome is Outcome.COMPUTED)
        return answer, outcome

    async def _claimed(self, name: str, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        """Compute an answer, unless another replica does: then wait for it, for as long as its claim holds."""
        deadline = self._clock.elapsed_seconds() + self._limits.claim_seconds
        pause = FIRST_POLL_SECONDS
        while True:
            is_granted, value = await self._store.claim(name, seconds=self._limits.claim_seconds)
            answer = _decoded(value)
            if answer is not None:
                return answer, Outcome.COALESCED
            if is_granted or self._clock.elapsed_seconds() >= deadline:
                return await self._compute(name, request, snapshot)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL_SECONDS)

    async def _compute(self, name: str, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        try:
            answer, outcome = await self._computed.answer(request, snapshot)
        except BaseException:
            await self._store.give_up(name)
            raise
        value = encode_answer(answer)
        if _follows_from_its_key(request, answer) and len(value) <= MAX_SHARED_BYTES:
            await self._store.fulfil(name, value, seconds=self._jittered(self._shared_seconds(answer)))
        else:
            await self._store.give_up(name)
        return answer, outcome

    def _keep(self, key: AnswerKey, request: LoadRequest, answer: Answer, *, is_new: bool = False) -> None:
        if not _follows_from_its_key(request, answer):
            return
        now = self._clock.elapsed_seconds()
        size = len(request.packed) + (len(answer.body) if isinstance(answer, Answered) else 0)
        expires_at = now + self._jittered(self._memory_seconds(answer))
        # How long the store has kept what was found there, nobody knows.
        shared_until = now + self._shared_seconds(answer) * ((1 - JITTER) if is_new else 0.5)
        self._memory.put(key, HotAnswer(request, answer, expires_at, shared_until), size=size)

    def _memory_seconds(self, answer: Answer) -> float:
        return self._limits.refusal_seconds if isinstance(answer, Refused) else self._limits.memory_seconds

    def _shared_seconds(self, answer: Answer) -> float:
        return self._limits.refusal_seconds if isinstance(answer, Refused) else self._limits.seconds

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(1 - JITTER, 1 + JITTER)


def _decoded(value: bytes | None) -> Answer | None:
    return None if value is None else decode_answer(value)


def _follows_from_its_key(request: LoadRequest, answer: Answer) -> bool:
    """Tell whether others would get the same: which past versions can be pinned differs between replicas."""
    return isinstance(answer, Answered) or not any(map(is_pin, request.project.required_agents))
