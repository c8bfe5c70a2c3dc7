"""Instruments of the SDK, made from rows of the signal table."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation, _Gauge

from ignis_server.signal_table import Kind, Row

__all__ = ["Instruments"]

Read = Callable[[], Iterable[Observation]]


class Instruments:
    """Makes instruments with a meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def counter(self, row: Row) -> Counter:
        """Return a counter that is added to."""
        return self._meter.create_counter(row.name, row.unit, row.meaning)

    def gauge(self, row: Row) -> _Gauge:
        """Return a gauge that is set."""
        return self._meter.create_gauge(row.name, row.unit, row.meaning)

    def histogram(self, row: Row) -> Histogram:
        """Return a histogram with the row's boundaries."""
        return self._meter.create_histogram(
            row.name, row.unit, row.meaning, explicit_bucket_boundaries_advisory=row.boundaries
        )

    def observe(self, row: Row, read: Read) -> None:
        """Have a value read whenever metrics are exported."""
        create = {
            Kind.COUNTER: self._meter.create_observable_counter,
            Kind.UP_DOWN_COUNTER: self._meter.create_observable_up_down_counter,
            Kind.GAUGE: self._meter.create_observable_gauge,
        }[row.kind]

        def observed(_: CallbackOptions) -> Iterable[Observation]:
            return read()

        create(row.name, [observed], row.unit, row.meaning)
