"""The one place that knows the OpenTelemetry SDK: providers, exporters, and signals as instruments."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracerProvider

from ignis_server.clock import Clock
from ignis_server.signals import AgentsLoaded, AgentsSearched, CacheFailed, CatalogCompiled, Signal, Signals
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
async def telemetry(settings: TelemetrySettings, clock: Clock) -> AsyncIterator[Telemetry]:
    """Export until the block ends, then send what is left.

    Exporting happens on threads of the SDK, with its queue of 2,048 spans: what does not fit is dropped, and
    a collector that does not answer within 3 s, retries included, costs what was to be sent. The end of the block
    waits for two exports at most, so 6 s for a collector that is silent.
    """
    if settings.endpoint is None:
        tracer = NoOpTracerProvider().get_tracer(SCOPE)
        meter = NoOpMeterProvider().get_meter(SCOPE)
        yield Telemetry(OtelSignals(meter), RpcTelemetry(tracer, meter, clock))
        return
    resource = Resource.create({"service.name": settings.service_name, "service.version": version("ignis-agents")})
    insecure = not settings.endpoint.startswith("https://")
    spans = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=settings.endpoint, insecure=insecure, timeout=settings.export_timeout_seconds),
        schedule_delay_millis=settings.export_interval_seconds * 1_000,
    )
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(spans)
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=settings.endpoint, insecure=insecure, timeout=settings.export_timeout_seconds),
        export_interval_millis=settings.export_interval_seconds * 1_000,
    )
    meters = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = meters.get_meter(SCOPE)
    try:
        yield Telemetry(OtelSignals(meter), RpcTelemetry(tracers.get_tracer(SCOPE), meter, clock))
    finally:
        await asyncio.gather(asyncio.to_thread(tracers.shutdown), asyncio.to_thread(meters.shutdown))


class OtelSignals:
    """Turns signals into measurements."""

    def __init__(self, meter: Meter) -> None:
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
        self._load_seconds = meter.create_histogram(
            "ignis.load.duration", unit="s", description="Time to choose agents and put a bundle together."
        )
        self._loaded_tokens = meter.create_histogram(
            "ignis.load.tokens",
            unit="{token}",
            description="Tokens of a bundle.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDARIES,
        )
        self._saved_tokens = meter.create_up_down_counter(
            "ignis.load.saved_tokens", unit="{token}", description="Tokens saved against loading everything."
        )
        self._loaded_agents = meter.create_counter(
            "ignis.load.agents", unit="{agent}", description="Agents sent in bundles."
        )
        self._cache_failures = meter.create_counter(
            "ignis.cache.failures",
            unit="{failure}",
            description="Times that a cache could not be read or written, by cache, operation and reason.",
        )
        self._needs = meter.create_counter(
            "ignis.load.needs", unit="{need}", description="Needs of briefs, by whether an agent answers them."
        )
        self._search_seconds = meter.create_histogram(
            "ignis.search.duration", unit="s", description="Time to rank the catalog for a query."
        )

    def report(self, signal: Signal) -> None:
        """Record the measurements of a signal."""
        match signal:
            case CatalogCompiled():
                self._agents.set(signal.agents)
                self._catalog_tokens.set(signal.full_tokens)
                self._diagnostics.set(signal.errors, {"ignis.severity": "error"})
                self._diagnostics.set(signal.warnings, {"ignis.severity": "warning"})
                self._compile_seconds.record(signal.seconds)
            case AgentsLoaded():
                self._load_seconds.record(signal.seconds)
                self._loaded_tokens.record(signal.loaded_tokens)
                self._saved_tokens.add(signal.saved_tokens)
                self._loaded_agents.add(signal.agents)
                self._needs.add(signal.needs - signal.unanswered_needs, {"ignis.answered": True})
                self._needs.add(signal.unanswered_needs, {"ignis.answered": False})
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
