"""One call, of whatever shape, and what may be done around it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import grpc

from ignis_server.rpc.status import Failure

__all__ = ["Call", "Interceptor"]

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """A call between its first and its last byte.

    `method` is the full name, "/package.Service/Method". `code` is what the client sees: OK until something
    else is known, and final when `call_finished` runs. `failure` has the details where we made them.
    """

    method: str
    peer: str
    metadata: Mapping[str, str | bytes]
    code: grpc.StatusCode = grpc.StatusCode.OK
    failure: Failure | None = None
    _memory: dict[type, Any] = field(default_factory=dict)

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
        self._memory[type(value)] = value

    def recall(self, kind: type[T]) -> T:
        """Return what was remembered of a type."""
        value: T = self._memory[kind]
        return value


class Interceptor(Protocol):
    """Something done around every call, the same for all four shapes.

    Interceptors run in the order they were given, and their `call_finished` in reverse. Both run in the task of
    the call, so context variables set at the start hold for the handler. What an interceptor must know from one to
    the other it lets the call remember.
    """

    async def call_started(self, call: Call) -> None:
        """Run before the handler; raise an IgnisError to refuse the call."""
        ...

    async def call_finished(self, call: Call) -> None:
        """Run after the handler, before the status is sent; never raises.

        Runs for every call whose `call_started` returned, however it ended, cancellation included.
        """
        ...
