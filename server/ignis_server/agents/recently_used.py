"""A dictionary with room for so many bytes: what was not used for longest goes first."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["RecentlyUsed"]

Key = TypeVar("Key")
Value = TypeVar("Value")

# What a value costs beside its own bytes: a key, an entry, a few objects.
OVERHEAD_BYTES = 512


class RecentlyUsed(Generic[Key, Value]):
    """Values by key, up to a number of bytes. A value that is larger than all the room is not kept."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """What is kept, with its overhead."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[Key, Value]]:
        """Iterate over what is kept, the least recently used first."""
        return iter([(key, value) for key, (value, _) in self._entries.items()])

    def get(self, key: Key) -> Value | None:
        """Return the value of a key, and take note that it was used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value, *, size: int) -> None:
        """Keep a value of so many bytes."""
        self.drop(key)
        cost = size + OVERHEAD_BYTES
        if cost > self._max_bytes:
            return
        self._entries[key] = (value, cost)
        self._bytes += cost
        while self._bytes > self._max_bytes:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._bytes -= dropped

    def drop(self, key: Key) -> None:
        """Forget a value, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]
