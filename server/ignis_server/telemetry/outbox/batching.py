"""From what was captured to batches: it is put together by signal, and parted where it becomes too much."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.frames import SIGNAL_OF
from ignis_server.telemetry.outbox.origin import Origin

__all__ = ["BATCH_BYTES", "BATCH_ITEMS", "Draft", "Gathered"]

# As much is enough for a batch, which need not wait for its time then.
BATCH_ITEMS: Final = 2_000
BATCH_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A batch that has no number yet; its fields mean what they do there."""

    signal: Signal
    items: int
    captured_ns: int
    digest: bytes
    resource: bytes
    content: bytes


@dataclass(slots=True)
class _Part:
    """What will be a batch: the kind of its frames, when the first was captured, and what is in them."""

    kind: int
    captured_ns: int
    items: int = 0
    size_bytes: int = 0
    data: list[bytes | memoryview] = field(default_factory=list)


class Gathered:
    """What was captured, by signal and in order; a part has at most 2,000 items and 1 MiB, unless one frame alone is more.

    Attributes:
        size_bytes: All of it.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._parts: list[_Part] = []
        # By kind, that which still grows.
        self._open: dict[int, _Part] = {}

    def add(self, kind: int, items: int, captured_ns: int, data: bytes | memoryview) -> bool:
        """Add what a frame says; tell whether there is enough for a batch."""
        size = len(data)
        part = self._open.get(kind)
        if part is None or part.items + items > BATCH_ITEMS or part.size_bytes + size > BATCH_BYTES:
            part = self._open[kind] = _Part(kind, captured_ns)
            self._parts.append(part)
        part.data.append(data)
        part.items += items
        part.size_bytes += size
        self.size_bytes += size
        return part.items >= BATCH_ITEMS or self.size_bytes >= BATCH_BYTES

    @property
    def items(self) -> Mapping[int, int]:
        """How many items there are of each kind."""
        found = Counter[int]()
        for part in self._parts:
            found[part.kind] += part.items
        return found

    @property
    def oldest_ns(self) -> int | None:
        """When the first was captured; None where nothing is there."""
        return self._parts[0].captured_ns if self._parts else None

    def drafts(self, origin: Origin) -> Sequence[Draft]:
        """Return it as batches, in the order in which their first items were captured."""
        return [_draft(SIGNAL_OF[part.kind], part, origin) for part in self._parts]


def _draft(signal: Signal, part: _Part, origin: Origin) -> Draft:
    content = b"".join((origin.scope, *part.data))
    return Draft(signal, part.items, part.captured_ns, sha256(content).digest(), origin.resource, content)
