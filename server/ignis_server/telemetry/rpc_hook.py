"""One span and one set of measurements for every call, of whatever shape, by the current RPC conventions.

The span's status is what the client sees, because it is written down when the call's code is final, before the status is sent.
Spans continue the W3C trace context that a caller sends.
"""

import time
from collections.abc import Awaitable
from typing import NamedTuple

import grpc

from ignis_server.errors import OutboxFull
from ignis_server.rpc.call import Call
from ignis_server.telemetry.call_metrics import CallMetrics, CallTally
from ignis_server.telemetry.call_spans import CallEnd, CallSpans
from ignis_server.telemetry.capture import Capture
from ignis_server.telemetry.model import Signal

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

# Whoever asks whether the service is well, or what is wrong with its telemetry, is answered all the same.
ALWAYS_ADMITTED = ("/grpc.", "/ignis.telemetry.v1.TelemetryService/")


class _Ending(NamedTuple):
    """What makes measurements and spans of calls that end one way."""

    tally: CallTally
    spans: CallSpans


class RpcTelemetry:
    """An interceptor that captures how calls end; what it captures is committed before the client hears of the end."""

    def __init__(self, capture: Capture, metrics: CallMetrics, *, with_old: bool = False) -> None:
        """Make it.

        Args:
            capture: Takes the spans.
            metrics: Counts the calls.
            with_old: Spans also carry the attributes that the conventions had before.
        """
        self._capture = capture
        self._metrics = metrics
        self._with_old = with_old
        # By method, and beyond good ends by all of the end: as many as methods and the errors that we know.
        self._good: dict[str, _Ending] = {}
        self._others: dict[CallEnd, _Ending] = {}

    def concerns(self, method: str) -> bool:  # noqa: ARG002 - as the protocol has it
        """Capture calls of every method."""
        return True

    def call_started(self, call: Call) -> Awaitable[None] | None:
        """Let the call begin; where telemetry has no room, it may have to wait for it.

        Raises:
            OutboxFull: There is no room, and the outbox's policy is to refuse calls then.
        """
        if self._capture.has_room or call.method.startswith(ALWAYS_ADMITTED):
            return None
        try:
            return self._capture.admit()
        except OutboxFull:
            # It has no span, for which there is no room, but it is counted.
            self._other(CallEnd(call.method[1:], "RESOURCE_EXHAUSTED", "OUTBOX_FULL", is_fault=False)).tally.add(
                0, 0, 0
            )
            raise

    def call_finished(self, call: Call) -> None:
        """Capture how long a call took, how many bytes it moved, and the status that the client sees."""
        # By the clock that never goes back: a span does not end before it began.
        took_ns = time.perf_counter_ns() - call.began
        if call.code is grpc.StatusCode.OK:
            tally, spans = self._good.get(call.method) or self._good_ending(call.method)
        else:
            error_type = call.failure.reason if call.failure else call.code.name
            tally, spans = self._other(CallEnd(call.method[1:], call.code.name, error_type, call.code in SERVER_FAULTS))
        tally.add(took_ns, call.request_bytes, call.response_bytes)
        trace = call.trace
        if trace.is_sampled:
            span = spans.encoded(trace, call.began_ns, call.began_ns + took_ns, call.span_attributes)
            self._capture.capture(Signal.TRACES, 1, span)

    def _good_ending(self, method: str) -> _Ending:
        end = CallEnd(method[1:], grpc.StatusCode.OK.name, "", is_fault=False)
        ending = self._good[method] = self._ending(end)
        return ending

    def _other(self, end: CallEnd) -> _Ending:
        ending = self._others.get(end)
        if ending is None:
            ending = self._others[end] = self._ending(end)
        return ending

    def _ending(self, end: CallEnd) -> _Ending:
        return _Ending(self._metrics.tally(end), CallSpans(end, with_old=self._with_old))
