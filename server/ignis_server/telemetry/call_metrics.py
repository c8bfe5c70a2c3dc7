"""Durations and sizes of calls as histograms: counted by hand while calls end, and read when metrics are exported."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
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

__all__ = ["CallMetrics", "CallTally"]

NANOSECONDS: Final = 1_000_000_000
MILLISECONDS_OF_ONE: Final = 1e3
# Calls that are noted before they are counted: sorted, so many are counted in the time of a few.
NOTED_CALLS: Final = 256


@dataclass(slots=True)
class _Distribution:
    """Whole numbers in buckets; one holds what is no greater than its boundary (OTLP's are closed above).

    What is exported is they and their boundaries divided by `unit`.
    """

    boundaries: Sequence[float]
    unit: int = 1
    buckets: list[int] = field(default_factory=list)
    total: int = 0
    least: int | None = None
    most: int = 0

    def __post_init__(self) -> None:
        self.buckets = [0] * (len(self.boundaries) + 1)

    def add(self, values: Sequence[int]) -> None:
        """Add values, at least one."""
        ordered = sorted(values)
        below = 0
        for place, boundary in enumerate(self.boundaries):
            up_to = bisect_right(ordered, round(boundary * self.unit), below)
            self.buckets[place] += up_to - below
            below = up_to
        self.buckets[-1] += len(ordered) - below
        self.total += sum(ordered)
        self.least = ordered[0] if self.least is None else min(self.least, ordered[0])
        self.most = max(self.most, ordered[-1])

    def point(self, end: CallEnd, began_ns: int, now_ns: int, *, scale: float, with_old: bool) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=attributes_of(end, with_old=with_old),
            start_time_unix_nano=began_ns,
            time_unix_nano=now_ns,
            count=sum(self.buckets),
            sum=self.total / self.unit * scale,
            bucket_counts=list(self.buckets),
            explicit_bounds=[boundary * scale for boundary in self.boundaries],
            min=(self.least or 0) / self.unit * scale,
            max=self.most / self.unit * scale,
        )


class CallTally:
    """Counts calls that ended one way."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, int, int]] = []
        self._counting = Lock()
        self._distributions = (
            _Distribution(RPC_SERVER_CALL_DURATION.boundaries, NANOSECONDS),
            _Distribution(RPC_SERVER_REQUEST_SIZE.boundaries),
            _Distribution(RPC_SERVER_RESPONSE_SIZE.boundaries),
        )

    def add(self, took_ns: int, request_bytes: int, response_bytes: int) -> None:
        """Count a call."""
        self._noted.append((took_ns, request_bytes, response_bytes))
        if len(self._noted) >= NOTED_CALLS:
            self.distributions()

    def distributions(self) -> tuple[_Distribution, _Distribution, _Distribution]:
        """Return how long calls took, and the bytes that came and went; from any thread."""
        with self._counting:
            # Calls end while this runs: those are behind what is taken.
            noted = self._noted[:]
            if noted:
                del self._noted[: len(noted)]
                for distribution, values in zip(self._distributions, zip(*noted, strict=True), strict=True):
                    distribution.add(values)
            return self._distributions


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
        self._tallies: dict[CallEnd, CallTally] = {}

    def tally(self, end: CallEnd) -> CallTally:
        """Return what counts the calls that end one way."""
        return self._tallies.setdefault(end, CallTally())

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
            tally.distributions()[place].point(end, self._began_ns, now_ns, scale=scale, with_old=self._with_old)
            for end, tally in list(self._tallies.items())
        ]
        return Metric(
            name=row.name,
            description=row.meaning,
            unit=row.unit,
            data=Histogram(points, AggregationTemporality.CUMULATIVE),
        )
