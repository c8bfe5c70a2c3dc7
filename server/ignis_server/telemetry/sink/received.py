"""What a receiver has: batches by outbox and sequence, with how often each arrived, and counts of what was in them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Histogram, Metric, NumberDataPoint, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.otlp import fields_of

__all__ = ["BatchCorrupt", "Received", "ReceivedBatch"]

# Batches that are remembered of one outbox; the oldest are forgotten. At five a second, those of two days.
MAX_BATCHES = 1_000_000


class BatchCorrupt(Exception):
    """A batch is not what its digest says."""


@dataclass(slots=True)
class ReceivedBatch:
    """A batch of which anything has arrived; see `ignis.telemetry.v1.ReceivedBatch`."""

    signal: Signal
    digest: str
    item_count: int
    received_count: int = 0
    copy_count: int = 0


@dataclass(slots=True)
class Received:
    """All that has arrived since the receiver began.

    Attributes:
        batches: By outbox and sequence.
        spans: How many spans, by name.
        points: How many metric points, by metric.
        logs: How many log records, by event.
        numbers: The latest value of each number, by metric and by its attributes as "key=value", sorted.
        corrupt: Batches that were refused because they were not what their digests say.
        recoded: Batches that came by way of others who have encoded them otherwise.
        unnamed: Items of senders that do not number their batches.
    """

    batches: dict[str, dict[int, ReceivedBatch]] = field(default_factory=dict)
    spans: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    logs: Counter[str] = field(default_factory=Counter)
    numbers: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)
    corrupt: int = 0
    recoded: int = 0
    unnamed: int = 0

    def take(self, signal: Signal, request: bytes, *, is_direct: bool = True) -> None:
        """Take in a request.

        Args:
            signal: What its items are.
            request: An Export(Trace|Metrics|Logs)ServiceRequest.
            is_direct: Whether it comes from who made it. Others may have encoded it otherwise, which no repetition would mend.

        Raises:
            BatchCorrupt: One of its batches is not what its digest says; nothing of the request is counted.
            ValueError: It is no request.
        """
        parts = [_Part.of(content) for _, content in fields_of(request)]
        corrupt = sum(part.is_corrupt for part in parts)
        if corrupt and is_direct:
            self.corrupt += 1
            raise BatchCorrupt("a batch is not what its digest says: send it again")
        self.recoded += corrupt
        for part in parts:
            items = sum(self._count(signal, content) for content in part.contents)
            self._note(signal, part, items)

    def gaps(self, outbox_id: str) -> list[int]:
        """Return the sequences below the highest of an outbox of which nothing has arrived."""
        known = self.batches.get(outbox_id, {})
        return [sequence for sequence in range(1, max(known, default=0)) if sequence not in known]

    def _note(self, signal: Signal, part: "_Part", items: int) -> None:
        if not part.outbox_id:
            self.unnamed += items
            return
        known = self.batches.setdefault(part.outbox_id, {})
        batch = known.get(part.sequence)
        if batch is None:
            batch = known[part.sequence] = ReceivedBatch(signal, part.digest, part.item_count)
            if len(known) > MAX_BATCHES:
                del known[min(known)]
        batch.received_count += items
        batch.copy_count = batch.received_count // batch.item_count if batch.item_count else 1

    def _count(self, signal: Signal, content: bytes) -> int:
        match signal:
            case Signal.TRACES:
                spans = ScopeSpans.FromString(content).spans
                self.spans.update(span.name for span in spans)
                return len(spans)
            case Signal.LOGS:
                records = ScopeLogs.FromString(content).log_records
                self.logs.update(record.event_name for record in records)
                return len(records)
            case Signal.METRICS:
                return sum(map(self._count_metric, ScopeMetrics.FromString(content).metrics))

    def _count_metric(self, metric: Metric) -> int:
        data = getattr(metric, metric.WhichOneof("data") or "gauge")
        self.points[metric.name] += len(data.data_points)
        if not isinstance(data, Histogram):
            self.numbers |= {
                (metric.name, _attributes(each)): each.as_int or each.as_double for each in data.data_points
            }
        return len(data.data_points)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one resource of a request says of itself, and its contents."""

    outbox_id: str
    sequence: int
    item_count: int
    digest: str
    is_piece: bool
    contents: Sequence[bytes]

    @classmethod
    def of(cls, data: bytes) -> "_Part":
        fields = list(fields_of(data))
        resource = Resource.FromString(b"".join(content for number, content in fields if number == 1))
        said = {each.key: each.value for each in resource.attributes}
        nothing = AnyValue()
        return cls(
            said.get("ignis.outbox.id", nothing).string_value,
            said.get("ignis.batch.sequence", nothing).int_value,
            said.get("ignis.batch.items", nothing).int_value,
            said.get("ignis.batch.digest", nothing).string_value,
            "ignis.batch.part" in said,
            [content for number, content in fields if number == 2],  # noqa: PLR2004 - the field of what is in a scope
        )

    @property
    def is_corrupt(self) -> bool:
        """Whether it is whole and not what its digest says; a piece has no digest of its own."""
        if not self.outbox_id or self.is_piece:
            return False
        return self.digest not in {f"sha256:{hashlib.sha256(content).hexdigest()}" for content in self.contents}


def _attributes(point: NumberDataPoint) -> tuple[str, ...]:
    return tuple(sorted(f"{each.key}={_value(each.value)}" for each in point.attributes))


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else ""
