"""The port to where telemetry is committed, for those who capture it."""

from collections.abc import Awaitable
from typing import Protocol

from ignis_server.telemetry.model import Signal

__all__ = ["Capture", "Forgotten"]


class Capture(Protocol):
    """Takes telemetry in.

    Attributes:
        has_room: Whether calls may begin, whose telemetry will want room; where not, `admit` has the last word.
    """

    has_room: bool

    def capture(self, signal: Signal, items: int, data: bytes) -> None:
        """Commit telemetry: once this returns, it is not lost, within what the settings promise.

        Never raises, waits for nothing but the disk's cache, and may be called from any thread.

        Args:
            signal: What it is.
            items: How many spans, metric points or log records.
            data: These, each as field 2 of a ScopeSpans, ScopeMetrics or ScopeLogs, serialised.
        """
        ...

    def admit(self) -> Awaitable[None] | None:
        """Ask whether a call may begin, whose telemetry will want room.

        Returns:
            None where it may; otherwise what it has to wait for.

        Raises:
            OutboxFull: It may not.
        """
        ...


class Forgotten:
    """Takes telemetry and forgets it: where it goes nowhere."""

    has_room = True

    def capture(self, signal: Signal, items: int, data: bytes) -> None:
        """Forget it."""

    def admit(self) -> Awaitable[None] | None:
        """Let every call begin."""
