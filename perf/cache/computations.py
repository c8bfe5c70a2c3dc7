"""How often answers were computed, by Redis' own account of what it was told to do."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Computations"]

CLAIM = ":claim"


@dataclass(slots=True)
class Computations:
    """Counts computations by key. Each ends with a value that is put and a claim that is deleted, one after the other.

    Attributes:
        counts: How often each key was computed.
        needless: How many computations there were while Redis still held the value.
        given_up: Claims that ended without a value.
    """

    counts: Counter[str] = field(default_factory=Counter)
    needless: int = 0
    given_up: int = 0
    _until: dict[str, float] = field(default_factory=dict)
    _was_held: dict[str, bool] = field(default_factory=dict)

    def see(self, command: str, time: float) -> None:
        """Take note of a command as MONITOR tells it, at a time in seconds."""
        verb, _, rest = command.partition(" ")
        name = rest.partition(" ")[0]
        if verb == "SET" and not name.endswith(CLAIM):
            *_, unit, milliseconds = rest.rsplit(" ", 2)
            if unit == "PX":
                self._was_held[name] = self._until.get(name, 0.0) > time
                self._until[name] = time + int(milliseconds) / 1e3
        elif verb == "DEL" and name.endswith(CLAIM):
            self._end(name.removesuffix(CLAIM))

    def _end(self, name: str) -> None:
        was_held = self._was_held.pop(name, None)
        if was_held is None:
            self.given_up += 1
            return
        self.counts[name] += 1
        self.needless += was_held
