"""What is too large for one request is cut in halves, again and again, down to single items."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from ignis_server.telemetry.model import Batch, Signal
from ignis_server.telemetry.otlp import batch_headers, export_request

__all__ = ["Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A batch, or a piece of one: the `number`th of `count` that there are where all are cut as often as this one was.

    So the first half of a batch is 1/2, and the halves of the second are 3/4 and 4/4. Each piece says so in an attribute of its
    resource, `ignis.batch.part`, and in a header, and is otherwise marked as the whole batch is: a receiver has all of
    a batch when it has as many items of it as the batch says that it has.
    """

    batch: Batch
    content: bytes
    items: int
    number: int = 1
    count: int = 1

    @classmethod
    def whole(cls, batch: Batch) -> "Part":
        """Return a batch in one piece."""
        return cls(batch, batch.content, batch.items)

    @property
    def name(self) -> str:
        """Which part it is, such as "2/4"; empty where it is the whole."""
        return f"{self.number}/{self.count}" if self.count > 1 else ""

    def request(self) -> bytes:
        """Return the request that sends it."""
        if self.count == 1:
            return export_request(self.batch)
        mark = KeyValue(key="ignis.batch.part", value=AnyValue(string_value=self.name))
        resource = self.batch.resource + Resource(attributes=[mark]).SerializeToString()
        return export_request(replace(self.batch, resource=resource, content=self.content))

    def headers(self) -> Mapping[str, str]:
        """Return what travels beside it."""
        named = batch_headers(self.batch)
        return {**named, "ignis-batch-part": self.name} if self.name else named

    def halves(self) -> Sequence["Part"]:
        """Cut it in two; a single item is not cut, and nothing is returned.

        Raises:
            google.protobuf.message.DecodeError: The content is no scope of its signal.
        """
        halves = tuple(_halves(self.batch.signal, self.content))
        return tuple(
            Part(self.batch, content, items, 2 * self.number - 1 + place, 2 * self.count)
            for place, (content, items) in enumerate(halves)
        )


def _halves(signal: Signal, content: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield two contents, each with the number of its items; none where there is but one item."""
    match signal:
        case Signal.TRACES:
            yield from _cut(ScopeSpans.FromString(content), lambda scope: scope.spans)
        case Signal.LOGS:
            yield from _cut(ScopeLogs.FromString(content), lambda scope: scope.log_records)
        case Signal.METRICS:
            metrics = ScopeMetrics.FromString(content)
            # An item is a point: a metric that stands alone is cut into two that each have half of its points.
            yield from _cut(metrics, _points_of_one if len(metrics.metrics) == 1 else lambda scope: scope.metrics)


def _cut(scope: Message, items_of: Callable[[Any], Any]) -> Iterator[tuple[bytes, int]]:
    count = len(items_of(scope))
    if count <= 1:
        return
    for begin, end in ((0, count // 2), (count // 2, count)):
        # A copy that is cut down, so that whatever stands beside the items, known to us or not, stands in both.
        half = type(scope)()
        half.CopyFrom(scope)
        items = items_of(half)
        del items[end:]
        del items[:begin]
        yield half.SerializeToString(), sum(map(_items_in, items))


def _items_in(item: Message) -> int:
    return len(_points(item)) if isinstance(item, Metric) else 1


def _points_of_one(scope: Any) -> Any:  # noqa: ANN401 - OpenTelemetry's messages have no types
    return _points(scope.metrics[0])


def _points(metric: Any) -> Any:  # noqa: ANN401 - as above
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else []
