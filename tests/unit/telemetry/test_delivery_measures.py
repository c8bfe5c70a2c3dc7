"""Signals of delivery as operators see them: counts, lag and state by destination and signal."""

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ignis_server.signals import BatchDelivered, DestinationChanged
from ignis_server.telemetry.instruments import Instruments
from ignis_server.telemetry.otel import OtelSignals


def test_what_was_delivered_how_late_and_who_does_not_take_it() -> None:
    reader = InMemoryMetricReader()
    signals = OtelSignals(Instruments(MeterProvider(metric_readers=[reader]).get_meter("test")))

    for signal in (
        BatchDelivered("a", "traces", 3, 1, 0.5),
        BatchDelivered("a", "traces", 5, 0, 2.0),
        BatchDelivered("b", "logs", 7, 0, 0.1),
        DestinationChanged("a", "traces", ""),
        DestinationChanged("b", "logs", "unreachable"),
    ):
        signals.report(signal)

    data = reader.get_metrics_data()
    assert data
    points: dict[tuple[str, str, str], Any] = {
        (
            metric.name,
            str(point.attributes["ignis.telemetry.destination"]),
            str(point.attributes["ignis.telemetry.signal"]),
        ): point
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if point.attributes and "ignis.telemetry.destination" in point.attributes
    }
    assert points["ignis.telemetry.delivered", "a", "traces"].value == 8
    assert points["ignis.telemetry.rejected", "a", "traces"].value == 1
    assert points["ignis.telemetry.delivered", "b", "logs"].value == 7
    assert points["ignis.telemetry.delivery.lag", "a", "traces"].sum == 2.5
    assert points["ignis.telemetry.delivery.lag", "a", "traces"].count == 2
    assert points["ignis.telemetry.destination.available", "a", "traces"].value == 1
    assert points["ignis.telemetry.destination.available", "b", "logs"].value == 0
