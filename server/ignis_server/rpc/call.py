"""One call, of whatever shape, and what may be done around it."""

import time
from collections.abc import Awaitable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias

import grpc

from ignis_server.rpc.status import Failure
from ignis_server.rpc.trace import CallTrace

__all__ = ["Call", "Context", "Interceptor", "current_call"]

# Messages are whatever the generated code says; here, where every method passes, they are Any.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]

_CURRENT: ContextVar["Call | None"] = ContextVar("ignis_call", default=None)


class Call:
    """A call between its first and its last byte; there is one for each, so it asks for nothing that nobody wants.

    `method` is the full name, "/package.Service/Method". `code` is what the client sees: OK until something
    else is known, and final when `call_finished` runs. `failure` has the details where we made them. `began_ns` is when it
    began, in nanoseconds since the epoch, and `began` the same by the clock that never goes back. `request_bytes` and
    `response_bytes` count all messages so far, uncompressed. `span_attributes` is what its span says beyond the conventions,
    as fields of an OTLP Span.
    """

    __slots__ = (
        "_metadata",
        "_metadata_by_key",
        "_trace",
        "began",
        "began_ns",
        "code",
        "context",
        "failure",
        "method",
        "request_bytes",
        "response_bytes",
        "span_attributes",
    )

    context: Context

    def __init__(self, method: str, metadata: Metadata) -> None:
        self.began_ns = time.time_ns()
        self.began = time.perf_counter_ns()
        self.method = method
        self.code = grpc.StatusCode.OK
        self.failure: Failure | None = None
        self.request_bytes = self.response_bytes = 0
        self.span_attributes = b""
        self._metadata = metadata
        self._metadata_by_key: Mapping[str, str | bytes] | None = None
        self._trace: CallTrace | None = None

    @classmethod
    def begin(cls, method: str, metadata: Metadata) -> "Call":
        """Begin a call, and make it the current one of this task."""
        call = cls(method, metadata)
        _CURRENT.set(call)
        return call

    @property
    def peer(self) -> str:
        """Who calls, as gRPC names it."""
        return self.context.peer()

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """What the client sent beside the message, under keys in lower case; the last of several values."""
        if self._metadata_by_key is None:
            self._metadata_by_key = dict(self._metadata)
        return self._metadata_by_key

    @property
    def trace(self) -> CallTrace:
        """The trace that it belongs to, and its span there: made when it is first asked for."""
        if self._trace is None:
            self._trace = CallTrace(self._metadata)
        return self._trace

    @property
    def service_name(self) -> str:
        """The service's full name."""
        return self.method.rpartition("/")[0].lstrip("/")

    @property
    def method_name(self) -> str:
        """The method's name within its service."""
        return self.method.rpartition("/")[2]


def current_call() -> Call | None:
    """Return the call that this task serves, if it serves one."""
    return _CURRENT.get()


class Interceptor(Protocol):
    """Something done around calls, the same for all four shapes.

    Interceptors run in the order they were given, and their `call_finished` in reverse. Both run in the task of
    the call, so context variables set at the start hold for the handler.
    """

    def concerns(self, method: str) -> bool:
        """Tell whether anything is to be done around the calls of a method; asked once for each."""
        ...

    def call_started(self, call: Call) -> Awaitable[None] | None:
        """Run before the handler; raise an IgnisError to refuse the call.

        Returns:
            What the handler has to wait for, if anything; that may refuse the call, too.
        """
        ...

    def call_finished(self, call: Call) -> None:
        """Run after the handler, before the status is sent; never raises.

        Runs for every call whose `call_started` returned, however it ended, cancellation included.
        """
        ...
