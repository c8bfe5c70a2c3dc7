"""Durations and sizes of calls as histograms."""

from collections.abc import Sequence
from threading import Event, Thread
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
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
    for microseconds in (400, 500, 510, 30_000, 31_000_000):
        metrics.tally(GOOD).add(microseconds * 1_000, 10, 100)

    (point,) = points_of(metrics, "rpc.server.call.duration")
    assert counted(point) == {0.0005: 2, 0.001: 1, 0.05: 1, "more": 1}
    assert (point.count, point.min, point.max) == (5, 0.0004, 31.0)


@given(st.lists(st.integers(0, 20 * 10**9), min_size=1, max_size=1_000), st.integers(1, 400))
def test_many_calls_are_counted_as_each_of_them_would_be(took: list[int], every: int) -> None:
    metrics = CallMetrics(lambda: 0)
    for number, each in enumerate(took):
        metrics.tally(GOOD).add(each, each % 1_000, 0)
        if number % every == 0:
            metrics.metrics()

    (point,) = points_of(metrics, "rpc.server.call.duration")
    bounds = [round(bound * 1e9) for bound in point.explicit_bounds]
    assert point.bucket_counts == [
        sum(low < each <= high for each in took) for low, high in zip([-1, *bounds], [*bounds, 10**12], strict=True)
    ]
    assert (point.count, point.sum) == (len(took), sum(took) / 1e9)
    assert (point.min, point.max) == (min(took) / 1e9, max(took) / 1e9)
    (sizes,) = points_of(metrics, "rpc.server.request.size")
    assert sizes.sum == sum(each % 1_000 for each in took)


def test_calls_that_end_while_metrics_are_read_are_counted_once() -> None:
    metrics = CallMetrics(lambda: 0)
    tally = metrics.tally(GOOD)
    is_done = Event()

    def read() -> None:
        while not is_done.is_set():
            metrics.metrics()

    reader = Thread(target=read)
    reader.start()
    for _ in range(50_000):
        tally.add(1_000, 1, 2)
    is_done.set()
    reader.join()

    assert [point.sum for point in points_of(metrics, "rpc.server.response.size")] == [100_000]
    assert [point.count for point in points_of(metrics, "rpc.server.call.duration")] == [50_000]


def test_calls_are_told_apart_by_method_and_end() -> None:
    metrics = CallMetrics(lambda: 0)
    metrics.tally(GOOD).add(1_000_000, 64, 65)
    metrics.tally(BAD).add(1_000_000, 64, 0)

    ends = {
        cast("str", (point.attributes or {})["rpc.response.status_code"]): (point.count, point.sum)
        for point in points_of(metrics, "rpc.server.response.size")
    }
    assert ends == {"OK": (1, 65), "NOT_FOUND": (1, 0)}
    assert [counted(point) for point in points_of(metrics, "rpc.server.request.size")] == [{64: 1}, {64: 1}]


def test_the_old_metric_comes_only_when_it_is_asked_for_and_in_milliseconds() -> None:
    assert "rpc.server.duration" not in {metric.name for metric in CallMetrics(lambda: 0).metrics()}
    metrics = CallMetrics(lambda: 0, with_old=True)
    metrics.tally(BAD).add(500_000_000, 1, 1)

    (point,) = points_of(metrics, "rpc.server.duration")
    assert (point.sum, counted(point)) == (500, {500: 1})
    attributes = point.attributes or {}
    assert (attributes["rpc.service"], attributes["rpc.grpc.status_code"]) == ("s", 5)
