"""Sweeping: what is due is done, by whichever replica comes first, and what is past its retention is removed."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from ignis_server.errors import IgnisError, RunNotFound, StoreUnavailable
from ignis_server.workflow.journal import Retention
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.state_machine import due_commands
from ignis_server.workflow.store import Store
from ignis_server.workflow.wakeups import Bell

__all__ = ["SweepPace", "Sweeper"]

# Runs with a deadline that are looked after at once, and how long no other replica does.
RUNS_AT_ONCE: Final = 100
DUE_HELD: Final = timedelta(seconds=10)
REMOVED_AT_ONCE: Final = 500
# What is due and held by another replica is still the next deadline: without a pause it would be asked for all the time.
LEAST_PAUSE: Final = timedelta(milliseconds=100)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SweepPace:
    """How often deadlines are looked for without a wake-up, and how often old runs are removed."""

    poll: timedelta = timedelta(seconds=2)
    removal: timedelta = timedelta(minutes=10)


class Sweeper:
    """Sees to deadlines: leases that ran out, back-offs that are over, people who did not answer."""

    def __init__(
        self,
        runs: Runs,
        store: Store,
        retention: Retention,
        pace: SweepPace = SweepPace(),
    ) -> None:
        self._runs = runs
        self._journal = store.journal
        self._wakeups = store.wakeups
        self._retention = retention
        self._pace = pace

    async def run(self) -> None:
        """Sweep for as long as it is not cancelled. While the journal is out of reach it waits for it."""
        with self._wakeups.of_deadlines() as bell:
            while True:
                try:
                    await self.sweep()
                    await self._pause(bell)
                except StoreUnavailable:
                    await asyncio.sleep(self._pace.poll.total_seconds())

    async def remove(self) -> None:
        """Remove what is past its retention now and then, for as long as it is not cancelled."""
        while True:
            try:
                is_more = await self.remove_old() >= REMOVED_AT_ONCE
            except StoreUnavailable:
                is_more = False
            # Whoever writes comes in between.
            await asyncio.sleep(0.1 if is_more else self._pace.removal.total_seconds())

    async def sweep(self) -> int:
        """See to everything that is due now, and return how many runs that were."""
        count = 0
        while due := await self._journal.due(limit=RUNS_AT_ONCE, hold=DUE_HELD):
            for run_id in due:
                await self._see_to(run_id)
            count += len(due)
        return count

    async def remove_old(self) -> int:
        """Remove some of what is past its retention, and return how much of what there was most."""
        removed = await self._journal.remove_old(self._retention, limit=REMOVED_AT_ONCE)
        return max(removed.runs, removed.requests, removed.definitions)

    async def _see_to(self, run_id: str) -> None:
        try:
            run = await self._runs.run(run_id)
            for command in due_commands(run, await self._journal.now()):
                await self._runs.say(run_id, command)
        except RunNotFound:
            return
        except StoreUnavailable:
            raise
        except IgnisError as error:
            # It is due again when it is held no longer, and others are not to wait for it.
            log.error("run.not_swept", run_id=run_id, error=str(error))  # noqa: TRY400 - it says what is wrong

    async def _pause(self, bell: Bell) -> None:
        deadline = await self._journal.next_deadline()
        pause = self._pace.poll
        if deadline is not None:
            pause = max(LEAST_PAUSE, min(pause, deadline - await self._journal.now()))
        await bell.wait(pause)
