"""Standing calls: streams that cost a slot for as long as they are open, such as health watches."""

from collections.abc import Collection

from ignis_server.errors import TooManyWatchers
from ignis_server.rpc.call import Call

__all__ = ["HEALTH_AND_REFLECTION", "StandingCalls"]

HEALTH_AND_REFLECTION = frozenset(
    {
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)


class StandingCalls:
    """An interceptor that lets only so many of some methods stand at once, so that they leave room for calls that work.

    They do nothing most of the time that they are open and are never closed by us, and gRPC's own limit of concurrent calls counts them
    like any other: without a limit of their own one idle client could take all slots.
    """

    def __init__(self, methods: Collection[str], limit: int) -> None:
        self._methods = frozenset(methods)
        self._limit = limit
        self._standing = 0

    def concerns(self, method: str) -> bool:
        """Count the calls of these methods only."""
        return method in self._methods

    def call_started(self, call: Call) -> None:
        """Count a standing call, or refuse it.

        Raises:
            TooManyWatchers: As many as are allowed stand already.
        """
        if self._standing >= self._limit:
            raise TooManyWatchers(call.method, self._limit)
        self._standing += 1

    def call_finished(self, call: Call) -> None:  # noqa: ARG002 - as the protocol has it
        """Count it no longer."""
        self._standing -= 1
