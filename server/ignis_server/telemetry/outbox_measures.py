"""What an operator sees of the outbox: whether its disk is well, how much waits for how long, and what is lost."""

from ignis_server.signal_table import (
    OUTBOX_AGE,
    OUTBOX_AVAILABLE,
    OUTBOX_LIMIT,
    OUTBOX_SIZE,
    OUTBOX_TROUBLES,
    TELEMETRY_LOST,
    TELEMETRY_LOST_SIZE,
)
from ignis_server.signals import OutboxChanged, OutboxMeasured, TelemetryLost
from ignis_server.telemetry.instruments import Instruments

__all__ = ["OutboxMeasures"]


class OutboxMeasures:
    """Turns the outbox's signals into measurements."""

    def __init__(self, instruments: Instruments) -> None:
        self._available = instruments.gauge(OUTBOX_AVAILABLE)
        self._troubles = instruments.counter(OUTBOX_TROUBLES)
        self._size = instruments.gauge(OUTBOX_SIZE)
        self._limit = instruments.gauge(OUTBOX_LIMIT)
        self._age = instruments.gauge(OUTBOX_AGE)
        self._lost_items = instruments.counter(TELEMETRY_LOST)
        self._lost_size = instruments.counter(TELEMETRY_LOST_SIZE)

    def record(self, signal: OutboxChanged | OutboxMeasured | TelemetryLost) -> None:
        """Record the measurements of a signal."""
        match signal:
            case OutboxChanged():
                self._available.set(int(signal.reason == ""))
                if signal.reason:
                    self._troubles.add(1, {"ignis.outbox.reason": signal.reason})
            case OutboxMeasured():
                self._size.set(signal.size_bytes)
                self._limit.set(signal.limit_bytes)
                self._age.set(signal.age_seconds)
            case TelemetryLost():
                lost = {"ignis.telemetry.signal": signal.signal, "ignis.telemetry.reason": signal.reason}
                self._lost_items.add(signal.items, lost)
                self._lost_size.add(signal.size_bytes, lost)
