"""Sealed batches on disk: put there in one transaction with how far the journal is read, and let go when nobody waits for them.

What is put and what is settled is either there as a whole or not at all, whatever happens to the process. Used by one thread at a
time. Every method raises StoreTrouble where the disk fails, after which all is as before, and StoreCorrupt where the file is
damaged beyond use.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ignis_server.telemetry.model import Batch, LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.batching import Draft
from ignis_server.telemetry.outbox.columns import number_in, signal_in, text_in
from ignis_server.telemetry.outbox.database import Database, Row
from ignis_server.telemetry.outbox.lanes import MAX_MESSAGE_CHARACTERS, Lane, Lanes
from ignis_server.telemetry.outbox.schema import SCHEMA, VERSION
from ignis_server.telemetry.outbox.segments import Position
from ignis_server.telemetry.outbox.trouble import StoreCorrupt, StoreForeign

__all__ = ["BatchStore", "Beginning", "Loss", "SettledBatch"]

# A batch takes so much beside its content, in the file and its indices: measured with batches of one span.
OVERHEAD_BYTES: Final = 512
# Batches that are read at once, whatever is asked for; one is always read.
MAX_READ_BYTES: Final = 4 << 20
# Receipts of so many batches are remembered; those of older ones are deleted a thousand at a time.
REMEMBERED: Final = 100_000
TRIM_EVERY: Final = 1_000
# Batches that are let go in one transaction.
MAX_SHED: Final = 256


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a new database begins with: whose it is, its first batch, and how far the journal is in batches already."""

    outbox_id: str
    next_sequence: int
    sealed: Position


@dataclass(frozen=True, slots=True)
class Loss:
    """Items that are gone for good; 0 where it is not known how many, None where it is not known of what signal."""

    signal: Signal | None
    items: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SettledBatch:
    """What became of a batch at a destination, as the outbox remembers it."""

    sequence: int
    signal: Signal
    digest: bytes
    delivered: int
    rejected: int
    message: str
    received_ns: int


