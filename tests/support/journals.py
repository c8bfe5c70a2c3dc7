"""Journals for tests, and runs that are driven through them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from ignis_server.clock import SystemClock
from ignis_server.workflow.commands import ClaimStep, Command, CompleteStep, StartRun
from ignis_server.workflow.journal import NOTHING_BESIDE, Beside, Journal
from ignis_server.workflow.model import Definition, StepDefinition
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.run import Run, State, Unstarted
from ignis_server.workflow.sql.postgres import postgres_database
from ignis_server.workflow.sql.sqlite import sqlite_database
from ignis_server.workflow.sql_journal import SqlJournal
from ignis_server.workflow.state_machine import Decision, decide, fold
from ignis_server.workflow.wakeups import LocalWakeups

__all__ = ["CHAIN", "LEASE", "Keeper", "begun", "postgres_journal", "sqlite_journal"]

LEASE = timedelta(seconds=30)
CHAIN = Plan.of(
    Definition(
        "chain",
        "Chain",
        steps=(
            StepDefinition("one", agent="a/pm", executor="echo"),
            StepDefinition("two", agent="a/dev", needs=("one",), capabilities=("git", "bash")),
            StepDefinition("three", agent="a/qa", needs=("two",)),
        ),
    )
)


@asynccontextmanager
async def sqlite_journal(path: Path) -> AsyncIterator[SqlJournal]:
    """Open a journal on a file."""
    async with sqlite_database(path, clock=SystemClock()) as database:
        yield SqlJournal(database, wakeups=LocalWakeups())


@asynccontextmanager
async def postgres_journal(url: str) -> AsyncIterator[SqlJournal]:
    """Open a journal on PostgreSQL."""
    async with postgres_database(url, clock=SystemClock()) as database:
        yield SqlJournal(database, wakeups=LocalWakeups())


def begun(run_id: str, now: datetime, plan: Plan = CHAIN, **labels: str) -> Decision:
    """Decide the start of a run."""
    return decide(Unstarted(run_id, plan), StartRun(f"start-{run_id}", labels=labels), now)


class Keeper:
    """A run that is decided upon and written down, as a replica does it."""

    def __init__(self, journal: Journal, run: Run) -> None:
        self.journal = journal
        self.run = run

    @classmethod
    async def start(cls, journal: Journal, run_id: str, plan: Plan = CHAIN, **labels: str) -> "Keeper":
        """Begin a run."""
        decision = begun(run_id, await journal.now(), plan, **labels)
        assert await journal.start(decision) is None
        return cls(journal, decision.run)

    async def do(self, command: Command, beside: Beside = NOTHING_BESIDE, *, now: datetime | None = None) -> Decision:
        """Decide a command, and append what it comes to."""
        decision = decide(self.run, command, now or await self.journal.now())
        assert await self.journal.append(decision, beside) is None
        self.run = decision.run
        return decision

    async def claim(self, step_id: str, lease: timedelta = LEASE) -> Decision:
        """Claim a step."""
        return await self.do(ClaimStep(f"claim-{self.run.id}-{step_id}", step_id, "w", lease))

    async def complete(self, step_id: str) -> Decision:
        """Complete a step that is claimed."""
        return await self.do(CompleteStep(step_id, 1, "w", {"text": "done"}))

    async def finish(self) -> None:
        """Do what is left of a chain."""
        for step_id in ("one", "two", "three"):
            await self.claim(step_id)
            await self.complete(step_id)

    async def read(self) -> State:
        """Fold what the journal has."""
        return fold(Unstarted(self.run.id, self.run.plan), await self.journal.events(self.run.id))
