"""One span and one set of measurements for every call, of whatever shape, by the current RPC conventions.

The span's status is what the client sees, because it is written down when the call's code is final, before the status is sent.
Spans continue the W3C trace context that a caller sends.
"""

import random
import re
import time
from collections.abc import Awaitable
from contextvars import ContextVar

import grpc

from ignis_server.errors import OutboxFull
from ignis_server.rpc.call import Call
from ignis_server.telemetry.call_metrics import CallMetrics
from ignis_server.telemetry.call_spans import CallEnd, FinishedCall, encode_span
from ignis_server.telemetry.capture import Capture
from ignis_server.telemetry.model import Signal

__all__ = ["CallTrace", "RpcTelemetry", "current_trace"]

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

# https://www.w3.org/TR/trace-context/#traceparent-header: of later versions, what this one knows is taken.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
SAMPLED = 1
TRACE_ID_BITS, SPAN_ID_BITS = 128, 64
NANOSECONDS = 1e9
# Whoever asks whether the service is well, or what is wrong with its telemetry, is answered all the same.
ALWAYS_ADMITTED = ("/grpc.", "/ignis.telemetry.v1.TelemetryService/")


class CallTrace:
    """The trace that a call belongs to, its span in it, and what has been noted of the call for that span."""

    __slots__ = ("attributes", "is_sampled", "parent_id", "span_id", "trace_id")

    def __init__(self, traceparent: str | bytes | None, chance: random.Random) -> None:
        self.attributes = b""
        self.span_id = chance.getrandbits(SPAN_ID_BITS).to_bytes(8)
        found = TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
        if found is None:
            self.trace_id = chance.getrandbits(TRACE_ID_BITS).to_bytes(16)
            self.parent_id = b""
            self.is_sampled = True
        else:
            self.trace_id = bytes.fromhex(found[1])
            self.parent_id = bytes.fromhex(found[2])
            self.is_sampled = bool(int(found[3], 16) & SAMPLED)


_CURRENT: ContextVar[CallTrace | None] = ContextVar("ignis_call_trace", default=None)


def current_trace() -> CallTrace | None:
    """Return the trace of the call that this task serves, if it serves one."""
    return _CURRENT.get()


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
        # One for each method that is served.
        self._good_ends: dict[str, CallEnd] = {}
        self._random = random.Random()  # noqa: S311 - ids are unique, and no secret

    def concerns(self, method: str) -> bool:  # noqa: ARG002 - as the protocol has it
        """Capture calls of every method."""
        return True

    def call_started(self, call: Call) -> Awaitable[None] | None:
        """Continue the caller's trace, or begin one; where telemetry has no room, the call may have to wait for it.

        Raises:
            OutboxFull: There is no room, and the outbox's policy is to refuse calls then.
        """
        trace = CallTrace(call.metadata.get("traceparent"), self._random)
        call.remember(trace)
        _CURRENT.set(trace)
        if call.method.startswith(ALWAYS_ADMITTED):
            return None
        try:
            return self._capture.admit()
        except OutboxFull:
            # It has no span, for which there is no room, but it is counted.
            self._metrics.add(CallEnd(call.method[1:], "RESOURCE_EXHAUSTED", "OUTBOX_FULL", is_fault=False), 0.0, 0, 0)
            raise

    def call_finished(self, call: Call) -> None:
        """Capture how long a call took, how many bytes it moved, and the status that the client sees."""
        # By the clock that never goes back: a span does not end before it began.
        took_ns = time.perf_counter_ns() - call.began
        if call.code is grpc.StatusCode.OK:
            end = self._good_ends.get(call.method) or self._good_end(call.method)
        else:
            error_type = call.failure.reason if call.failure else call.code.name
            end = CallEnd(call.method[1:], call.code.name, error_type, call.code in SERVER_FAULTS)
        self._metrics.add(end, took_ns / NANOSECONDS, call.request_bytes, call.response_bytes)
        trace = call.recall(CallTrace)
        if trace.is_sampled:
            finished = FinishedCall(
                trace.trace_id,
                trace.span_id,
                trace.parent_id,
                call.began_ns,
                call.began_ns + took_ns,
                end,
                trace.attributes,
            )
            self._capture.capture(Signal.TRACES, 1, encode_span(finished, with_old=self._with_old))

    def _good_end(self, method: str) -> CallEnd:
        end = self._good_ends[method] = CallEnd(method[1:], grpc.StatusCode.OK.name, "", is_fault=False)
        return end
