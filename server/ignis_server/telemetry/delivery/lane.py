"""One signal on its way to one destination: batches in order, a few of them under way at once, each until it is settled."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import structlog
from google.protobuf.message import DecodeError

from ignis_server.clock import Clock
from ignis_server.signals import BatchDelivered, DestinationChanged, Signals
from ignis_server.telemetry.delivery.pending import Pending
from ignis_server.telemetry.delivery.retry import Pace, PaceEnded, Sleep, backoff_seconds, unless
from ignis_server.telemetry.delivery.split import Part
from ignis_server.telemetry.delivery.suspicion import FAILURES_ALONE, Suspicion
from ignis_server.telemetry.delivery.transport import Accepted, Refused, Retry, TooLarge, Transport, tidied
from ignis_server.telemetry.model import Batch, Receipt, Signal

__all__ = ["Lane", "LaneLimits", "Surroundings", "Way"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# An outbox has what it has at once; it waits only for what is captured yet.
LAST_LOOK_SECONDS = 0.25
# What may be the fault of a single item, and is none of the credentials or of a limit on rates.
REASONS_TO_CUT = frozenset({"timeout", "unreachable", "unavailable"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Bounds of a lane.

    Attributes:
        concurrent_requests: So many batches are taken from the outbox and under way at once, and in memory; the others wait.
        max_request_bytes: Larger requests are cut in halves before they are sent.
    """

    concurrent_requests: int = 4
    max_request_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Way:
    """A destination, and how it is reached.

    Attributes:
        destination: Its name, by which the outbox keeps its receipts.
        transport: The way there. Whoever made it closes it, after all lanes have ended.
        limits: Bounds of each signal that goes there.
    """

    destination: str
    transport: Transport
    limits: LaneLimits = LaneLimits()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What delivery takes from outside.

    Attributes:
        clock: For pauses, and for the moment of a receipt.
        random: For jitter.
        signals: Told of what was delivered, and of every state that a destination gets into.
        sleep: How pauses are made.
    """

    clock: Clock
    random: Random
    signals: Signals
    sleep: Sleep = asyncio.sleep


@dataclass(slots=True)
class _Tally:
    """What became of the items of a batch so far."""

    delivered: int = 0
    rejected: int = 0
    message: str = ""

    def add(self, items: int, outcome: Accepted | Refused | TooLarge) -> None:
        """Count the items of a part."""
        match outcome:
            case Accepted(rejected_items, message):
                rejected = min(max(rejected_items, 0), items)
            case Refused(message):
                rejected = items
            case TooLarge(message):
                rejected, message = items, f"an item is too large: {message}"
        self.delivered += items - rejected
        self.rejected += rejected
        if rejected and not self.message:
            self.message = tidied(message)


@dataclass(frozen=True, slots=True)
class Halves:
    """What is sent instead of a part: its halves, or itself where it has none, and later than others where it is at fault."""

    parts: Sequence[Part]
    is_at_fault: bool = False


class Lane:
    """Delivers one signal to one destination.

    A batch is settled when every item of it was accepted or rejected for good by the destination, and not before. Whatever ends a lane
    before that, the batch is sent again as a whole by the next one: at least once, and once where nothing goes wrong.

    Sending begins in the order of the sequence. What is sent again may come behind what was captured later; receivers that care
    find the sequence in the batch.
    """

    def __init__(self, signal: Signal, way: Way, pending: Pending, surroundings: Surroundings) -> None:
        self._signal = signal
        self._destination = way.destination
        self._transport = way.transport
        self._limits = way.limits
        self._pending = pending
        self._clock = surroundings.clock
        self._random = surroundings.random
        self._signals = surroundings.signals
        self._pace = Pace(clock=self._clock, random=self._random, sleep=surroundings.sleep)
        self._ending = asyncio.Event()
        # Not known before the first answer, which is reported whatever it is.
        self._reason: str | None = None
        self._message = ""

    async def run(self) -> None:
        """Deliver until `end` is called and there is nothing left to deliver, or the destination is not well."""
        room = _Room(self._limits.concurrent_requests)
        after = 0
        async with asyncio.TaskGroup() as group:
            while True:
                await room.wait()
                # Who is told to end while waiting looks once more: what is to be delivered came just before.
                is_last_look = self._ending.is_set()
                batches = await self._next(after, room.places)
                if is_last_look and not (batches and self._pace.is_well):
                    return
                for batch in batches:
                    after = batch.sequence
                    room.places -= 1
                    delivery = group.create_task(self._deliver(batch), name=f"deliver-{self._destination}-{after}")
                    delivery.add_done_callback(room.leave)

    def end(self) -> None:
        """Deliver what there is while the destination takes it, and end `run` then."""
        self._ending.set()
        self._pace.end()

    async def _next(self, after: int, places: int) -> Sequence[Batch]:
        wanted = self._pending.next(self._destination, self._signal, after, places)
        if not self._ending.is_set():
            return await unless(self._ending, wanted) or ()
        try:
            async with asyncio.timeout(LAST_LOOK_SECONDS):
                return await wanted
        except TimeoutError:
            return ()

    async def _deliver(self, batch: Batch) -> None:
        """Send a batch until nothing of it is left, and settle it."""
        tally = _Tally()
        left = deque([Part.whole(batch)])
        try:
            while left:
                part = left.popleft()
                match await self._outcome(part, is_last=not left):
                    case Halves(halves, is_at_fault=False):
                        left.extendleft(reversed(halves))
                    case Halves(halves, is_at_fault=True):
                        # The others first: they are not to wait for what may never be taken.
                        left.extend(halves)
                    case Accepted() | Refused() | TooLarge() as outcome:
                        tally.add(part.items, outcome)
        except PaceEnded:
            # Nothing is settled: the next process sends it.
            return
        now = self._clock.now()
        received_ns = (now - EPOCH) // timedelta(microseconds=1) * 1_000
        receipt = Receipt(batch.sequence, self._signal, tally.delivered, tally.rejected, tally.message, received_ns)
        await self._pending.settled(self._destination, [receipt])
        lag_seconds = max(0, received_ns - batch.captured_ns) / 1e9
        self._signals.report(
            BatchDelivered(self._destination, self._signal, tally.delivered, tally.rejected, lag_seconds)
        )

    async def _outcome(self, part: Part, *, is_last: bool) -> Accepted | Refused | TooLarge | Halves:
        """Send a part for as long as it takes, unless it is to be sent otherwise."""
        request, headers = part.request(), part.headers()
        if len(request) > self._limits.max_request_bytes:
            return _halves(part) or TooLarge(
                f"{len(request)} bytes, where {self._limits.max_request_bytes} are allowed"
            )
        suspicion = Suspicion(self._pace.answers)
        while True:
            outcome = await self._pace.attempt(lambda: self._transport.send(self._signal, request, headers))
            if isinstance(outcome, TooLarge) and (halves := _halves(part)):
                return halves
            if not isinstance(outcome, Retry):
                await self._answered(outcome)
                return outcome
            is_alone = suspicion.failed(self._pace.answers)
            if suspicion.falls_on_request:
                await self._failed(outcome.message)
            else:
                await self._troubled(outcome.reason, outcome.message)
            if is_alone:
                if suspicion.alone == FAILURES_ALONE and outcome.reason in REASONS_TO_CUT:
                    halves = _halves(part)
                    if halves or not is_last:
                        return Halves(halves.parts if halves else (part,), is_at_fault=True)
                # It steps back for longer and longer, and lets the others pass.
                await self._pace.pause(backoff_seconds(suspicion.alone, self._random))

    async def _answered(self, outcome: Accepted | Refused | TooLarge) -> None:
        match outcome:
            case Accepted(rejected_items, message):
                if rejected_items:
                    await self._failed(message)
                self._changed("", message)
            case Refused(message) | TooLarge(message):
                await self._troubled("refused", message)

    async def _troubled(self, reason: str, message: str) -> None:
        self._changed(reason, message)
        await self._failed(message)

    async def _failed(self, message: str) -> None:
        message = tidied(message)
        if message != self._message:
            self._message = message
            await self._pending.failed(self._destination, self._signal, message)

    def _changed(self, reason: str, message: str) -> None:
        if reason == self._reason:
            return
        self._reason = reason
        self._signals.report(DestinationChanged(self._destination, self._signal, reason))
        if reason:
            log.warning(
                "destination.troubled",
                destination=self._destination,
                signal=self._signal,
                reason=reason,
                message=tidied(message),
            )
        else:
            log.info("destination.well", destination=self._destination, signal=self._signal)


class _Room:
    """Places for what is under way."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._left = asyncio.Event()

    async def wait(self) -> None:
        """Wait until there is a place."""
        while self.places <= 0:
            self._left.clear()
            await self._left.wait()

    def leave(self, _: object) -> None:
        """Give a place back."""
        self.places += 1
        self._left.set()


def _halves(part: Part) -> Halves | None:
    """Cut a part; None where it cannot be."""
    try:
        halves = part.halves()
    except DecodeError:
        # Not for us to mend: it is sent, or given up, as it is.
        return None
    return Halves(halves) if halves else None
