"""From frames to batches: what was captured one by one is put together by signal, and parted where it becomes too much."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.frames import SIGNAL_OF, Frame
from ignis_server.telemetry.outbox.journal import BATCH_BYTES, BATCH_ITEMS
from ignis_server.telemetry.outbox.origin import Origin

__all__ = ["Draft", "drafts_of"]


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
    signal: Signal
    captured_ns: int
    items: int = 0
    size_bytes: int = 0
    data: list[memoryview] = field(default_factory=list)


def drafts_of(frames: Iterable[Frame], origin: Origin) -> Sequence[Draft]:
    """Return frames of items as batches, in the order in which their first items were captured.

    A batch has at most 2,000 items and 1 MiB of them, unless something was captured at once that is more.
    """
    parts: list[_Part] = []
    open_parts: dict[int, _Part] = {}
    for frame in frames:
        signal = SIGNAL_OF.get(frame.kind)
        if signal is None:
            continue
        part = open_parts.get(frame.kind)
        if part is None or not _has_room(part, frame):
            part = open_parts[frame.kind] = _Part(signal, frame.captured_ns)
            parts.append(part)
        part.items += frame.items
        part.size_bytes += len(frame.data)
        part.data.append(frame.data)
    return [_draft(part, origin) for part in parts]


def _has_room(part: _Part, frame: Frame) -> bool:
    return part.items + frame.items <= BATCH_ITEMS and part.size_bytes + len(frame.data) <= BATCH_BYTES


def _draft(part: _Part, origin: Origin) -> Draft:
    content = b"".join((origin.scope, *part.data))
    return Draft(part.signal, part.items, part.captured_ns, sha256(content).digest(), origin.resource, content)
