"""Lanes: the account of each signal at each destination, and which batches wait there."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from ignis_server.telemetry.model import LedgerRow, Signal
from ignis_server.telemetry.outbox.columns import number_in, signal_in, text_in
from ignis_server.telemetry.outbox.database import Database

__all__ = ["MAX_MESSAGE_CHARACTERS", "Lane", "Lanes"]

# What a destination says of its errors is kept up to so many characters.
MAX_MESSAGE_CHARACTERS: Final = 512
# Outboxes that were taken over whose accounts are kept apart.
MAX_INHERITED: Final = 64

log = structlog.get_logger()


class Lane(NamedTuple):
    """A destination and a signal that goes there."""

    destination: str
    signal: Signal


class Lanes:
    """The lanes of one database. What changes something is part of a transaction of the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[Lane, int] = {}

    def open(self, destinations: Mapping[str, Collection[Signal]]) -> None:
        """Have a lane for each destination and signal, and no other.

        A lane that is new starts with all batches that are still there. What waited in one that is gone is no longer wanted there.
        """
        wanted = {Lane(name, signal) for name, signals in destinations.items() for signal in signals}
        known = {
            Lane(text_in(destination), signal_in(signal)): number
            for number, destination, signal in self._database.rows("SELECT id, destination, signal FROM lanes")
        }
        if wanted != known.keys():
            with self._database.transaction():
                for lane in sorted(wanted - known.keys()):
                    self._add(lane)
                for lane in known.keys() - wanted:
                    self._remove(lane, known[lane])
                self._database.rows("DELETE FROM batches WHERE sequence NOT IN (SELECT sequence FROM due)")
        rows = self._database.rows("SELECT id, destination, signal FROM lanes")
        self._ids = {Lane(text_in(destination), signal_in(signal)): number for number, destination, signal in rows}

    def id_of(self, destination: str, signal: Signal) -> int | None:
        """Return the number of a lane; None where the signal does not go there."""
        return self._ids.get(Lane(destination, signal))

    def ids_of(self, signal: Signal) -> Sequence[int]:
        """Return the lanes of a signal."""
        return [number for lane, number in self._ids.items() if lane.signal is signal]

    def ids_at(self, destination: str) -> Sequence[int]:
        """Return the lanes of a destination."""
        return [number for lane, number in self._ids.items() if lane.destination == destination]

    def put(self, sequence: int, signal: Signal, items: int) -> None:
        """Let a batch wait in all lanes of its signal."""
        for lane in self.ids_of(signal):
            self._database.rows("INSERT INTO due VALUES (?, ?)", (lane, sequence))
            self._database.rows(
                "UPDATE lanes SET captured = captured + ?, waiting = waiting + ? WHERE id = ?", (items, items, lane)
            )

    def waits(self, lane: int, sequence: int) -> bool:
        """Tell whether a batch waits in a lane."""
        return bool(self._database.rows("SELECT 1 FROM due WHERE lane = ? AND sequence = ?", (lane, sequence)))

    def settle(self, lane: int, sequence: int, *, delivered: int, rejected: int) -> None:
        """Let a batch wait no more that a destination has taken or refused."""
        self._database.rows("DELETE FROM due WHERE lane = ? AND sequence = ?", (lane, sequence))
        self._database.rows(
            "UPDATE lanes SET delivered = delivered + ?, rejected = rejected + ?, waiting = waiting - ? WHERE id = ?",
            (delivered, rejected, delivered + rejected, lane),
        )

    def shed(self, sequence: int, signal: Signal, items: int) -> None:
        """Let a batch wait nowhere that is given up."""
        for lane in self.ids_of(signal):
            if self.waits(lane, sequence):
                self._database.rows("DELETE FROM due WHERE lane = ? AND sequence = ?", (lane, sequence))
                self._database.rows(
                    "UPDATE lanes SET shed = shed + ?, waiting = waiting - ? WHERE id = ?", (items, items, lane)
                )

    def count_lost(self, lost: Mapping[Signal, int]) -> None:
        """Count items as captured and given up that never came into a batch."""
        for signal, items in lost.items():
            for lane in self.ids_of(signal):
                self._database.rows(
                    "UPDATE lanes SET captured = captured + ?, shed = shed + ? WHERE id = ?", (items, items, lane)
                )

    def note_error(self, lane: Lane, message: str) -> None:
        """Keep what a destination said when it refused or failed."""
        message = message[:MAX_MESSAGE_CHARACTERS]
        self._database.rows(
            "UPDATE lanes SET last_error = ? WHERE id = ? AND last_error <> ?", (message, self._ids.get(lane), message)
        )

    def forget_receipts(self, until_sequence: int) -> None:
        """Forget what became of old batches."""
        for lane in self._ids.values():
            self._database.rows("DELETE FROM receipts WHERE lane = ? AND sequence <= ?", (lane, until_sequence))

    def accounts(self) -> Sequence[LedgerRow]:
        """Return the account of each lane."""
        rows = self._database.rows(
            """
            SELECT destination, signal, captured, delivered, rejected, shed, waiting, last_error, (
                SELECT captured_ns FROM batches
                WHERE sequence = (SELECT MIN(sequence) FROM due WHERE lane = lanes.id)
            ) FROM lanes ORDER BY destination, signal
            """
        )
        return [_account(*row) for row in rows]

    def inherit(self, outbox_id: str, accounts: Iterable[LedgerRow]) -> None:
        """Keep the accounts of an outbox that was taken over; where they are here already, they are the same ones.

        Those of 64 outboxes are told apart; at one more, those before it are summed up.
        """
        ((outboxes,),) = self._database.rows("SELECT COUNT(DISTINCT outbox_id) FROM inherited")
        if outboxes > MAX_INHERITED:
            sums = self.inherited()
            self._database.rows("DELETE FROM inherited")
            self._inherit("", sums)
        self._inherit(outbox_id, accounts)

    def _inherit(self, outbox_id: str, accounts: Iterable[LedgerRow]) -> None:
        self._database.many(
            "INSERT OR REPLACE INTO inherited VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (outbox_id, row.destination, row.signal.value, row.captured, row.delivered, row.rejected, row.shed)
                for row in accounts
            ],
        )

    def inherited(self) -> Sequence[LedgerRow]:
        """Return the accounts of outboxes that were taken over, summed up by lane."""
        rows = self._database.rows(
            """
            SELECT destination, signal, SUM(captured), SUM(delivered), SUM(rejected), SUM(shed), 0, '', NULL FROM inherited
            GROUP BY destination, signal
            """
        )
        return [_account(*row) for row in rows]

    def _remove(self, lane: Lane, number: int) -> None:
        ((waiting,),) = self._database.rows("SELECT waiting FROM lanes WHERE id = ?", (number,))
        log.warning("outbox.destination_gone", destination=lane.destination, signal=lane.signal, waiting=waiting)
        for statement in (
            "DELETE FROM due WHERE lane = ?",
            "DELETE FROM receipts WHERE lane = ?",
            "DELETE FROM lanes WHERE id = ?",
        ):
            self._database.rows(statement, (number,))

    def _add(self, lane: Lane) -> None:
        ((number, items),) = self._database.rows(
            "SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM lanes), COALESCE(SUM(items), 0) FROM batches WHERE signal = ?",
            (lane.signal.value,),
        )
        self._database.rows(
            "INSERT INTO lanes VALUES (?, ?, ?, ?, 0, 0, 0, ?, '')",
            (number, lane.destination, lane.signal.value, items, items),
        )
        self._database.rows(
            "INSERT INTO due SELECT ?, sequence FROM batches WHERE signal = ?", (number, lane.signal.value)
        )


def _account(destination: object, signal: object, *columns: object) -> LedgerRow:
    captured, delivered, rejected, shed, waiting, last_error, oldest_waiting_ns = columns
    return LedgerRow(
        destination=text_in(destination),
        signal=signal_in(signal),
        captured=number_in(captured),
        delivered=number_in(delivered),
        rejected=number_in(rejected),
        shed=number_in(shed),
        waiting=number_in(waiting),
        oldest_waiting_ns=None if oldest_waiting_ns is None else number_in(oldest_waiting_ns),
        last_error=text_in(last_error),
    )
