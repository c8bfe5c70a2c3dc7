"""Waits between attempts: longer each time, and never the same for two who failed together."""

from collections.abc import Callable
from datetime import timedelta

__all__ = ["Backoff"]


class Backoff:
    """The waits of one caller."""

    def __init__(self, first_seconds: float, longest_seconds: float, chance: Callable[[], float]) -> None:
        """Begin with the first wait.

        Args:
            first_seconds: The first wait, at most; each is twice the one before.
            longest_seconds: The longest wait, at most.
            chance: Gives numbers from 0 to 1. A wait is between half of what it may be and all of it.
        """
        self._first = first_seconds
        self._longest = longest_seconds
        self._chance = chance
        self._present = first_seconds

    def next_seconds(self, at_least: timedelta | None = None) -> float:
        """Return the next wait; not less than a server asks for, where it does."""
        wait = self._present * (1 + self._chance()) / 2
        self._present = min(2 * self._present, self._longest)
        return max(wait, at_least.total_seconds()) if at_least else wait

    def reset(self) -> None:
        """Begin with the first wait again."""
        self._present = self._first
