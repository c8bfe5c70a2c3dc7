"""One call, of whatever shape, and what may be done around it."""

import time
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc

from ignis_server.rpc.status import Failure

__all__ = ["Call", "Context", "Interceptor"]

T = TypeVar("T")
# Messages are whatever the generated code says; here, where every method passes, they are Any.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Call:
    """A call between its first and its last byte; there is one for each, so it asks for nothing that nobody wants.

    `method` is the full name, "/package.Service/Method". `code` is what the client sees: OK until something
    else is known, and final when `call_finished` runs. `failure` has the details where we made them. `began_ns` is when it
    began, in nanoseconds since the epoch, and `began` the same by the clock that never goes back. `request_bytes` and
    `response_bytes` count all messages so far, uncompressed.
    """

    __slots__ = (
        "_context",
        "_memory",
        "_metadata",
        "began",
        "began_ns",
        "code",
        "failure",
        "method",
        "request_bytes",
        "response_bytes",
    )

    def __init__(self, method: str, context: Context) -> None:
        self.method = method
        self.code = grpc.StatusCode.OK
        self.failure: Failure | None = None
        self.request_bytes = self.response_bytes = 0
        self.began_ns = time.time_ns()
        self.began = time.perf_counter_ns()
        self._context = context
        self._metadata: Mapping[str, str | bytes] | None = None
        self._memory: dict[type, Any] | None = None

    @property
    def peer(self) -> str:
        """Who calls, as gRPC names it."""
        return self._context.peer()

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """What the client sent beside the message, under keys in lower case; the last of several values."""
        if self._metadata is None:
            self._metadata = dict(self._context.invocation_metadata() or ())
        return self._metadata

    @property
    def service_name(self) -> str:
        """The service's full name."""
        return self.method.rpartition("/")[0].lstrip("/")

    @property
    def method_name(self) -> str:
        """The method's name within its service."""
        return self.method.rpartition("/")[2]

    def remember(self, value: object) -> None:
        """Keep something until the call has ended, under its type; each interceptor has types of its own."""
        if self._memory is None:
            self._memory = {}
        self._memory[type(value)] = value

    def recall(self, kind: type[T]) -> T:
        """Return what was remembered of a type."""
        value: T = (self._memory or {})[kind]
        return value


class Interceptor(Protocol):
    """Something done around calls, the same for all four shapes.

    Interceptors run in the order they were given, and their `call_finished` in reverse. Both run in the task of
    the call, so context variables set at the start hold for the handler. What an interceptor must know from one to
    the other it lets the call remember.
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
