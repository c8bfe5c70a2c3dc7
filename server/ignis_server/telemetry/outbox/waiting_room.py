"""The waiting room before the journal: what is captured while the disk is in trouble, or between two commits of a group."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.frames import SIGNAL_OF
from ignis_server.telemetry.outbox.journal import Captured, Unsealed

__all__ = ["WaitingRoom"]

# What keeping something costs beside its bytes: a tuple, its numbers, a place in the queue.
OVERHEAD_BYTES: Final = 256
# What is written at once; small, as who captures waits meanwhile.
MAX_TAKEN_BYTES: Final = 256 << 10


class WaitingRoom:
    """A queue in memory with a bound: what does not fit is given up, the oldest first, and counted."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._waiting: deque[Captured] = deque()
        self._size_bytes = 0
        self._items = Counter[int]()
        # Twice, as whoever keeps accounts may not be there when it is to be told.
        self._lost = Counter[int]()
        self._untold = Counter[int]()

    @property
    def size_bytes(self) -> int:
        """The memory that what waits takes."""
        return self._size_bytes

    @property
    def max_bytes(self) -> int:
        """The memory that it may take."""
        return self._max_bytes

    def add(self, captured: Captured) -> bool:
        """Let something wait, and tell whether so much waits that it should be written down."""
        with self._lock:
            self._waiting.append(captured)
            self._items[captured.kind] += captured.items
            self._size_bytes += len(captured.data) + OVERHEAD_BYTES
            while self._size_bytes > self._max_bytes:
                oldest = self._waiting.popleft()
                self._forget(oldest)
                self._lost[oldest.kind] += oldest.items
                self._untold[oldest.kind] += oldest.items
            return self._size_bytes >= MAX_TAKEN_BYTES

    def first(self) -> Sequence[Captured]:
        """Return the oldest of what waits, some 256 KiB of it and at least one; it waits on."""
        taken: list[Captured] = []
        size = 0
        with self._lock:
            for captured in self._waiting:
                size += len(captured.data)
                if taken and size > MAX_TAKEN_BYTES:
                    break
                taken.append(captured)
        return taken

    def remove(self, taken: Sequence[Captured]) -> None:
        """Let the oldest of what waits go, which is somewhere else now."""
        with self._lock:
            for captured in taken:
                # Some of it may have been given up in the meantime.
                if self._waiting and self._waiting[0] is captured:
                    self._forget(self._waiting.popleft())
                else:
                    self._lost[captured.kind] -= captured.items
                    self._untold[captured.kind] -= captured.items

    def take_lost(self) -> Mapping[Signal, int]:
        """Return the items that were given up, to be entered into the accounts, and forget them."""
        with self._lock:
            lost, self._lost = self._lost, Counter[int]()
        return _by_signal(lost)

    def take_untold(self) -> Mapping[Signal, int]:
        """Return the items that were given up, to be told, and forget that they were not."""
        with self._lock:
            untold, self._untold = self._untold, Counter[int]()
        return _by_signal(untold)

    def waiting(self) -> Unsealed:
        """Return what waits."""
        with self._lock:
            items = {signal: self._items[kind] for kind, signal in SIGNAL_OF.items()}
            return Unsealed(items, self._waiting[0].captured_ns if self._waiting else None)

    def _forget(self, captured: Captured) -> None:
        self._items[captured.kind] -= captured.items
        self._size_bytes -= len(captured.data) + OVERHEAD_BYTES


def _by_signal(items: Mapping[int, int]) -> Mapping[Signal, int]:
    return {SIGNAL_OF[kind]: number for kind, number in items.items() if number}
