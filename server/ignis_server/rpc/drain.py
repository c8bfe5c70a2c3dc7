"""The end of serving: new calls are sent elsewhere, and those under way are finished, before the server stops."""

import asyncio

from ignis_server.errors import ShuttingDown
from ignis_server.rpc.call import Call

__all__ = ["Drain"]

TICK_SECONDS = 0.05


class Drain:
    """An interceptor that counts the calls under way and, once draining, refuses new ones.

    Stopping a gRPC server cancels the calls that have arrived and not been taken up yet, and clients do not repeat
    what ends as CANCELLED. Refused as UNAVAILABLE, they try another replica. So what has arrived is answered before
    the server is stopped. Health checks and reflection are answered to the end and are not waited for.
    """

    def __init__(self, closing: asyncio.Event) -> None:
        """Make it; closing is set when draining begins, for handlers that would go on for ever."""
        self._closing = closing
        self._under_way = 0
        self._refused = 0

    def concerns(self, method: str) -> bool:
        """Leave alone what belongs to gRPC itself."""
        return not method.startswith("/grpc.")

    def call_started(self, call: Call) -> None:  # noqa: ARG002 - as the protocol has it
        """Count a call, or refuse it.

        Raises:
            ShuttingDown: The server drains.
        """
        if self._closing.is_set():
            self._refused += 1
            raise ShuttingDown
        self._under_way += 1

    def call_finished(self, call: Call) -> None:  # noqa: ARG002 - as the protocol has it
        """Count a call no longer."""
        self._under_way -= 1

    async def empty(self, seconds: float) -> None:
        """Refuse new calls, and wait until none is under way and none has arrived for a moment, or time is up."""
        self._closing.set()
        try:
            async with asyncio.timeout(seconds):
                refused = -1
                while self._under_way or refused != self._refused:
                    refused = self._refused
                    await asyncio.sleep(TICK_SECONDS)
        except TimeoutError:
            return
