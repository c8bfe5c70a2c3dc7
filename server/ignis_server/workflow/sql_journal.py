"""The journal on SQL: each method is one short transaction of a database, and word of what was written is passed on after it."""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from ignis_server.workflow.changes import changes_of
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.journal import (
    NOTHING_BESIDE,
    Answered,
    Beside,
    ClaimableStep,
    Lease,
    Offer,
    Removed,
    Retention,
    RunCursor,
    RunFilter,
    RunSummary,
)
from ignis_server.workflow.model import Definition
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.sql import reading, writing
from ignis_server.workflow.sql.database import Database
from ignis_server.workflow.sql.holds import Holds
from ignis_server.workflow.sql.local_offers import claimable
from ignis_server.workflow.sql.retention import remove_old
from ignis_server.workflow.state_machine import Decision
from ignis_server.workflow.wakeups import Wakeups, word_of

__all__ = ["SqlJournal"]

# Definitions in use are said to be so this often, which is far shorter than any retention.
DEFINITION_KEPT = timedelta(hours=1)
MAX_DEFINITIONS_KNOWN = 2_000


class SqlJournal:
    """Keeps runs in a database that is passed in, and not closed here."""

    def __init__(self, database: Database, *, wakeups: Wakeups, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self._database = database
        self._wakeups = wakeups
        self._retention = retention
        self._known: dict[str, datetime] = {}
        self._holds = Holds()

    async def now(self) -> datetime:
        """Return the database's time."""
        return await self._database.now()

    async def start(self, decision: Decision, beside: Beside = NOTHING_BESIDE) -> Answered | None:
        """Begin a run."""
        now = await self._database.now()
        plan = decision.run.plan
        is_known = now < self._known.get(plan.digest, now) + DEFINITION_KEPT and plan.digest in self._known
        entry = writing.Entry(decision, changes_of(decision), beside, now, self._retention)

        def begin(connection: Connection) -> Answered | None:
            if not is_known:
                writing.keep_definition(connection, plan, now)
            return writing.start(connection, entry)

        before = await self._database.write(begin)
        if before is None:
            self._know(plan, now)
            self._wakeups.ring(word_of(entry.changes))
        return before

    async def append(self, decision: Decision, beside: Beside = NOTHING_BESIDE) -> Answered | None:
        """Append the events of a decision."""
        now = await self._database.now()
        entry = writing.Entry(decision, changes_of(decision), beside, now, self._retention)
        before = await self._database.write(partial(writing.append, entry=entry))
        if before is None:
            self._holds.let_go(entry.changes.summary.id, entry.changes.touched)
            self._wakeups.ring(word_of(entry.changes))
        return before

    async def answered(self, request_id: str) -> Answered | None:
        """Return how a request was answered."""
        now = await self._database.now()
        kept_for = self._retention.requests
        return await self._database.read(partial(reading.answered, request_id=request_id, kept_for=kept_for, now=now))

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1_000) -> tuple[Recorded, ...]:
        """Return events of a run."""
        return await self._database.read(partial(reading.events_of, run_id=run_id, after=after, limit=limit))

    async def definition(self, digest: str) -> Definition | None:
        """Return a definition."""
        return await self._database.read(partial(reading.definition, digest=digest))

    async def blob(self, run_id: str, digest: str) -> bytes | None:
        """Return bytes that were written beside events of a run."""
        return await self._database.read(partial(reading.blob, run_id=run_id, digest=digest))

    async def offered(self, offer: Offer, *, limit: int, hold: timedelta) -> tuple[ClaimableStep, ...]:
        """Return steps that a worker may claim."""
        now = await self._database.now()
        if self._database.is_shared:
            return await self._database.write(partial(reading.offered, offer=offer, limit=limit, hold=hold, now=now))
        return await self._offered_here(offer, limit, now, until=now + hold)

    async def lease_of(self, claim_id: str) -> Lease | None:
        """Return the lease that a claim got."""
        return await self._database.read(partial(reading.lease_of, claim_id=claim_id))

    async def due(self, *, limit: int, hold: timedelta) -> tuple[str, ...]:
        """Return runs with a deadline that has passed."""
        now = await self._database.now()
        return await self._database.write(partial(reading.due, limit=limit, hold=hold, now=now))

    async def next_deadline(self) -> datetime | None:
        """Return the next deadline of any run."""
        return await self._database.read(reading.next_deadline)

    async def runs(self, chosen: RunFilter, *, limit: int, behind: RunCursor | None = None) -> tuple[RunSummary, ...]:
        """Return a page of runs."""
        return await self._database.read(partial(reading.page_of_runs, chosen=chosen, limit=limit, behind=behind))

    async def remove_old(self, retention: Retention, *, limit: int) -> Removed:
        """Remove what is past its retention."""
        now = await self._database.now()
        return await self._database.write(partial(remove_old, retention=retention, limit=limit, now=now))

    async def _offered_here(
        self, offer: Offer, limit: int, now: datetime, *, until: datetime
    ) -> tuple[ClaimableStep, ...]:
        """Offer steps that nobody else in this process is offered: a read, and no commit for the disk to wait for."""
        self._holds.expire(now)
        while True:
            looked_at = limit + len(self._holds)
            found = await self._database.read(partial(claimable, offer=offer, limit=looked_at))
            # Who was faster meanwhile has held some: there may be more behind what was looked at.
            if (taken := self._holds.take(found, limit, until, now)) or len(found) < looked_at:
                return tuple(taken)

    def _know(self, plan: Plan, now: datetime) -> None:
        if len(self._known) >= MAX_DEFINITIONS_KNOWN:
            self._known.clear()
        if now >= self._known.get(plan.digest, now - DEFINITION_KEPT) + DEFINITION_KEPT:
            self._known[plan.digest] = now
