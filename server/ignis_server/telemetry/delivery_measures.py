"""How telemetry itself gets on, by destination and signal: what was delivered, how late, and who does not take it."""

from ignis_server.signal_table import (
    DESTINATION_AVAILABLE,
    TELEMETRY_DELIVERED,
    TELEMETRY_DELIVERY_LAG,
    TELEMETRY_REJECTED,
)
from ignis_server.signals import BatchDelivered, DestinationChanged
from ignis_server.telemetry.instruments import Instruments

__all__ = ["DeliveryMeasures"]


class DeliveryMeasures:
    """The instruments that signals of delivery move."""

    def __init__(self, instruments: Instruments) -> None:
        self._available = instruments.gauge(DESTINATION_AVAILABLE)
        self._delivered = instruments.counter(TELEMETRY_DELIVERED)
        self._rejected = instruments.counter(TELEMETRY_REJECTED)
        self._lag_seconds = instruments.histogram(TELEMETRY_DELIVERY_LAG)

    def record(self, signal: BatchDelivered | DestinationChanged) -> None:
        """Record the measurements of a signal."""
        where = {"ignis.telemetry.destination": signal.destination, "ignis.telemetry.signal": signal.signal}
        match signal:
            case BatchDelivered():
                self._delivered.add(signal.delivered, where)
                self._rejected.add(signal.rejected, where)
                self._lag_seconds.record(signal.lag_seconds, where)
            case DestinationChanged():
                self._available.set(int(signal.reason == ""), where)
