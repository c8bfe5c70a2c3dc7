"""Watching a run: its present state, then every event after it in order, until the event that ends it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, TypeAlias, cast

from ignis_server.errors import ResumeTokenInvalid
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.run import Run, State
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.state_machine import fold
from ignis_server.workflow.store import Store

__all__ = ["Beat", "Change", "Changes", "RunWatch", "Seen", "WatchPace"]

EVENTS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class WatchPace:
    """How often a watcher that hears nothing is told so, and how often the journal is asked without a wake-up."""

    heartbeat: timedelta = timedelta(seconds=15)
    poll: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Change:
    """An event, and the run before and after it."""

    recorded: Recorded
    before: State
    after: Run


@dataclass(frozen=True, slots=True)
class Changes:
    """Events that follow each other; at least one."""

    changes: tuple[Change, ...]

    @property
    def version(self) -> int:
        """Of the last of them."""
        return self.changes[-1].recorded.version


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing has happened since an event."""

    time: datetime
    version: int


Seen: TypeAlias = Run | Changes | Beat


class _Reading(NamedTuple):
    """A reading of the journal that watchers share, and when it began, by `time.monotonic`."""

    began_at: float
    task: asyncio.Task[tuple[Recorded, ...]]


class RunWatch:
    """Lets callers follow runs. It holds nothing for a watcher but the run that it has seen: a slow one reads later."""

    def __init__(self, runs: Runs, store: Store, closing: asyncio.Event, pace: WatchPace = WatchPace()) -> None:
        self._runs = runs
        self._journal = store.journal
        self._wakeups = store.wakeups
        self._closing = closing
        self._pace = pace
        # Watchers of one run that wait for the same event read it once.
        self._readings: dict[tuple[str, int], _Reading] = {}

    async def watch(self, run_id: str, after: int | None) -> AsyncGenerator[Seen]:
        """Yield a run and then what happens to it, until it has ended or the server closes.

        Args:
            run_id: The run.
            after: Begin behind the event of this number, without the run itself; None: begin with the run as it stands.

        Raises:
            RunNotFound: There is no such run, or it is past its retention.
            ResumeTokenInvalid: The run has not come so far.
        """
        with self._wakeups.of_run(run_id) as bell:
            run = await self._runs.run(run_id)
            if after is None:
                yield run
            elif after > run.version:
                raise ResumeTokenInvalid(run_id)
            else:
                run = await self._runs.at(run_id, after)
            loop = asyncio.get_running_loop()
            said_at = loop.time()
            while not run.state.is_terminal and not self._closing.is_set():
                recorded = await self._read(run_id, run.version, bell.rung_at)
                if recorded:
                    changes = _changes(run, recorded)
                    run = changes.changes[-1].after
                    yield changes
                    said_at = loop.time()
                    continue
                quiet = timedelta(seconds=loop.time() - said_at)
                if quiet >= self._pace.heartbeat:
                    yield Beat(await self._journal.now(), run.version)
                    said_at = loop.time()
                    continue
                await bell.wait(min(self._pace.poll, self._pace.heartbeat - quiet))

    async def _read(self, run_id: str, version: int, since: float) -> tuple[Recorded, ...]:
        """Return what came after a version, by a reading that began no earlier than a moment."""
        key = (run_id, version)
        reading = self._readings.get(key)
        # One that began before the bell may have missed what it rang for, and the bell does not ring again.
        if reading is None or reading.began_at < since:
            began_at = time.monotonic()
            events = self._journal.events(run_id, after=version, limit=EVENTS_AT_ONCE)
            reading = _Reading(began_at, asyncio.create_task(events, name=f"watch-read-{run_id}"))
            self._readings[key] = reading
            reading.task.add_done_callback(partial(self._read_out, key))
        # One watcher that goes away does not take the others' reading along.
        return await asyncio.shield(reading.task)

    def _read_out(self, key: tuple[str, int], task: asyncio.Task[tuple[Recorded, ...]]) -> None:
        reading = self._readings.get(key)
        if reading is not None and reading.task is task:
            del self._readings[key]
        if not task.cancelled():
            # Where all watchers have gone away nobody else takes note of its error.
            task.exception()


def _changes(run: Run, recorded: tuple[Recorded, ...]) -> Changes:
    changes = []
    for each in recorded:
        after = cast("Run", fold(run, (each,)))
        changes.append(Change(each, run, after))
        run = after
    return Changes(tuple(changes))
