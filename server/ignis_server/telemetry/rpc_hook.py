"""One span and one duration for every call, of whatever shape, by the current RPC conventions.

The span's status is what the client saw, because it is read when the call's code is final. Spans continue
the W3C trace context that a caller sends.
"""

import random
import re
import time
from collections import deque
from typing import NamedTuple

import grpc

from ignis_server.rpc.call import Call
from ignis_server.telemetry.call_durations import CallDurations
from ignis_server.telemetry.call_spans import CallEnd, FinishedCall

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

# https://www.w3.org/TR/trace-context/#traceparent-header: of later versions, what this one knows is taken.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
SAMPLED = 1
TRACE_ID_BITS, SPAN_ID_BITS = 128, 64

# What waits for a receiver that is away; at 3,000 calls a second, that of seven seconds. The oldest goes first.
MAX_WAITING = 20_000
# Calls that end between two exports before they are summed up without one.
MAX_ENDED = 512


class _Ended(NamedTuple):
    """What is written down of a call while it lasts: when it began, how long it took, how it ended, where it came from."""

    began_ns: int
    took_ns: int
    end: CallEnd
    traceparent: str | bytes | None


class RpcTelemetry:
    """An interceptor that writes down how calls end.

    Only that is done while a call lasts. Ids are given, traces continued and durations counted when calls are taken to be
    sent, or when there are many.
    """

    def __init__(self, *, is_on: bool) -> None:
        """Make it; where it is not on, calls are left alone."""
        self.durations = CallDurations(time.time_ns)
        self.dropped = 0
        self._is_on = is_on
        self._ended: list[_Ended] = []
        self._waiting: deque[FinishedCall] = deque()
        # One for each method that is served.
        self._good_ends: dict[str, CallEnd] = {}
        self._random = random.Random()  # noqa: S311 - ids are unique, and no secret

    def concerns(self, method: str) -> bool:  # noqa: ARG002 - as the protocol has it
        """Write down calls of every method, or of none."""
        return self._is_on

    def call_started(self, call: Call) -> None:
        """Do nothing: a call knows when it began."""

    def call_finished(self, call: Call) -> None:
        """Write down how long a call took, and the status that the client sees."""
        if call.code is grpc.StatusCode.OK:
            end = self._good_ends.get(call.method) or self._good_end(call.method)
        else:
            error_type = call.failure.reason if call.failure else call.code.name
            end = CallEnd(call.method[1:], call.code.name, error_type, call.code in SERVER_FAULTS)
        # By the clock that never goes back: a span does not end before it began.
        took_ns = time.perf_counter_ns() - call.began
        self._ended.append(_Ended(call.began_ns, took_ns, end, call.metadata.get("traceparent")))
        if len(self._ended) >= MAX_ENDED:
            self.sum_up()

    def sum_up(self) -> None:
        """Count the durations of calls that have ended, and make spans of those that are sampled."""
        ended, self._ended = self._ended, []
        for call in ended:
            self.durations.add(call.end, call.took_ns / 1e9)
            trace_id, parent_id, is_sampled = self._context_of(call.traceparent)
            if is_sampled:
                span_id = self._random.getrandbits(SPAN_ID_BITS).to_bytes(8)
                ended_ns = call.began_ns + call.took_ns
                self._waiting.append(FinishedCall(trace_id, span_id, parent_id, call.began_ns, ended_ns, call.end))
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1

    def take(self) -> list[FinishedCall]:
        """Return the calls that wait, oldest first, and forget them."""
        self.sum_up()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def put_back(self, calls: list[FinishedCall]) -> None:
        """Let calls wait on that could not be sent, as far as there is room."""
        self._waiting.extendleft(reversed(calls))
        self.sum_up()

    def _good_end(self, method: str) -> CallEnd:
        end = self._good_ends[method] = CallEnd(method[1:], grpc.StatusCode.OK.name, "", is_fault=False)
        return end

    def _context_of(self, traceparent: str | bytes | None) -> tuple[bytes, bytes, bool]:
        """Return the trace that a call belongs to, the span that it is part of, and whether to write it down."""
        found = TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
        if found is None:
            return self._random.getrandbits(TRACE_ID_BITS).to_bytes(16), b"", True
        return bytes.fromhex(found[1]), bytes.fromhex(found[2]), bool(int(found[3], 16) & SAMPLED)
