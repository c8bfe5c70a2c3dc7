"""A small OTLP receiver that counts what arrives: for the demo, and to see telemetry without a platform."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Histogram, NumberDataPoint

__all__ = ["Received", "otlp_sink"]


@dataclass(slots=True)
class Received:
    """What a sink has got so far.

    Attributes:
        port: Where it listens.
        spans: How many spans, by name.
        points: How many data points, by metric.
        numbers: The latest value of each number, by metric and by its attributes as "key=value", sorted.
    """

    port: int
    spans: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    numbers: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)


class _Traces(traces_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    async def Export(
        self, request: traces.ExportTraceServiceRequest, context: object
    ) -> traces.ExportTraceServiceResponse:
        self._received.spans.update(
            span.name for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
        )
        return traces.ExportTraceServiceResponse()


class _Metrics(metrics_grpc.MetricsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    async def Export(
        self, request: metrics.ExportMetricsServiceRequest, context: object
    ) -> metrics.ExportMetricsServiceResponse:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data") or "gauge")
                    self._received.points[metric.name] += len(data.data_points)
                    if not isinstance(data, Histogram):
                        self._received.numbers |= {
                            (metric.name, _named(p)): p.as_int or p.as_double for p in data.data_points
                        }
        return metrics.ExportMetricsServiceResponse()


def _named(point: NumberDataPoint) -> tuple[str, ...]:
    return tuple(sorted(f"{each.key}={_value(each.value)}" for each in point.attributes))


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else ""


@asynccontextmanager
async def otlp_sink(listen: str = "127.0.0.1:0") -> AsyncIterator[Received]:
    """Receive traces and metrics over OTLP/gRPC until the block ends; keeps counts only."""
    server = grpc.aio.server()
    received = Received(server.add_insecure_port(listen))
    traces_grpc.add_TraceServiceServicer_to_server(_Traces(received), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(_Metrics(received), server)
    await server.start()
    try:
        yield received
    finally:
        await server.stop(1.0)
