"""Sealing: what stands in the journal becomes batches, neither twice nor never, wherever the process ends.

There is one way from the journal to batches, whether this process has written it or one that died. The steps are: read a stretch,
put its batches and its end in one transaction, note the end in the journal, delete what lies before it. A process that ends before
the transaction finds the stretch again; one that ends after it finds it said that the stretch is done.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.batch_store import BatchStore, Loss
from ignis_server.telemetry.outbox.batching import drafts_of
from ignis_server.telemetry.outbox.journal import Journal, Stretch

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
        until, unsealed = self._journal.written()
        left = dict(unsealed.items)
        losses: list[Loss] = []
        number = self._store.next_sequence
        while self.position < until:
            stretch = self._journal.read(self.position, until)
            self._seal(stretch, left)
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

    def _seal(self, stretch: Stretch, left: dict[Signal, int]) -> None:
        drafts = drafts_of(stretch.frames, stretch.origin) if stretch.origin else ()
        if drafts:
            self._step("read")
            self._store.add(drafts, stretch.end, {})
        # From here on it is not read again, whatever else fails.
        self.position = stretch.end
        if not drafts:
            return
        if stretch.is_own:
            self._journal.count_sealed(stretch.frames)
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
