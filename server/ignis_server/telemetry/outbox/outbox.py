"""The outbox: takes in what is captured, commits it, makes batches of it, and keeps them until every destination has them.

See docs/decisions/0010-outbox.md for what is guaranteed and what is not.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeVar
from uuid import uuid4

import structlog

from ignis_server.clock import Clock
from ignis_server.signals import OutboxChanged, OutboxMeasured, Signals
from ignis_server.telemetry.model import Batch, LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.admission import Admission
from ignis_server.telemetry.outbox.batch_store import Loss, SettledBatch
from ignis_server.telemetry.outbox.box import WAIT_SECONDS, Box
from ignis_server.telemetry.outbox.contents import Contents, Means
from ignis_server.telemetry.outbox.frames import KIND_OF, MAX_DATA_BYTES
from ignis_server.telemetry.outbox.journal import Captured, Journal
from ignis_server.telemetry.outbox.losses import report_losses
from ignis_server.telemetry.outbox.opening import open_orphans, open_slot
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.sealing import Step, no_step
from ignis_server.telemetry.outbox.settings import Durability, OutboxSettings
from ignis_server.telemetry.outbox.trouble import DiskTrouble, JournalUnwritable, Reason
from ignis_server.telemetry.outbox.waiting_room import WaitingRoom

__all__ = ["Outbox", "new_outbox_id"]

T = TypeVar("T")

# Slots of dead processes that are emptied at a time; each has a database open.
MAX_ADOPTED: Final = 4
# Of the thread that seals. At 10 it still gets a tenth of a core that calls would fill, and needs less than half of that.
NICENESS: Final = 10
# How often a disk in trouble is tried, and how often the outbox is measured.
RETRY_SECONDS: Final = 1.0
MEASURE_SECONDS: Final = 1.0

log = structlog.get_logger()


def new_outbox_id() -> str:
    """Return an id that is unique in the world."""
    return uuid4().hex


class Outbox:
    """Takes in telemetry at once, and gives it out in batches.

    It is the box of this process, for whoever ships it, and it takes over boxes of processes that died. Those are shipped under
    their own ids and numbers, so each wants shippers of its own: `adopted` hands them out.
    """

    def __init__(
        self,
        settings: OutboxSettings,
        origin: Origin,
        *,
        clock: Clock,
        signals: Signals,
        step: Step = no_step,
    ) -> None:
        """Prepare it; nothing is on disk before it is opened.

        Args:
            settings: Where it is, and its bounds.
            origin: Who captures.
            clock: Tells when something is captured, and what is due.
            signals: Told of trouble, of what is lost, and of its size.
            step: Told each step of sealing.
        """
        self._settings = settings
        self._clock = clock
        self._now_ns = clock.now_ns
        self._signals = signals
        self._means = Means(
            origin,
            settings.destinations,
            is_forced=settings.fsync_seconds is not None,
            new_id=new_outbox_id,
            signals=signals,
            step=step,
        )
        self._thread = ThreadPoolExecutor(1, "outbox", initializer=_step_back)
        self._room = WaitingRoom(min(settings.memory_bytes, settings.max_bytes))
        # Where what is captured is appended at once; None where it goes to the waiting room first.
        self._journal: Journal | None = None
        self._own: Box | None = None
        self._adopted: list[Box] = []
        # Slots that were opened, and are no boxes yet.
        self._found: list[Contents] = []
        self._handed_out: asyncio.Queue[Box | None] = asyncio.Queue()
        self._trouble: Reason | None = None
        self._is_told = False
        self._admission = Admission(settings)
        self.has_room = True
        self._is_closed = False
        self._opened = asyncio.Event()
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._is_woken = False

    @property
    def outbox_id(self) -> str:
        """The id under which this process numbers its batches; empty until the disk has let it open."""
        return self._own.outbox_id if self._own else ""

    @property
    def size_bytes(self) -> int:
        """Bytes that wait: in memory, in journals, in batches, of this process and of those that it has taken over."""
        return self._room.size_bytes + sum(box.size_bytes for box in self.boxes)

    @property
    def max_bytes(self) -> int:
        """Its bound."""
        return self._settings.max_bytes

    @property
    def boxes(self) -> Sequence[Box]:
        """The box of this process, once it is open, and those that it has taken over."""
        return (*([self._own] if self._own else ()), *self._adopted)

    def capture(self, signal: Signal, items: int, data: bytes) -> None:
        """Take in items. From any thread; where durability is "strict", they survive the end of the process from then on.

        Never raises and never waits for anything but a write to the system's cache. While the disk is in trouble, items are kept
        in memory, as far as there is room.

        Args:
            signal: What they are.
            items: How many spans, metric points or log records.
            data: The items, encoded as field 2 of an OTLP ScopeSpans, ScopeMetrics or ScopeLogs. At most 16 MiB; more is given
                up and counted as lost.
        """
        captured_ns = self._now_ns()
        if len(data) > MAX_DATA_BYTES:
            report_losses([Loss(signal, items, len(data))], "too-large", self._signals)
            return
        journal = self._journal
        if journal is not None:
            try:
                is_due = journal.append(KIND_OF[signal], items, captured_ns, data)
            except JournalUnwritable:
                # What is wrong is found out, and told, when the waiting room is to be emptied.
                self._journal = None
                self._keep(signal, items, captured_ns, data)
                is_due = True
        else:
            is_due = self._keep(signal, items, captured_ns, data)
        if is_due and not self._is_woken:
            self._wake_up()

    def admit(self) -> Awaitable[None] | None:
        """Ask whether a call may begin, whose telemetry will want room.

        Returns:
            None where it may; where policy is "block" and there is no room, something to wait for.

        Raises:
            OutboxFull: There is no room and policy is "refuse"; or policy is "block" and there was none for `block_seconds`.
        """
        return self._admission.admit()

    async def next(self, destination: str, signal: Signal, after: int, max_batches: int) -> list[Batch]:
        """Return the next batches of this process that a destination has not settled; see `Box.next`."""
        if not self._own:
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._opened.wait()
        return await self._own.next(destination, signal, after, max_batches) if self._own else []

    async def waiting(self, destination: str, signal: Signal, limit: int, *, after: int = 0) -> list[Batch]:
        """Return what `next` would, without waiting for it."""
        return await self._own.waiting(destination, signal, limit, after=after) if self._own else []

    async def settled(self, destination: str, receipts: Sequence[Receipt]) -> None:
        """Keep what became of batches of this process; see `Box.settled`."""
        if self._own:
            await self._own.settled(destination, receipts)

    async def failed(self, destination: str, signal: Signal, message: str) -> None:
        """Keep what a destination said when it failed, for the ledger."""
        if self._own:
            await self._own.failed(destination, signal, message)

    async def receipts(self, destination: str, from_sequence: int, limit: int) -> list[SettledBatch]:
        """Return what became of batches of this process at a destination; see `Box.receipts`."""
        return await self._own.receipts(destination, from_sequence, limit) if self._own else []

    async def ledger(self) -> list[LedgerRow]:
        """Return the account of each signal at each destination: of this process, and of those that it has taken over."""
        if not self._own or self._is_closed:
            return []
        rows = {(row.destination, row.signal): row for row in await self._own.ledger()}
        others = [row for box in self._adopted for row in await box.ledger()]
        for row in (*others, *await self._own.inherited()):
            lane = row.destination, row.signal
            if lane in rows:
                rows[lane] = _sum(rows[lane], row)
        return list(rows.values())

    async def adopted(self) -> AsyncIterator[Box]:
        """Return each box as it is taken over, until the outbox is closed; one caller at a time.

        Whoever takes a box runs shippers for it until it has `ended`.
        """
        while box := await self._handed_out.get():
            yield box

    async def run(self) -> None:
        """Commit, seal, keep the bound and take over what others left, for as long as it is not cancelled."""
        self._loop = asyncio.get_running_loop()
        settings, clock = self._settings, self._clock
        sealed = measured = adopted = forced = clock.elapsed_seconds()
        await self.commit()
        while True:
            is_woken = await self._pause()
            now = clock.elapsed_seconds()
            if is_woken or now - sealed >= settings.seal_seconds:
                sealed = now
                await self.commit()
            elif self._room.size_bytes and not self._trouble:
                await self._write_down()
            if settings.fsync_seconds is not None and now - forced >= settings.fsync_seconds:
                forced = now
                await self._force()
            if now - measured >= MEASURE_SECONDS:
                measured = now
                await self._measure()
            if now - adopted >= settings.adopt_seconds:
                adopted = now
                await self.adopt()

    async def commit(self) -> None:
        """Write down, seal and make room now, and not when it is time for it.

        Opens the outbox, too, where it is not open yet. Nothing that is wrong with the disk is raised; it is told as a signal.
        """
        async with self._turn:
            if not self._is_closed:
                await self._commit()

    async def adopt(self) -> None:
        """Take over slots that hold something and that nobody holds, at most four at a time.

        One that would pass the bound is left alone, as nobody is served by giving it up, unless it alone would.
        """
        async with self._turn:
            if self._is_closed or not self._own:
                return
            await self._on_thread(self._open_orphans)
            while self._found:
                box = Box(self._found.pop(0), self._thread)
                log.info("outbox.adopted", outbox_id=box.outbox_id, size_bytes=box.size_bytes)
                self._adopted.append(box)
                self._handed_out.put_nowait(box)

    async def aclose(self) -> None:
        """Commit and seal what is there, and close; returns after `close_seconds` at most.

        What is not sealed by then is in the journal. What a disk in trouble has not let out of memory is lost, and counted.
        """
        if self._is_closed:
            return
        self._journal = None
        try:
            async with asyncio.timeout(self._settings.close_seconds), self._turn:
                await self._commit(is_last=True)
                for box in self.boxes:
                    await box.close()
                await self._on_thread(self._close_found)
        except TimeoutError:
            log.error("outbox.closed_too_late", seconds=self._settings.close_seconds)  # noqa: TRY400 - no more to say
        self._is_closed = True
        for box in self.boxes:
            box.end()
        self._handed_out.put_nowait(None)
        self.has_room = self._admission.note(has_room=True)
        self._thread.shutdown(wait=False)
        left = self._room.waiting().items.items()
        report_losses([Loss(signal, items, 0) for signal, items in left if items], "closed", self._signals)

    def _keep(self, signal: Signal, items: int, captured_ns: int, data: bytes) -> bool:
        """Keep items in memory, and tell whether there is reason to write them down."""
        if self._is_closed:
            report_losses([Loss(signal, items, len(data))], "closed", self._signals)
            return False
        return self._room.add(Captured(KIND_OF[signal], items, captured_ns, data))

    async def _commit(self, *, is_last: bool = False) -> None:
        trouble = await self._open() if self._own is None else None
        if self._own:
            # What cannot be sealed cannot be shed either: beyond the bound it stays in memory.
            trouble = await self._own.work(is_held=self._trouble is not None and self.size_bytes >= self.max_bytes)
            for box in tuple(self._adopted):
                await box.work()
                await self._let_go(box, self._own)
        self._report_shed()
        if not is_last:
            await self._keep_bound()
        self._tell(trouble)

    def _report_shed(self) -> None:
        untold = self._room.take_untold().items()
        report_losses([Loss(signal, items, 0) for signal, items in untold], "shed", self._signals)

    async def _open(self) -> Reason | None:
        try:
            await self._on_thread(self._open_slot)
        except DiskTrouble as trouble:
            return trouble.reason
        self._own = Box(self._found.pop(), self._thread)
        self._opened.set()
        log.info("outbox.opened", outbox_id=self._own.outbox_id, size_bytes=self._own.size_bytes)
        return None

    async def _let_go(self, box: Box, own: Box) -> None:
        """Remove a box that was taken over and is empty, once its accounts are kept."""
        if box.is_empty and await own.inherit(box):
            self._adopted.remove(box)
            await box.close(is_removed=True)
            log.info("outbox.adopted_emptied", outbox_id=box.outbox_id)

    async def _keep_bound(self) -> None:
        size = self.size_bytes
        if size > self.max_bytes:
            # A little more than is needed, so that it is not done for each batch.
            excess = size - (self.max_bytes - self.max_bytes // 64)
            # What others left is older than what this process has.
            for box in (*self._adopted, *([self._own] if self._own else ())):
                if excess > 0:
                    excess -= await box.shed(excess)
        size = self.size_bytes
        is_strict = self._settings.durability is Durability.STRICT
        self._journal = self._own.writable_journal if self._own and is_strict else None
        self.has_room = self._admission.note(
            has_room=size < self._settings.admitted_bytes and self._room.size_bytes < self._room.max_bytes // 2
        )

    def _tell(self, trouble: Reason | None) -> None:
        if trouble == self._trouble and self._is_told:
            return
        self._trouble = trouble
        self._is_told = True
        if trouble:
            log.error("outbox.troubled", reason=trouble, root=str(self._settings.root))
        else:
            log.info("outbox.well", root=str(self._settings.root))
        self._signals.report(OutboxChanged(trouble or ""))

    async def _write_down(self) -> None:
        async with self._turn:
            if self._own and not self._is_closed:
                self._tell(await self._own.write_down())

    async def _force(self) -> None:
        if self._own and (trouble := await self._own.force()):
            log.error("outbox.not_forced", reason=trouble)

    async def _measure(self) -> None:
        oldest = [ns for box in self.boxes if (ns := await box.oldest_ns()) is not None]
        # The date may have been set back since.
        age_ns = max(0, self._now_ns() - min(oldest)) if oldest else 0
        self._signals.report(OutboxMeasured(self.size_bytes, self.max_bytes, age_ns / 1e9))

    async def _pause(self) -> bool:
        """Wait until something is due, and tell whether somebody said so."""
        settings = self._settings
        seconds = [settings.seal_seconds]
        if settings.durability is Durability.BATCHED:
            seconds.append(settings.commit_seconds)
        if settings.fsync_seconds is not None:
            seconds.append(settings.fsync_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS if self._trouble else min(seconds)):
                await self._woken.wait()
        is_woken = self._woken.is_set()
        self._woken.clear()
        # While the disk is in trouble nobody needs to say so.
        self._is_woken = self._trouble is not None
        return is_woken

    def _wake_up(self) -> None:
        self._is_woken = True
        if self._loop:
            with suppress(RuntimeError):
                # The loop may be closed by now.
                self._loop.call_soon_threadsafe(self._woken.set)

    # What follows runs on the thread, and to its end even where nobody waits for it any more: what is found is found.

    def _open_slot(self) -> None:
        if not self._found:
            self._found.append(open_slot(self._settings.root, self._means, self._room))

    def _open_orphans(self) -> None:
        self._found += open_orphans(
            self._settings.root,
            self._means,
            limit=MAX_ADOPTED - len(self._adopted) - len(self._found),
            room_bytes=self.max_bytes - self.size_bytes,
            max_bytes=self.max_bytes,
        )

    def _close_found(self) -> None:
        while self._found:
            self._found.pop().close(is_removed=False)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _step_back() -> None:
    """Let calls go first where they and this thread want the same core: sealing may wait a millisecond, they should not."""
    # Linux keeps this by thread; where a system knows processes only, they are left as they are.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _sum(row: LedgerRow, other: LedgerRow) -> LedgerRow:
    oldest = [each.oldest_waiting_ns for each in (row, other) if each.oldest_waiting_ns is not None]
    return replace(
        row,
        captured=row.captured + other.captured,
        delivered=row.delivered + other.delivered,
        rejected=row.rejected + other.rejected,
        shed=row.shed + other.shed,
        waiting=row.waiting + other.waiting,
        oldest_waiting_ns=min(oldest, default=None),
        last_error=row.last_error or other.last_error,
    )