class BatchStore:
    """The batches of one outbox, the accounts of its lanes, and receipts of what has gone."""

    def __init__(
        self, path: Path, destinations: Mapping[str, Collection[Signal]], beginning: Callable[[], Beginning]
    ) -> None:
        """Open the database, or make it.

        Args:
            path: Where it is.
            destinations: The signals that go to each destination.
            beginning: What a new one begins with.

        Raises:
            StoreForeign: It is of another release.
        """
        self._database = Database(path)
        self._lanes = Lanes(self._database)
        self.outbox_id = ""
        self.next_sequence = 1
        self.count = 0
        self.size_bytes = 0
        self._sealed = Position(0, 0)
        self._newest: dict[Signal, int] = {}
        try:
            ((version,),) = self._database.rows("PRAGMA user_version")
            if version == 0:
                self._create(beginning())
            elif version != VERSION:
                raise StoreForeign(f"{path} has version {version}, and this release writes {VERSION}")  # noqa: TRY301 - closed below
            self._load(destinations)
        except BaseException:
            self._database.close()
            raise

    @property
    def sealed(self) -> Position:
        """How far the journal is in batches."""
        return self._sealed

    def add(self, drafts: Sequence[Draft], sealed: Position, lost: Mapping[Signal, int]) -> None:
        """Put batches, and how far the journal is in batches with them; this survives a power cut.

        A batch that nobody wants gets no number and is not kept. `lost` are items that were captured and came into no batch.
        """
        number = self.next_sequence
        size = 0
        newest = dict(self._newest)
        with self._database.transaction(is_forced=True):
            for draft in drafts:
                if self._lanes.ids_of(draft.signal):
                    size += self._put(number, draft)
                    newest[draft.signal] = number
                    number += 1
            self._lanes.count_lost(lost)
            if number // TRIM_EVERY > self.next_sequence // TRIM_EVERY:
                self._lanes.forget_receipts(number - REMEMBERED)
                self._database.rows("DELETE FROM resources WHERE id NOT IN (SELECT resource FROM batches)")
            self._database.rows(
                "UPDATE outbox SET next_sequence = ?, sealed_segment = ?, sealed_offset = ?", (number, *sealed)
            )
        self.count += number - self.next_sequence
        self.size_bytes += size
        self.next_sequence, self._sealed, self._newest = number, sealed, newest

    def newest(self, signal: Signal) -> int:
        """Return the number of the last batch of a signal; 0 where there was none since the database was opened."""
        return self._newest.get(signal, 0)

    def next_after(
        self, destination: str, signal: Signal, after: int, max_batches: int
    ) -> tuple[Sequence[Batch], Sequence[Loss]]:
        """Return the next batches that wait in a lane, oldest first, and what was found damaged and is given up.

        At most 4 MiB of them, and at least one.
        """
        lane = self._lanes.id_of(destination, signal)
        rows = self._database.rows(
            """
            SELECT due.sequence, COALESCE(size_bytes, 0) FROM due LEFT JOIN batches USING (sequence)
            WHERE lane = ? AND due.sequence > ? ORDER BY due.sequence LIMIT ?
            """,
            (lane, after, max_batches),
        )
        batches: list[Batch] = []
        losses: list[Loss] = []
        size = 0
        for sequence, size_bytes in rows:
            size += number_in(size_bytes)
            if batches and size > MAX_READ_BYTES:
                break
            batch = self._read(sequence)
            if batch is None:
                losses.append(self._give_up(sequence, signal))
            else:
                batches.append(batch)
        return batches, losses

    def settle(self, destination: str, receipts: Sequence[Receipt]) -> None:
        """Keep what became of batches at a destination, and let those go that nobody waits for.

        A batch that does not wait there is passed over: it was settled before, or shed meanwhile.
        """
        gone: list[int] = []
        with self._database.transaction():
            for receipt in receipts:
                lane = self._lanes.id_of(destination, receipt.signal)
                if lane is not None and self._lanes.waits(lane, receipt.sequence):
                    gone += self._settle(Lane(destination, receipt.signal), lane, receipt)
        self._let_go(gone)

    def shed(self, size_bytes: int) -> Sequence[Loss]:
        """Give up the oldest batches until so many bytes are free, or 256 batches are gone, and return what they were."""
        losses: list[Loss] = []
        gone: list[int] = []
        with self._database.transaction():
            for sequence, signal, items, size in self._database.rows(
                "SELECT sequence, signal, items, size_bytes FROM batches ORDER BY sequence LIMIT ?", (MAX_SHED,)
            ):
                if sum(gone) >= size_bytes:
                    break
                gone.append(self._delete(sequence, number_in(size)))
                self._lanes.shed(sequence, signal_in(signal), number_in(items))
                losses.append(Loss(signal_in(signal), items, size))
        self._let_go(gone)
        return losses

    def accounts(self) -> Sequence[LedgerRow]:
        """Return the account of each lane."""
        return self._lanes.accounts()

    def oldest_ns(self) -> int | None:
        """Return when the oldest that waits was captured; None where nothing waits."""
        rows = self._database.rows("SELECT captured_ns FROM batches ORDER BY sequence LIMIT 1")
        return number_in(rows[0][0]) if rows else None

    def inherit(self, outbox_id: str, accounts: Sequence[LedgerRow]) -> None:
        """Keep the accounts of an outbox that was taken over, and that is about to be removed."""
        with self._database.transaction(is_forced=True):
            self._lanes.inherit(outbox_id, accounts)

    def inherited(self) -> Sequence[LedgerRow]:
        """Return the accounts of all outboxes that were taken over, summed up by lane."""
        return self._lanes.inherited()

    def note_error(self, destination: str, signal: Signal, message: str) -> None:
        """Keep what a destination said when it refused or failed."""
        with self._database.transaction():
            self._lanes.note_error(Lane(destination, signal), message)

    def receipts(self, destination: str, from_sequence: int, limit: int) -> Sequence[SettledBatch]:
        """Return what became of batches at a destination, from a number on, in the order of their numbers."""
        lanes = self._lanes.ids_at(destination)
        rows = self._database.rows(
            f"""
            SELECT sequence, signal, digest, receipts.delivered, receipts.rejected, message, received_ns
            FROM receipts JOIN lanes ON lanes.id = lane
            WHERE lane IN ({", ".join("?" * len(lanes))}) AND sequence >= ? ORDER BY sequence LIMIT ?
            """,  # noqa: S608 - question marks
            (*lanes, from_sequence, limit),
        )
        return [SettledBatch(sequence, signal_in(signal), *rest) for sequence, signal, *rest in rows]

    def free_pages(self) -> int:
        """Return how many pages of the file are free."""
        return self._database.free_pages()

    def give_back(self, pages: int) -> None:
        """Give so many free pages back to the disk."""
        self._database.give_back(pages)

    def is_there(self) -> bool:
        """Tell whether the file is still where it was opened."""
        return self._database.is_there()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _create(self, beginning: Beginning) -> None:
        with self._database.transaction(is_forced=True):
            for statement in SCHEMA:
                self._database.rows(statement)
            self._database.rows(
                "INSERT INTO outbox VALUES (?, ?, ?, ?)",
                (beginning.outbox_id, beginning.next_sequence, *beginning.sealed),
            )

    def _load(self, destinations: Mapping[str, Collection[Signal]]) -> None:
        self._lanes.open(destinations)
        ((outbox_id, next_sequence, segment, offset),) = self._database.rows(
            "SELECT id, next_sequence, sealed_segment, sealed_offset FROM outbox"
        )
        self.outbox_id = text_in(outbox_id)
        self.next_sequence = number_in(next_sequence)
        self._sealed = Position(number_in(segment), number_in(offset))
        ((count, size),) = self._database.rows("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM batches")
        self.count = number_in(count)
        self.size_bytes = number_in(size)
        self._newest = {
            signal_in(signal): number_in(sequence)
            for signal, sequence in self._database.rows("SELECT signal, MAX(sequence) FROM batches GROUP BY signal")
        }

    def _put(self, number: int, draft: Draft) -> int:
        size = len(draft.content) + OVERHEAD_BYTES
        digest = sha256(draft.resource).digest()
        self._database.rows(
            "INSERT INTO resources (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, draft.resource)
        )
        self._database.rows(
            "INSERT INTO batches SELECT ?, ?, ?, ?, ?, id, ?, ? FROM resources WHERE digest = ?",
            (number, draft.signal.value, draft.items, draft.captured_ns, size, draft.digest, draft.content, digest),
        )
        self._lanes.put(number, draft.signal, draft.items)
        return size

    def _read(self, sequence: int) -> Batch | None:
        """Return a batch; None where it is not what was put."""
        rows = self._database.rows(
            """
            SELECT signal, items, captured_ns, batches.digest, batches.content, resources.digest, resources.content
            FROM batches JOIN resources ON resources.id = resource WHERE sequence = ?
            """,
            (sequence,),
        )
        return _batch(self.outbox_id, sequence, rows[0]) if rows else None

    def _settle(self, lane: Lane, number: int, receipt: Receipt) -> Sequence[int]:
        """Settle a batch that waits; returns the bytes of it where it was let go."""
        rows = self._database.rows(
            "SELECT items, size_bytes, digest FROM batches WHERE sequence = ?", (receipt.sequence,)
        )
        if not rows:
            # Only where the file was damaged.
            self._lanes.shed(receipt.sequence, receipt.signal, 0)
            return ()
        items, size, digest = rows[0]
        # The accounts hold whatever a destination claims to have rejected.
        rejected = max(0, min(receipt.rejected, number_in(items)))
        message = receipt.message[:MAX_MESSAGE_CHARACTERS]
        self._lanes.settle(number, receipt.sequence, delivered=items - rejected, rejected=rejected)
        self._database.rows(
            "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, receipt.sequence, digest, items - rejected, rejected, message, receipt.received_ns),
        )
        if message:
            self._lanes.note_error(lane, message)
        if any(self._lanes.waits(other, receipt.sequence) for other in self._lanes.ids_of(lane.signal)):
            return ()
        return (self._delete(receipt.sequence, number_in(size)),)

    def _give_up(self, sequence: int, signal: Signal) -> Loss:
        """Give up a batch that is damaged."""
        gone: list[int] = []
        items = size = 0
        with self._database.transaction():
            for found_items, found_size in self._database.rows(
                "SELECT items, size_bytes FROM batches WHERE sequence = ?", (sequence,)
            ):
                items, size = number_in(found_items), number_in(found_size)
                gone.append(self._delete(sequence, size))
            self._lanes.shed(sequence, signal, items)
        self._let_go(gone)
        return Loss(signal, items, size)

    def _delete(self, sequence: int, size_bytes: int) -> int:
        self._database.rows("DELETE FROM batches WHERE sequence = ?", (sequence,))
        return size_bytes

    def _let_go(self, sizes: Sequence[int]) -> None:
        self.count -= len(sizes)
        self.size_bytes -= sum(sizes)


def _batch(outbox_id: str, sequence: int, row: Row) -> Batch | None:
    signal, items, captured_ns, digest, content, resource_digest, resource = row
    try:
        is_whole = sha256(content).digest() == digest and sha256(resource).digest() == resource_digest
        whole = Batch(
            outbox_id, sequence, signal_in(signal), number_in(items), number_in(captured_ns), digest, resource, content
        )
    except (TypeError, StoreCorrupt):
        return None
    return whole if is_whole else None
