"""Signals as measurements, and what else of the OpenTelemetry SDK is in use: its meters, whose readings go to the outbox."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import Metric, MetricExporter, MetricExportResult, MetricsData

from ignis_server.rpc.call import current_call
from ignis_server.signal_table import BACKGROUND_FAILURES, LOAD_BUNDLE_TOKENS, LOAD_DURATION, SEARCH_DURATION
from ignis_server.signals import (
    AgentsLoaded,
    AgentsSearched,
    AttemptEnded,
    BackgroundFailed,
    BatchDelivered,
    CacheFailed,
    CacheWarmed,
    CatalogCompiled,
    CatalogReloaded,
    DestinationChanged,
    LoadAnswered,
    OutboxChanged,
    OutboxMeasured,
    RunEnded,
    RunReached,
    SharedStoreChanged,
    Signal,
    TelemetryLost,
)
from ignis_server.telemetry.cache_measures import CacheMeasures
from ignis_server.telemetry.capture import Capture, Forgotten
from ignis_server.telemetry.catalog_measures import CatalogMeasures
from ignis_server.telemetry.delivery_measures import DeliveryMeasures
from ignis_server.telemetry.instruments import Instruments
from ignis_server.telemetry.ledger import Ledger
from ignis_server.telemetry.model import Signal as Kind
from ignis_server.telemetry.otlp import FIELD_2, length_delimited
from ignis_server.telemetry.outbox_measures import OutboxMeasures
from ignis_server.telemetry.workflow_measures import WorkflowMeasures
from ignis_server.telemetry.workflow_spans import encoded_span

__all__ = ["CapturedMetrics", "OtelSignals"]


class CapturedMetrics(MetricExporter):
    """Hands on what the SDK collected, and metrics that are counted by hand with it, to where telemetry is committed."""

    def __init__(self, more: Callable[[], Sequence[Metric]]) -> None:
        """Make an exporter that forgets until it is told where to hand on to.

        Args:
            more: Gives the metrics that are counted by hand.
        """
        super().__init__()
        self._more = more
        self._capture: Capture = Forgotten()

    def hand_to(self, capture: Capture) -> None:
        """Hand on from now on; the other way round meters could not report what befalls the outbox."""
        self._capture = capture

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:  # noqa: ARG002 - as the SDK has it
        """Commit a collection."""
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                whole = replace(scope, metrics=[*scope.metrics, *self._more()])
                self._commit(MetricsData([replace(resource, scope_metrics=[whole])]))
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - as the SDK has it
        """Have nothing to flush: each export is committed when it returns."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Have nothing to close."""

    def _commit(self, data: MetricsData) -> None:
        metrics = [
            metric
            for resource in encode_metrics(data).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        points = sum(len(getattr(metric, metric.WhichOneof("data") or "gauge").data_points) for metric in metrics)
        if points:
            fields = (length_delimited(FIELD_2, metric.SerializeToString()) for metric in metrics)
            self._capture.capture(Kind.METRICS, points, b"".join(fields))


class OtelSignals:
    """Turns signals into measurements."""

    def __init__(self, instruments: Instruments) -> None:
        self._ledger = Ledger(instruments)
        self._catalog = CatalogMeasures(instruments)
        self._cache = CacheMeasures(instruments)
        self._delivery = DeliveryMeasures(instruments)
        self._outbox = OutboxMeasures(instruments)
        self._workflows = WorkflowMeasures(instruments)
        self._capture: Capture = Forgotten()
        self._background_failures = instruments.counter(BACKGROUND_FAILURES)
        self._load_seconds = instruments.histogram(LOAD_DURATION)
        self._loaded_tokens = instruments.histogram(LOAD_BUNDLE_TOKENS)
        self._search_seconds = instruments.histogram(SEARCH_DURATION)

    def hand_to(self, capture: Capture) -> None:
        """Hand spans of runs on from now on; the outbox is told of signals itself, so it comes later."""
        self._capture = capture

    def report(self, signal: Signal) -> None:  # noqa: C901 - one case for each kind
        """Record the measurements of a signal."""
        match signal:
            case LoadAnswered():
                attributes = self._ledger.enter(signal)
                if call := current_call():
                    call.span_attributes = attributes
            case AgentsLoaded():
                self._load_seconds.record(signal.seconds)
                self._loaded_tokens.record(signal.counts.loaded_tokens)
            case AgentsSearched():
                self._search_seconds.record(signal.seconds)
            case CatalogCompiled() | CatalogReloaded():
                self._catalog.record(signal)
            case CacheFailed() | CacheWarmed() | SharedStoreChanged():
                self._cache.record(signal)
            case OutboxChanged() | OutboxMeasured() | TelemetryLost():
                self._outbox.record(signal)
            case BatchDelivered() | DestinationChanged():
                self._delivery.record(signal)
            case RunReached() | RunEnded() | AttemptEnded():
                self._workflows.record(signal)
                if not isinstance(signal, RunReached) and (span := encoded_span(signal)):
                    self._capture.capture(Kind.TRACES, 1, span)
            case BackgroundFailed():
                self._background_failures.add(1, {"ignis.task": signal.task})
