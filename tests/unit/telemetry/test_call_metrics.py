"""Durations and sizes of calls as histograms."""

from collections.abc import Sequence
from typing import cast

from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint

from ignis_server.telemetry.call_metrics import CallMetrics
from ignis_server.telemetry.call_spans import CallEnd

GOOD = CallEnd("s/m", "OK", "", is_fault=False)
BAD = CallEnd("s/m", "NOT_FOUND", "AGENT_NOT_FOUND", is_fault=False)


def points_of(metrics: CallMetrics, name: str) -> Sequence[HistogramDataPoint]:
    (metric,) = [metric for metric in metrics.metrics() if metric.name == name]
    assert isinstance(metric.data, Histogram)
    return metric.data.data_points


def counted(point: HistogramDataPoint) -> dict[object, int]:
    bounds: list[object] = [*point.explicit_bounds, "more"]
    return {bound: count for bound, count in zip(bounds, point.bucket_counts, strict=True) if count}


def test_durations_are_counted_in_buckets_that_are_closed_above() -> None:
    metrics = CallMetrics(lambda: 0)
    for seconds in (0.0004, 0.0005, 0.00051, 0.03, 31.0):
        metrics.add(GOOD, seconds, 10, 100)

    (point,) = points_of(metrics, "rpc.server.call.duration")
    assert counted(point) == {0.0005: 2, 0.001: 1, 0.05: 1, "more": 1}
    assert (point.count, point.min, point.max) == (5, 0.0004, 31.0)


def test_calls_are_told_apart_by_method_and_end() -> None:
    metrics = CallMetrics(lambda: 0)
    metrics.add(GOOD, 0.001, 64, 65)
    metrics.add(BAD, 0.001, 64, 0)

    ends = {
        cast("str", (point.attributes or {})["rpc.response.status_code"]): (point.count, point.sum)
        for point in points_of(metrics, "rpc.server.response.size")
    }
    assert ends == {"OK": (1, 65), "NOT_FOUND": (1, 0)}
    assert [counted(point) for point in points_of(metrics, "rpc.server.request.size")] == [{64: 1}, {64: 1}]


def test_the_old_metric_comes_only_when_it_is_asked_for_and_in_milliseconds() -> None:
    assert "rpc.server.duration" not in {metric.name for metric in CallMetrics(lambda: 0).metrics()}
    metrics = CallMetrics(lambda: 0, with_old=True)
    metrics.add(BAD, 0.5, 1, 1)

    (point,) = points_of(metrics, "rpc.server.duration")
    assert (point.sum, counted(point)) == (500, {500: 1})
    attributes = point.attributes or {}
    assert (attributes["rpc.service"], attributes["rpc.grpc.status_code"]) == ("s", 5)
