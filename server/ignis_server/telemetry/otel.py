"""The one place that knows the OpenTelemetry SDK: providers, exporters, and signals as instruments."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from opentelemetry.metrics import Meter, NoOpMeterProvider, Observation
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from ignis_server.signals import (
    AgentsLoaded,
    AgentsSearched,
    BackgroundFailed,
    CacheFailed,
    CacheWarmed,
    CatalogCompiled,
    CatalogReloaded,
    LoadAnswered,
    SharedStoreChanged,
    Signal,
    Signals,
)
from ignis_server.telemetry.call_durations import DurationsExporter
from ignis_server.telemetry.call_export import CallExporter, encode_resource, send_calls, send_rest
from ignis_server.telemetry.ledger import Ledger
from ignis_server.telemetry.rpc_hook import RpcTelemetry

__all__ = ["OtelSignals", "Telemetry", "TelemetrySettings", "telemetry"]

SCOPE = "ignis_server"

# Boundaries in tokens: from a card to a catalog.
TOKEN_BOUNDARIES = (100.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6)


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where telemetry goes; without an endpoint it goes nowhere, and the service behaves the same."""

    endpoint: str | None
    service_name: str
    export_interval_seconds: float = 1.0
    export_timeout_seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the rest of the service needs of telemetry."""

    signals: Signals
    rpc: RpcTelemetry


@asynccontextmanager
async def telemetry(settings: TelemetrySettings) -> AsyncIterator[Telemetry]:
    """Export until the block ends, then send what is left.

    Exporting happens beside the calls, on threads. Spans of calls wait in a queue of 20,000; what does not fit is dropped,
    the oldest first, and counted. A collector that does not answer within 3 s, retries included, is tried again a
    second later. The end of the block waits for two exports at most, so 6 s for a collector that is silent.
    """
    if settings.endpoint is None:
        yield Telemetry(OtelSignals(NoOpMeterProvider().get_meter(SCOPE)), RpcTelemetry(is_on=False))
        return
    resource = Resource.create({"service.name": settings.service_name, "service.version": version("ignis-agents")})
    recorder = RpcTelemetry(is_on=True)
    where: dict[str, Any] = {
        "endpoint": settings.endpoint,
        "insecure": not settings.endpoint.startswith("https://"),
        "timeout": settings.export_timeout_seconds,
    }
    calls = CallExporter(encode_resource(resource), InstrumentationScope(name=SCOPE), **where)
    reader = PeriodicExportingMetricReader(
        DurationsExporter(recorder.durations, **where),
        export_interval_millis=settings.export_interval_seconds * 1_000,
    )
    meters = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = meters.get_meter(SCOPE)
    meter.create_observable_counter(
        "ignis.telemetry.dropped_spans",
        [lambda _: [Observation(recorder.dropped)]],
        unit="{span}",
        description="Spans of calls that there was no room for while the receiver was away.",
    )
    sending = asyncio.create_task(
        send_calls(recorder, calls, settings.export_interval_seconds), name="telemetry-of-calls"
    )
    try:
        yield Telemetry(OtelSignals(meter), recorder)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        recorder.sum_up()
        await asyncio.gather(send_rest(recorder, calls), asyncio.to_thread(meters.shutdown))
        await asyncio.to_thread(calls.shutdown)


class OtelSignals:
    """Turns signals into measurements."""

    def __init__(self, meter: Meter) -> None:
        self._ledger = Ledger(meter)
        self._agents = meter.create_gauge(
            "ignis.catalog.agents", unit="{agent}", description="Agents in the catalog that is being served."
        )
        self._catalog_tokens = meter.create_gauge(
            "ignis.catalog.tokens", unit="{token}", description="Tokens of the whole catalog in full."
        )
        self._diagnostics = meter.create_gauge(
            "ignis.catalog.diagnostics", unit="{diagnostic}", description="Remarks on the catalog's files by severity."
        )
        self._compile_seconds = meter.create_histogram(
            "ignis.catalog.compile.duration", unit="s", description="Time to compile the catalog."
        )
        self._reloads = meter.create_counter(
            "ignis.catalog.reloads", unit="{reload}", description="Times that the catalog's files changed, by outcome."
        )
        self._shared_state = meter.create_gauge(
            "ignis.cache.shared.available",
            description="1 where the shared cache is read from or written to, 0 while it is in trouble, by operation.",
        )
        self._warm_seconds = meter.create_histogram(
            "ignis.cache.warm.duration", unit="s", description="Time to make answers ready ahead, by occasion."
        )
        self._warmed = meter.create_counter(
            "ignis.cache.warmed", unit="{answer}", description="Answers that were made ready ahead, by occasion."
        )
        self._background_failures = meter.create_counter(
            "ignis.background.failures", unit="{failure}", description="Times that work beside the calls began anew."
        )
        self._load_seconds = meter.create_histogram(
            "ignis.load.duration", unit="s", description="Time to choose agents and put a bundle together."
        )
        self._loaded_tokens = meter.create_histogram(
            "ignis.load.bundle.tokens",
            unit="{token}",
            description="Tokens of a bundle that was computed.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDARIES,
        )
        self._cache_failures = meter.create_counter(
            "ignis.cache.failures",
            unit="{failure}",
            description="Times that a cache could not be read or written, by cache, operation and reason.",
        )
        self._search_seconds = meter.create_histogram(
            "ignis.search.duration", unit="s", description="Time to rank the catalog for a query."
        )

    def report(self, signal: Signal) -> None:
        """Record the measurements of a signal."""
        match signal:
            case LoadAnswered():
                self._ledger.enter(signal)
            case CatalogCompiled():
                self._agents.set(signal.agents)
                self._catalog_tokens.set(signal.full_tokens)
                self._diagnostics.set(signal.errors, {"ignis.severity": "error"})
                self._diagnostics.set(signal.warnings, {"ignis.severity": "warning"})
                self._compile_seconds.record(signal.seconds)
            case SharedStoreChanged():
                self._shared_state.set(int(signal.reason == ""), {"ignis.cache.operation": signal.operation})
            case CacheWarmed():
                occasion = {"ignis.cache.occasion": signal.occasion}
                self._warm_seconds.record(signal.seconds, occasion)
                self._warmed.add(signal.ready, occasion)
            case BackgroundFailed():
                self._background_failures.add(1, {"ignis.task": signal.task})
            case CatalogReloaded():
                self._reloads.add(1, {"ignis.outcome": signal.outcome})
            case AgentsLoaded():
                self._load_seconds.record(signal.seconds)
                self._loaded_tokens.record(signal.counts.loaded_tokens)
            case AgentsSearched():
                self._search_seconds.record(signal.seconds)
            case CacheFailed():
                self._cache_failures.add(
                    1,
                    {
                        "ignis.cache.store": signal.store,
                        "ignis.cache.operation": signal.operation,
                        "ignis.cache.reason": signal.reason,
                    },
                )
