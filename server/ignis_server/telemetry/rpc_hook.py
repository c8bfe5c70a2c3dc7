"""One span and one duration for every call, of whatever shape, by the current RPC conventions.

The span's status is what the client saw, because it is read when the call's code is final. Spans continue
the W3C trace context that a caller sends.
"""

from collections.abc import Mapping
from contextvars import Token
from dataclasses import dataclass

import grpc
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.propagators.textmap import Getter
from opentelemetry.semconv._incubating.attributes import rpc_attributes
from opentelemetry.semconv._incubating.metrics import rpc_metrics
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ignis_server.clock import Clock
from ignis_server.rpc.call import Call

__all__ = ["RpcTelemetry"]

# The codes for which the server is to blame; others are answers to a caller's mistake. From the semantic
# conventions for gRPC server spans.
SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

# Boundaries in seconds: from a cached answer in a fraction of a millisecond to a drained long poll.
DURATION_BOUNDARIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class _Watch:
    """What is remembered between the start and the end of a call."""

    span: Span
    token: Token[Context]
    began: float


class RpcTelemetry:
    """An interceptor that spans and times calls."""

    def __init__(self, tracer: Tracer, meter: Meter, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock
        self._propagator = TraceContextTextMapPropagator()
        self._durations = meter.create_histogram(
            rpc_metrics.RPC_SERVER_CALL_DURATION,
            unit="s",
            description="Time from the first byte of a call to its status.",
            explicit_bucket_boundaries_advisory=DURATION_BOUNDARIES,
        )

    async def call_started(self, call: Call) -> None:
        """Open the call's span, as a child of the caller's if it sent one."""
        parent = self._propagator.extract(call.metadata, getter=_MetadataGetter())
        span = self._tracer.start_span(
            call.method.lstrip("/"), context=parent, kind=SpanKind.SERVER, attributes=_attributes(call)
        )
        token = otel_context.attach(trace.set_span_in_context(span, parent))
        call.remember(_Watch(span, token, self._clock.elapsed_seconds()))

    async def call_finished(self, call: Call) -> None:
        """Close the span with the status that the client sees, and record the duration."""
        watch = call.recall(_Watch)
        attributes = _attributes(call) | {rpc_attributes.RPC_RESPONSE_STATUS_CODE: call.code.name}
        if call.code is not grpc.StatusCode.OK:
            attributes[error_attributes.ERROR_TYPE] = call.failure.reason if call.failure else call.code.name
        if call.code in SERVER_FAULTS:
            watch.span.set_status(Status(StatusCode.ERROR))
        watch.span.set_attributes(attributes)
        # Recorded while the span is current, so that exemplars point at it.
        self._durations.record(self._clock.elapsed_seconds() - watch.began, attributes)
        # A stream that its client left is ended by the event loop, in a context of its own.
        if trace.get_current_span() is watch.span:
            otel_context.detach(watch.token)
        watch.span.end()


def _attributes(call: Call) -> dict[str, str]:
    return {
        rpc_attributes.RPC_SYSTEM_NAME: "grpc",
        rpc_attributes.RPC_METHOD: call.method.lstrip("/"),
    }


class _MetadataGetter(Getter[Mapping[str, str | bytes]]):
    """Reads W3C headers from gRPC metadata, whose keys are lower-case already."""

    def get(self, carrier: Mapping[str, str | bytes], key: str) -> list[str] | None:
        """Return the values of a key."""
        value = carrier.get(key)
        return [value] if isinstance(value, str) else None

    def keys(self, carrier: Mapping[str, str | bytes]) -> list[str]:
        """Return all keys."""
        return list(carrier)
