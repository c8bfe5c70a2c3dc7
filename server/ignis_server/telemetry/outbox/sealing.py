"""Sealing: what stands in the journal becomes batches, neither twice nor never, wherever the process ends.

The steps are: read a stretch, put its batches and its end in one transaction, note the end in the journal, delete what lies before it.
A process that ends before the transaction finds the stretch again; one that ends after it finds it said that the stretch is done.

What this process has just appended need not be read, as it is still in memory: putting that together holds up calls far less than
taking frames apart, which Python does one by one. What another process left, or what could not be sealed at once, is read.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.batch_store import BatchStore, Loss
from ignis_server.telemetry.outbox.batching import Draft, Gathered
from ignis_server.telemetry.outbox.frames import SIGNAL_OF
from ignis_server.telemetry.outbox.journal import Journal, Stretch
from ignis_server.telemetry.outbox.segments import Position

__all__ = ["Sealer", "Step", "no_step"]

# Is told each step when it is done; a test ends the process there.
Step = Callable[[str], None]


def no_step(_name: str) -> None:
    """Go on."""


class Sealer:
    """Seals one journal into one store."""

    def __init__(self, journal: Journal, store: BatchStore, step: Step = no_step) -> None:
        self._journal = journal
        self._store = store
        self._step = step
        # Ahead of the store by what needs no batch, such as notes on how far it is.
        self.position = store.sealed
        # Items that were captured and given up, and are not in the accounts yet.
        self.lost = Counter[Signal]()

    def is_done(self) -> bool:
        """Tell whether everything that stands in the journal is sealed."""
        return self.position >= self._journal.written()[0]

    def seal(self) -> list[Loss]:
        """Seal everything that stands in the journal now, and enter what was given up into the accounts.

        Returns:
            What could not be read.

        Raises:
            DiskTrouble: Something is not sealed yet.
        """
        recent = self._journal.take_recent()
        left = dict(recent.unsealed.items)
        losses: list[Loss] = []
        number = self._store.next_sequence
        if recent.begin == self.position:
            self._seal(recent.gathered.drafts(self._journal.origin), recent.end, left)
        while self.position < recent.end:
            stretch = self._journal.read(self.position, recent.end)
            self._seal(_drafts_of(stretch), stretch.end, left if stretch.is_own else None)
            if stretch.unreadable_bytes:
                losses.append(Loss(None, 0, stretch.unreadable_bytes))
        if self._store.next_sequence > number:
            self.position = self._journal.mark(self.position)
            self._step("marked")
        self._journal.discard(self.position)
        if self._store.next_sequence > number:
            self._step("discarded")
        if any(left.values()):
            losses += self._give_up(left)
        if self.lost:
            self._store.add((), self.position, self.lost)
            self.lost.clear()
        return losses

    def _seal(self, drafts: Sequence[Draft], end: Position, left: dict[Signal, int] | None) -> None:
        """Seal what stands before a place; `left` is what this process has captured, where it was this process."""
        if drafts:
            self._step("read")
            self._store.add(drafts, end, {})
        # From here on it is not read again, whatever else fails.
        self.position = end
        if not drafts:
            return
        if left is not None:
            self._journal.count_sealed(drafts)
            for draft in drafts:
                left[draft.signal] -= draft.items
        self._step("committed")

    def _give_up(self, left: Mapping[Signal, int]) -> list[Loss]:
        """Count what this process has written and could not read back."""
        # Whatever happened to the segment, what comes next is written to another.
        self._journal.leave()
        self._journal.count_lost(left)
        self.lost.update(left)
        return [Loss(signal, items, 0) for signal, items in left.items() if items]


def _drafts_of(stretch: Stretch) -> Sequence[Draft]:
    gathered = Gathered()
    for frame in stretch.frames:
        if frame.kind in SIGNAL_OF:
            gathered.add(*frame)
    return gathered.drafts(stretch.origin) if stretch.origin else ()
