"""The caches in figures: whether they can be used, and what was made ready ahead."""

from ignis_server.signal_table import CACHE_FAILURES, CACHE_SHARED_AVAILABLE, CACHE_WARM_DURATION, CACHE_WARMED
from ignis_server.signals import CacheFailed, CacheWarmed, SharedStoreChanged
from ignis_server.telemetry.instruments import Instruments

__all__ = ["CacheMeasures"]


class CacheMeasures:
    """The instruments that signals of caches move."""

    def __init__(self, instruments: Instruments) -> None:
        self._available = instruments.gauge(CACHE_SHARED_AVAILABLE)
        self._failures = instruments.counter(CACHE_FAILURES)
        self._warmed = instruments.counter(CACHE_WARMED)
        self._warm_seconds = instruments.histogram(CACHE_WARM_DURATION)

    def record(self, signal: CacheFailed | CacheWarmed | SharedStoreChanged) -> None:
        """Record the measurements of a signal."""
        match signal:
            case SharedStoreChanged():
                self._available.set(int(signal.reason == ""), {"ignis.cache.operation": signal.operation})
            case CacheWarmed():
                occasion = {"ignis.cache.occasion": signal.occasion}
                self._warm_seconds.record(signal.seconds, occasion)
                self._warmed.add(signal.ready, occasion)
            case CacheFailed():
                failure = {
                    "ignis.cache.store": signal.store,
                    "ignis.cache.operation": signal.operation,
                    "ignis.cache.reason": signal.reason,
                }
                self._failures.add(1, failure)
