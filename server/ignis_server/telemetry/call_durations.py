"""Durations of calls as a histogram: counted by hand while calls end, and handed to the SDK when metrics are exported."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.semconv._incubating.metrics import rpc_metrics

from ignis_server.telemetry.call_spans import CallEnd

__all__ = ["CallDurations", "DurationsExporter"]

# Boundaries in seconds: from a cached answer in a fraction of a millisecond to a drained long poll.
BOUNDARIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class _Sums:
    """The calls that ended one way; a bucket holds what is no longer than its boundary (OTLP's are closed above)."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDARIES) + 1))
    seconds: float = 0.0
    least: float = float("inf")
    most: float = 0.0


class CallDurations:
    """Counts calls by how they ended and how long they took."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._began_ns = now_ns()
        self._sums: dict[CallEnd, _Sums] = {}

    def add(self, end: CallEnd, seconds: float) -> None:
        """Count a call."""
        sums = self._sums.get(end)
        if sums is None:
            sums = self._sums[end] = _Sums()
        sums.buckets[bisect_left(BOUNDARIES, seconds)] += 1
        sums.seconds += seconds
        sums.least = min(sums.least, seconds)
        sums.most = max(sums.most, seconds)

    def metric(self) -> Metric:
        """Return all that was counted since the beginning."""
        now_ns = self._now_ns()
        # Calls end while this runs on a thread; what is added in between is in the next export.
        points = [
            HistogramDataPoint(
                attributes=_attributes(end),
                start_time_unix_nano=self._began_ns,
                time_unix_nano=now_ns,
                count=sum(buckets),
                sum=sums.seconds,
                bucket_counts=buckets,
                explicit_bounds=BOUNDARIES,
                min=sums.least,
                max=sums.most,
            )
            for end, sums in list(self._sums.items())
            for buckets in [list(sums.buckets)]
        ]
        return Metric(
            name=rpc_metrics.RPC_SERVER_CALL_DURATION,
            description="Time from the first byte of a call to its status.",
            unit="s",
            data=Histogram(points, AggregationTemporality.CUMULATIVE),
        )


class DurationsExporter(OTLPMetricExporter):
    """Exports what the SDK collected, and the durations of calls with it."""

    def __init__(self, durations: CallDurations, *, endpoint: str, insecure: bool, timeout: float) -> None:
        super().__init__(endpoint=endpoint, insecure=insecure, timeout=timeout)
        self._durations = durations

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:
        """Export a collection."""
        first, *rest = metrics_data.resource_metrics
        scope, *scopes = first.scope_metrics
        with_durations = replace(scope, metrics=[*scope.metrics, self._durations.metric()])
        whole = replace(first, scope_metrics=[with_durations, *scopes])
        return super().export(replace(metrics_data, resource_metrics=[whole, *rest]), timeout_millis, **kwargs)


def _attributes(end: CallEnd) -> Mapping[str, str]:
    attributes = {"rpc.system.name": "grpc", "rpc.method": end.method, "rpc.response.status_code": end.code}
    return attributes | {"error.type": end.error_type} if end.error_type else attributes
