"""Wake-ups: word that something was written, so that whoever waits need not ask all the time. Word may get lost.

Whoever waits reads the journal after each wait, rung or not, and waits no longer than its poll interval: a lost ring costs
that, and nothing else.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from ignis_server.workflow.changes import Changes

__all__ = ["Bell", "LocalWakeups", "Wakeups", "Word", "word_of"]


@dataclass(frozen=True, slots=True)
class Word:
    """What was written: which run, whether a step of it can be claimed now, and whether it has a deadline."""

    run_id: str
    is_claimable: bool = False
    has_deadline: bool = False


def word_of(changes: Changes) -> Word:
    """Return word of something that was written."""
    return Word(changes.summary.id, is_claimable=bool(changes.claimable), has_deadline=changes.deadline is not None)


class Bell:
    """Remembers one ring until somebody has waited for it; more at once are one."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        # When it was last rung, or hung, by `time.monotonic`.
        self.rung_at = time.monotonic()

    def ring(self) -> None:
        """Wake whoever waits, or will."""
        self.rung_at = time.monotonic()
        self._rung.set()

    async def wait(self, at_most: timedelta) -> bool:
        """Wait for a ring, and tell whether there was one."""
        try:
            async with asyncio.timeout(at_most.total_seconds()):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class Wakeups(Protocol):
    """Bells by what they ring for. Ringing never blocks and never fails.

    A bell that is hung before the journal is read misses nothing of this process.
    """

    def ring(self, word: Word) -> None:
        """Pass a word on to everybody whom it concerns, of all replicas that can be reached."""
        ...

    def ring_all(self) -> None:
        """Ring every bell of this process: word may have been lost, or the server closes."""
        ...

    @contextmanager
    def of_run(self, run_id: str) -> Iterator[Bell]:
        """Hang a bell that rings when something of a run was written."""
        ...

    @contextmanager
    def of_steps(self) -> Iterator[Bell]:
        """Hang a bell that rings when a step can be claimed."""
        ...

    @contextmanager
    def of_deadlines(self) -> Iterator[Bell]:
        """Hang a bell that rings when a run has a deadline, maybe an earlier one than any other."""
        ...


class LocalWakeups:
    """Rings within this process: enough for one replica; others poll."""

    def __init__(self) -> None:
        self._of_runs: dict[str, set[Bell]] = {}
        self._of_steps: set[Bell] = set()
        self._of_deadlines: set[Bell] = set()

    def ring(self, word: Word) -> None:
        """Ring the bells that a word concerns."""
        for bell in self._of_runs.get(word.run_id, ()):
            bell.ring()
        if word.is_claimable:
            _ring(self._of_steps)
        if word.has_deadline:
            _ring(self._of_deadlines)

    def ring_all(self) -> None:
        """Ring every bell."""
        for bells in (*self._of_runs.values(), self._of_steps, self._of_deadlines):
            _ring(bells)

    @contextmanager
    def of_run(self, run_id: str) -> Iterator[Bell]:
        """Hang a bell for a run."""
        bells = self._of_runs.setdefault(run_id, set())
        with _hung(bells) as bell:
            try:
                yield bell
            finally:
                if bells == {bell}:
                    del self._of_runs[run_id]

    @contextmanager
    def of_steps(self) -> Iterator[Bell]:
        """Hang a bell for steps that can be claimed."""
        with _hung(self._of_steps) as bell:
            yield bell

    @contextmanager
    def of_deadlines(self) -> Iterator[Bell]:
        """Hang a bell for deadlines."""
        with _hung(self._of_deadlines) as bell:
            yield bell


def _ring(bells: set[Bell]) -> None:
    for bell in bells:
        bell.ring()


@contextmanager
def _hung(bells: set[Bell]) -> Iterator[Bell]:
    bell = Bell()
    bells.add(bell)
    try:
        yield bell
    finally:
        bells.discard(bell)
