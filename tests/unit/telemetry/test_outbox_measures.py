"""What an operator sees of the outbox."""

from typing import cast

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from ignis_server.signals import OutboxChanged, OutboxMeasured, Signal, TelemetryLost
from ignis_server.telemetry.instruments import Instruments
from ignis_server.telemetry.otel import OtelSignals

Point = tuple[tuple[tuple[str, object], ...], float]


def measured_of(*signals: Signal) -> dict[str, list[Point]]:
    """Report signals, and return the points of each instrument that has any."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    otel = OtelSignals(Instruments(provider.get_meter("test")))
    for signal in signals:
        otel.report(signal)
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[str, list[Point]] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        points = [cast("NumberDataPoint", point) for point in metric.data.data_points]
        found[metric.name] = [(tuple((point.attributes or {}).items()), point.value) for point in points]
    provider.shutdown()
    return found


def test_trouble_is_seen_until_it_is_over() -> None:
    troubled = measured_of(OutboxChanged(""), OutboxChanged("full"), OutboxChanged("broken"))
    well = measured_of(OutboxChanged("full"), OutboxChanged(""))

    assert troubled["ignis.outbox.available"] == [((), 0)]
    assert troubled["ignis.outbox.troubles"] == [
        ((("ignis.outbox.reason", "full"),), 1),
        ((("ignis.outbox.reason", "broken"),), 1),
    ]
    assert well["ignis.outbox.available"] == [((), 1)]


def test_what_waits_is_seen_with_its_bound_and_its_age() -> None:
    found = measured_of(OutboxMeasured(1_000, 4_000, 2.5))

    assert [found[f"ignis.outbox.{name}"] for name in ("size", "limit", "age")] == [
        [((), 1_000)],
        [((), 4_000)],
        [((), 2.5)],
    ]


def test_what_is_lost_is_counted_by_signal_and_reason() -> None:
    found = measured_of(
        TelemetryLost("traces", 3, 300, "shed"),
        TelemetryLost("traces", 4, 400, "shed"),
        TelemetryLost("unknown", 0, 50, "corrupt"),
    )

    shed = (("ignis.telemetry.signal", "traces"), ("ignis.telemetry.reason", "shed"))
    corrupt = (("ignis.telemetry.signal", "unknown"), ("ignis.telemetry.reason", "corrupt"))
    assert found["ignis.telemetry.lost"] == [(shed, 7), (corrupt, 0)]
    assert found["ignis.telemetry.lost.size"] == [(shed, 700), (corrupt, 50)]
