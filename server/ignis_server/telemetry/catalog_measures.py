"""The catalog in figures: how large it is, how long it takes to compile, how often it changes."""

from ignis_server.signal_table import (
    CATALOG_AGENTS,
    CATALOG_COMPILE_DURATION,
    CATALOG_DIAGNOSTICS,
    CATALOG_RELOADS,
    CATALOG_TOKENS,
)
from ignis_server.signals import CatalogCompiled, CatalogReloaded
from ignis_server.telemetry.instruments import Instruments

__all__ = ["CatalogMeasures"]


class CatalogMeasures:
    """The instruments that signals of the catalog move."""

    def __init__(self, instruments: Instruments) -> None:
        self._agents = instruments.gauge(CATALOG_AGENTS)
        self._tokens = instruments.gauge(CATALOG_TOKENS)
        self._diagnostics = instruments.gauge(CATALOG_DIAGNOSTICS)
        self._compile_seconds = instruments.histogram(CATALOG_COMPILE_DURATION)
        self._reloads = instruments.counter(CATALOG_RELOADS)

    def record(self, signal: CatalogCompiled | CatalogReloaded) -> None:
        """Record the measurements of a signal."""
        match signal:
            case CatalogCompiled():
                self._agents.set(signal.agents)
                self._tokens.set(signal.full_tokens)
                self._diagnostics.set(signal.errors, {"ignis.severity": "error"})
                self._diagnostics.set(signal.warnings, {"ignis.severity": "warning"})
                self._compile_seconds.record(signal.seconds)
            case CatalogReloaded():
                self._reloads.add(1, {"ignis.outcome": signal.outcome})
