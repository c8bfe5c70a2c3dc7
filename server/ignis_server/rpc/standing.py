"""Standing calls: health watches and reflection streams, which cost a slot for as long as they are open."""

from ignis_server.errors import TooManyWatchers
from ignis_server.rpc.call import Call

__all__ = ["StandingCalls"]

METHODS = frozenset(
    {
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)


class StandingCalls:
    """An interceptor that lets only so many of them stand at once, so that they leave room for calls that work.

    They do nothing while they are open and are never closed by us, and gRPC's own limit of concurrent calls counts them
    like any other: without a limit of their own one idle client could take all slots.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._standing = 0

    async def call_started(self, call: Call) -> None:
        """Count a standing call, or refuse it.

        Raises:
            TooManyWatchers: As many as are allowed stand already.
        """
        if call.method not in METHODS:
            return
        if self._standing >= self._limit:
            raise TooManyWatchers(call.method, self._limit)
        self._standing += 1

    async def call_finished(self, call: Call) -> None:
        """Count it no longer."""
        if call.method in METHODS:
            self._standing -= 1
