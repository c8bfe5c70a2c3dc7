"""What is in one slot: a journal, a database, and receipts in memory for as long as the disk takes none; mended where damaged.

Everything here runs on one thread. Nothing raises because of a disk in trouble: what was asked comes to nothing then, and what is
there stays there.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog

from ignis_server.signals import LossReason, Signals
from ignis_server.telemetry.model import Batch, LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.batch_store import BatchStore, Beginning, Loss, SettledBatch
from ignis_server.telemetry.outbox.database import move_aside
from ignis_server.telemetry.outbox.journal import Journal, Unsealed
from ignis_server.telemetry.outbox.losses import report_losses
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.sealing import Sealer, Step, no_step
from ignis_server.telemetry.outbox.segments import Position
from ignis_server.telemetry.outbox.slot import Slot
from ignis_server.telemetry.outbox.trouble import DiskTrouble, Reason, StoreCorrupt, StoreTrouble, reason_of
from ignis_server.telemetry.outbox.waiting_room import WaitingRoom

__all__ = ["Contents", "Means"]

T = TypeVar("T")

# A disk with less room than this counts as full. What is left is what SQLite needs to let batches go: on a disk that is quite
# full it cannot even delete.
MIN_FREE_BYTES: Final = 8 << 20
# Pages of 4 KiB that are given back at once, and that a database may keep while nothing waits.
GIVEN_BACK_PAGES: Final = 512
KEPT_PAGES: Final = 256

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Means:
    """What all slots of an outbox are opened with.

    Attributes:
        origin: Who captures.
        destinations: The signals that go to each destination.
        is_forced: Whether the journal is forced to disk at times.
        new_id: Gives an id that is unique in the world.
        signals: Told what is lost.
        step: Told each step of sealing.
    """

    origin: Origin
    destinations: Mapping[str, Collection[Signal]]
    is_forced: bool
    new_id: Callable[[], str]
    signals: Signals
    step: Step = no_step


class Contents:
    """The contents of a slot, and of the waiting room before it where this process captures into it."""

    def __init__(self, slot: Slot, means: Means, room: WaitingRoom | None = None) -> None:
        """Open what is there.

        Raises:
            DiskTrouble: It cannot be opened for now.
            StoreForeign: It is another release's.
        """
        self._slot = slot
        self._means = means
        # Nothing waits to come into a slot that was taken over.
        self._room = room or WaitingRoom(0)
        self._held: dict[tuple[str, int], Receipt] = {}
        self._store = self._opened()
        self._is_damaged = False
        # Whether what is captured may be appended to the journal; it may be found out only then that it cannot.
        self.is_writable = True
        try:
            self.journal = Journal(slot.folder, means.origin, after=self._store.sealed, is_forced=means.is_forced)
        except DiskTrouble:
            self._store.close()
            raise
        self._sealer = Sealer(self.journal, self._store, means.step)

    @property
    def outbox_id(self) -> str:
        """The id under which batches are numbered."""
        return self._store.outbox_id

    @property
    def next_sequence(self) -> int:
        """The number of the next batch."""
        return self._store.next_sequence

    @property
    def size_bytes(self) -> int:
        """Bytes that wait on disk."""
        return self._store.size_bytes + self.journal.size_bytes(self._sealer.position)

    @property
    def held_receipts(self) -> int:
        """Receipts that are in memory only."""
        return len(self._held)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._store.count == 0 and not self._held and self._sealer.is_done()

    def newest(self, signal: Signal) -> int:
        """Return the number of the last batch of a signal; 0 where none is known."""
        return self._store.newest(signal)

    def read(self, destination: str, signal: Signal, after: int, max_batches: int) -> list[Batch]:
        """Return the next batches that a destination has not settled."""
        while batches := self._next_after(destination, signal, after, max_batches):
            unsettled = [batch for batch in batches if (destination, batch.sequence) not in self._held]
            if unsettled:
                return unsettled
            after = batches[-1].sequence
        return []

    def settle(self, destination: str, receipts: Sequence[Receipt]) -> None:
        """Keep what became of batches, in memory where they cannot be written down."""
        self._held |= {(destination, receipt.sequence): receipt for receipt in receipts}
        with suppress(DiskTrouble):
            self._write_receipts()

    def note_error(self, destination: str, signal: Signal, message: str) -> None:
        """Keep what a destination said when it failed."""
        self._try(lambda store: store.note_error(destination, signal, message), None)

    def receipts(self, destination: str, from_sequence: int, limit: int) -> Sequence[SettledBatch]:
        """Return what became of batches at a destination, from a number on."""
        return self._try(lambda store: store.receipts(destination, from_sequence, limit), ())

    def accounts(self) -> list[LedgerRow]:
        """Return the account of each lane, with what is not sealed yet as waiting."""
        no_rows: Sequence[LedgerRow] = ()
        rows = self._try(BatchStore.accounts, no_rows)
        _, unsealed = self.journal.written()
        in_memory = self._room.waiting()
        return [
            self._with_unsealed(row, [each for each in (unsealed, in_memory) if each.items[row.signal]]) for row in rows
        ]

    def inherit(self, outbox_id: str, accounts: Sequence[LedgerRow]) -> bool:
        """Keep the accounts of an outbox that is about to be removed, and tell whether that is done."""

        def inherit(store: BatchStore) -> bool:
            store.inherit(outbox_id, accounts)
            return True

        return self._try(inherit, otherwise=False)

    def inherited(self) -> Sequence[LedgerRow]:
        """Return the accounts of outboxes that were taken over and are no more."""
        return self._try(BatchStore.inherited, ())

    def oldest_ns(self) -> int | None:
        """Return when the oldest that waits on disk was captured; None where nothing does."""
        oldest_ns = self._try(BatchStore.oldest_ns, None)
        return self.journal.written()[1].oldest_ns if oldest_ns is None else oldest_ns

    def work(self, *, is_held: bool) -> Reason | None:
        """Write down what is in memory, seal what is in the journal, and return what is wrong with the disk.

        Where it is held, what is in memory stays there: the journal is not to grow while it cannot be sealed.
        """
        self.is_writable = False
        try:
            self._look_for_folder()
            with suppress(DiskTrouble):
                # First, and again below: on a disk that is full, this is what makes room.
                self._write_receipts()
            self._find_room()
            if not is_held:
                self._write_down()
                self.is_writable = True
            self._write_receipts()
            self._report(self._with_store(lambda _: self._sealer.seal()), "corrupt")
        except DiskTrouble as trouble:
            return trouble.reason
        return None

    def write_down(self) -> Reason | None:
        """Write down what is in memory, and return what is wrong with the disk."""
        try:
            self._write_down()
        except DiskTrouble as trouble:
            return trouble.reason
        return None

    def force(self) -> Reason | None:
        """Force the journal to disk, and return what is wrong with it."""
        try:
            self.journal.force()
        except DiskTrouble as trouble:
            return trouble.reason
        return None

    def shed(self, size_bytes: int) -> int:
        """Give up the oldest batches until so many bytes are free, and return how many are; 0 where nothing can be given up."""
        before = self._store.size_bytes
        while before - self._store.size_bytes < size_bytes:
            if not self._shed(size_bytes - (before - self._store.size_bytes)):
                break
        return before - self._store.size_bytes

    def close(self, *, is_removed: bool) -> None:
        """Close everything; what is there stays, unless it is to be removed."""
        self._store.close()
        self.journal.close(self._sealer.position)
        if is_removed:
            self._slot.remove()
        else:
            self._slot.release()

    def _opened(self) -> BatchStore:
        """Open the database; where it is damaged, keep it aside and begin another."""
        try:
            return self._store_beginning_with(self._new_beginning)
        except StoreCorrupt as error:
            self._set_aside(error)
        try:
            return self._store_beginning_with(self._new_beginning)
        except StoreCorrupt as error:
            # A new file that is damaged already is the disk's doing.
            raise StoreTrouble("broken") from error

    def _new_beginning(self) -> Beginning:
        # Under an id of its own: how far a database that is gone had numbered its batches is not known.
        journal = Journal(self._slot.folder, self._means.origin, after=Position(0, 0))
        return Beginning(self._means.new_id(), 1, journal.marked())

    def _store_beginning_with(self, beginning: Callable[[], Beginning]) -> BatchStore:
        return BatchStore(self._slot.database, self._means.destinations, beginning)

    def _set_aside(self, error: StoreCorrupt) -> None:
        size = move_aside(self._slot.database)
        log.error("outbox.database_damaged", slot=self._slot.number, error=str(error), size_bytes=size)
        self._report([Loss(None, 0, size)], "corrupt")

    def _begin_anew(self) -> None:
        """Begin another database in the place of one that is damaged or gone.

        Numbers go on where they were, so that shippers do, and a receiver sees what is missing.
        """
        # Nothing is here any more, unless it could not be moved when it was found to be damaged.
        move_aside(self._slot.database)
        beginning = Beginning(self._store.outbox_id, self._store.next_sequence, self._sealer.position)
        lost = self._sealer.lost
        self._store = self._store_beginning_with(lambda: beginning)
        self._sealer = Sealer(self.journal, self._store, self._means.step)
        self._sealer.lost = lost
        self._is_damaged = False

    def _with_store(self, work: Callable[[BatchStore], T]) -> T:
        """Do something with the database.

        Raises:
            DiskTrouble: It came to nothing.
        """
        try:
            if self._is_damaged:
                self._begin_anew()
            return work(self._store)
        except StoreCorrupt as error:
            self._is_damaged = True
            self._store.close()
            self._set_aside(error)
            raise StoreTrouble("broken") from error

    def _try(self, work: Callable[[BatchStore], T], otherwise: T) -> T:
        try:
            return self._with_store(work)
        except DiskTrouble:
            return otherwise

    def _look_for_folder(self) -> None:
        """Make the slot anew where somebody has removed it under us."""
        if not self._is_damaged and (self._slot.is_lost() or not self._store.is_there()):
            log.error("outbox.removed", slot=self._slot.number, size_bytes=self._store.size_bytes)
            self._report([Loss(None, 0, self._store.size_bytes)], "removed")
            self._is_damaged = True
            self._store.close()
        if self._is_damaged:
            self._slot.renew()
            self.journal.leave()

    def _next_after(self, destination: str, signal: Signal, after: int, max_batches: int) -> Sequence[Batch]:
        nothing: tuple[Sequence[Batch], Sequence[Loss]] = ((), ())
        batches, losses = self._try(lambda store: store.next_after(destination, signal, after, max_batches), nothing)
        self._report(losses, "corrupt")
        return batches

    def _shed(self, size_bytes: int) -> bool:
        no_losses: Sequence[Loss] = ()
        losses = self._try(lambda store: store.shed(size_bytes), no_losses)
        self._report(losses, "shed")
        return bool(losses)

    def _write_receipts(self) -> None:
        for destination in sorted({destination for destination, _ in self._held}):
            self._write_receipts_of(destination)

    def _write_receipts_of(self, destination: str) -> None:
        receipts = [receipt for (where, _), receipt in self._held.items() if where == destination]
        self._with_store(lambda store: store.settle(destination, receipts))
        for receipt in receipts:
            del self._held[destination, receipt.sequence]

    def _find_room(self) -> None:
        """Give back to the disk what it is short of, or what is not needed while nothing waits.

        Raises:
            DiskTrouble: It is full.
        """
        is_short = self._is_disk_short()
        if is_short or self._store.count == 0:
            self._with_store(lambda store: _give_back(store, 0 if is_short else KEPT_PAGES))
        if is_short and self._is_disk_short():
            raise DiskTrouble("full")

    def _is_disk_short(self) -> bool:
        try:
            disk = os.statvfs(self._slot.folder)
        except OSError as error:
            raise DiskTrouble(reason_of(error) or "broken") from error
        return disk.f_bavail * disk.f_frsize < MIN_FREE_BYTES

    def _write_down(self) -> None:
        try:
            while waiting := self._room.first():
                self.journal.append_all(waiting)
                self._room.remove(waiting)
        finally:
            self._sealer.lost.update(self._room.take_lost())

    def _with_unsealed(self, row: LedgerRow, unsealed: Sequence[Unsealed]) -> LedgerRow:
        waiting = sum(each.items[row.signal] for each in unsealed)
        lost = self._sealer.lost[row.signal]
        oldest = [each.oldest_ns for each in unsealed if each.oldest_ns is not None]
        return replace(
            row,
            captured=row.captured + waiting + lost,
            shed=row.shed + lost,
            waiting=row.waiting + waiting,
            oldest_waiting_ns=oldest[0] if row.oldest_waiting_ns is None and oldest else row.oldest_waiting_ns,
        )

    def _report(self, losses: Sequence[Loss], reason: LossReason) -> None:
        report_losses(losses, reason, self._means.signals)


def _give_back(store: BatchStore, kept_pages: int) -> None:
    if store.free_pages() > kept_pages:
        store.give_back(GIVEN_BACK_PAGES)
