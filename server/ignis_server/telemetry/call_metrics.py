"""Durations and sizes of calls as histograms: counted by hand while calls end, and read when metrics are exported."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.sdk.metrics.export import AggregationTemporality, Histogram, HistogramDataPoint, Metric

from ignis_server.signal_table import (
    RPC_SERVER_CALL_DURATION,
    RPC_SERVER_DURATION,
    RPC_SERVER_REQUEST_SIZE,
    RPC_SERVER_RESPONSE_SIZE,
    Row,
)
from ignis_server.telemetry.call_spans import CallEnd, attributes_of

__all__ = ["CallMetrics"]

MILLISECONDS_OF_ONE: Final = 1e3


@dataclass(slots=True)
class _Distribution:
    """Values of calls that ended one way; a bucket holds what is no greater than its boundary (OTLP's are closed above)."""

    boundaries: Sequence[float]
    buckets: list[int] = field(default_factory=list)
    total: float = 0.0
    least: float = float("inf")
    most: float = 0.0

    def __post_init__(self) -> None:
        self.buckets = [0] * (len(self.boundaries) + 1)

    def add(self, value: float) -> None:
        self.buckets[bisect_left(self.boundaries, value)] += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)

    def point(self, end: CallEnd, began_ns: int, now_ns: int, *, scale: float, with_old: bool) -> HistogramDataPoint:
        # Calls end while this runs on a thread; what is added in between is in the next export.
        buckets = list(self.buckets)
        return HistogramDataPoint(
            attributes=attributes_of(end, with_old=with_old),
            start_time_unix_nano=began_ns,
            time_unix_nano=now_ns,
            count=sum(buckets),
            sum=self.total * scale,
            bucket_counts=buckets,
            explicit_bounds=[boundary * scale for boundary in self.boundaries],
            min=self.least * scale,
            max=self.most * scale,
        )


class CallMetrics:
    """Counts calls by how they ended, how long they took, and how many bytes came and went."""

    def __init__(self, now_ns: Callable[[], int], *, with_old: bool = False) -> None:
        """Begin to count.

        Args:
            now_ns: Nanoseconds since the epoch.
            with_old: Also give the metric that the conventions had before, in milliseconds.
        """
        self._now_ns = now_ns
        self._began_ns = now_ns()
        self._with_old = with_old
        self._ends: dict[CallEnd, tuple[_Distribution, _Distribution, _Distribution]] = {}

    def add(self, end: CallEnd, seconds: float, request_bytes: int, response_bytes: int) -> None:
        """Count a call."""
        counted = self._ends.get(end)
        if counted is None:
            counted = self._ends[end] = (
                _Distribution(RPC_SERVER_CALL_DURATION.boundaries),
                _Distribution(RPC_SERVER_REQUEST_SIZE.boundaries),
                _Distribution(RPC_SERVER_RESPONSE_SIZE.boundaries),
            )
        durations, requests, responses = counted
        durations.add(seconds)
        requests.add(request_bytes)
        responses.add(response_bytes)

    def metrics(self) -> list[Metric]:
        """Return all that was counted since the beginning."""
        found = [
            self._metric(RPC_SERVER_CALL_DURATION, 0),
            self._metric(RPC_SERVER_REQUEST_SIZE, 1),
            self._metric(RPC_SERVER_RESPONSE_SIZE, 2),
        ]
        return [*found, self._metric(RPC_SERVER_DURATION, 0, MILLISECONDS_OF_ONE)] if self._with_old else found

    def _metric(self, row: Row, place: int, scale: float = 1.0) -> Metric:
        now_ns = self._now_ns()
        points = [
            counted[place].point(end, self._began_ns, now_ns, scale=scale, with_old=self._with_old)
            for end, counted in list(self._ends.items())
        ]
        return Metric(
            name=row.name,
            description=row.meaning,
            unit=row.unit,
            data=Histogram(points, AggregationTemporality.CUMULATIVE),
        )
