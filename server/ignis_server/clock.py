"""Time as a parameter: what runs on a clock takes one, so that a test can turn it by hand."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Two hands: the date, which may jump, and the stopwatch, which never runs backwards."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        ...

    def now_ns(self) -> int:
        """Return the present moment in nanoseconds since the epoch: as `now`, for where a microsecond counts."""
        ...

    def elapsed_seconds(self) -> float:
        """Return seconds since an arbitrary start; only differences mean anything."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    now_ns = staticmethod(time.time_ns)

    def elapsed_seconds(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()
