"""The journal in memory: for one replica whose runs may end with it, and for tests. It keeps the same contract, durability aside."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ignis_server.clock import Clock
from ignis_server.errors import RunNotFound
from ignis_server.workflow.changes import Changes, changes_of
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.journal import (
    NOTHING_BESIDE,
    Answered,
    Beside,
    ClaimableStep,
    Lease,
    Offer,
    RaceLost,
    Removed,
    Request,
    Retention,
    RunCursor,
    RunFilter,
    RunSummary,
)
from ignis_server.workflow.model import Definition
from ignis_server.workflow.state_machine import Decision
from ignis_server.workflow.wakeups import Wakeups, word_of

__all__ = ["MemoryJournal"]


@dataclass(slots=True)
class _KeptRun:
    summary: RunSummary
    deadline: datetime | None
    events: list[Recorded] = field(default_factory=list)
    claimable: dict[str, ClaimableStep] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


class MemoryJournal:
    """Keeps runs in dictionaries. Nothing is awaited within a method, which makes each atomic."""

    def __init__(self, *, clock: Clock, wakeups: Wakeups, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self._clock = clock
        self._wakeups = wakeups
        self._retention = retention
        self._runs: dict[str, _KeptRun] = {}
        self._definitions: dict[str, tuple[Definition, datetime]] = {}
        self._requests: dict[str, tuple[Answered, datetime]] = {}
        self._held_until: dict[tuple[str, str], datetime] = {}

    async def now(self) -> datetime:
        """Return the time of the clock."""
        return self._clock.now()

    async def start(self, decision: Decision, beside: Beside = NOTHING_BESIDE) -> Answered | None:
        """Begin a run."""
        run = decision.run
        before = self._answered(beside.request)
        if before:
            return before
        if run.id in self._runs:
            raise RaceLost(run.id, 0)
        changes = changes_of(decision)
        self._definitions[run.plan.digest] = (run.plan.definition, self._clock.now())
        self._runs[run.id] = _KeptRun(changes.summary, changes.deadline)
        self._write(decision, changes, beside)
        return None

    async def append(self, decision: Decision, beside: Beside = NOTHING_BESIDE) -> Answered | None:
        """Append the events of a decision."""
        run, version = decision.run, decision.events[0].version - 1
        before = self._answered(beside.request)
        if before:
            return before
        kept = self._runs.get(run.id)
        if kept is None or kept.summary.version != version:
            raise RaceLost(run.id, version)
        self._write(decision, changes_of(decision), beside)
        return None

    async def answered(self, request_id: str) -> Answered | None:
        """Return how a request was answered."""
        return self._answered(Request(request_id, ""))

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1_000) -> tuple[Recorded, ...]:
        """Return events of a run."""
        return tuple(self._run(run_id).events[after : after + limit])

    async def definition(self, digest: str) -> Definition | None:
        """Return a definition."""
        kept = self._definitions.get(digest)
        return kept[0] if kept else None

    async def blob(self, run_id: str, digest: str) -> bytes | None:
        """Return bytes that were written beside events of a run."""
        kept = self._runs.get(run_id)
        return kept.blobs.get(digest) if kept else None

    async def offered(self, offer: Offer, *, limit: int, hold: timedelta) -> tuple[ClaimableStep, ...]:
        """Return steps that a worker may claim."""
        fit = (each for each in self._claimable(offer) if self._is_free((each.run_id, each.step_id)))
        chosen = sorted(fit, key=lambda each: (each.since, each.run_id, each.step_id))[:limit]
        self._hold([(each.run_id, each.step_id) for each in chosen], hold)
        return tuple(chosen)

    async def lease_of(self, claim_id: str) -> Lease | None:
        """Return the lease that a claim got."""
        leases = (lease for kept in self._runs.values() for lease in kept.leases.values())
        return next((lease for lease in leases if lease.claim_id == claim_id), None)

    async def due(self, *, limit: int, hold: timedelta) -> tuple[str, ...]:
        """Return runs with a deadline that has passed."""
        now = self._clock.now()
        passed = [
            (kept.deadline, run_id)
            for run_id, kept in self._runs.items()
            if kept.deadline and kept.deadline <= now and self._is_free((run_id, ""))
        ]
        chosen = tuple(run_id for _, run_id in sorted(passed)[:limit])
        self._hold([(run_id, "") for run_id in chosen], hold)
        return chosen

    async def next_deadline(self) -> datetime | None:
        """Return the next deadline of any run."""
        return min((kept.deadline for kept in self._runs.values() if kept.deadline), default=None)

    async def runs(self, chosen: RunFilter, *, limit: int, behind: RunCursor | None = None) -> tuple[RunSummary, ...]:
        """Return a page of runs."""
        found = [kept.summary for kept in self._runs.values() if _is_chosen(kept.summary, chosen)]
        if behind:
            place = (behind.create_time, behind.run_id)
            found = [each for each in found if (each.create_time, each.id) < place]
        return tuple(sorted(found, key=lambda each: (each.create_time, each.id), reverse=True)[:limit])

    async def remove_old(self, retention: Retention, *, limit: int) -> Removed:
        """Remove what is past its retention."""
        now = self._clock.now()
        ended = ((kept.summary.end_time, run_id) for run_id, kept in self._runs.items())
        runs = sorted((time, run_id) for time, run_id in ended if time and time <= now - retention.runs)[:limit]
        for _, run_id in runs:
            del self._runs[run_id]
        answers = [each for each, (_, time) in self._requests.items() if time <= now - retention.requests][:limit]
        for request_id in answers:
            del self._requests[request_id]
        used = {kept.summary.definition_digest for kept in self._runs.values()}
        old = (each for each, (_, time) in self._definitions.items() if time <= now - retention.runs)
        definitions = [digest for digest in old if digest not in used][:limit]
        for digest in definitions:
            del self._definitions[digest]
        self._held_until = {key: until for key, until in self._held_until.items() if until > now}
        return Removed(len(runs), len(answers), len(definitions))

    def _run(self, run_id: str) -> _KeptRun:
        kept = self._runs.get(run_id)
        if kept is None:
            raise RunNotFound(run_id)
        return kept

    def _answered(self, request: Request | None) -> Answered | None:
        kept = self._requests.get(request.id) if request else None
        if kept is None or kept[1] <= self._clock.now() - self._retention.requests:
            return None
        return kept[0]

    def _write(self, decision: Decision, changes: Changes, beside: Beside) -> None:
        run_id = decision.run.id
        kept = self._runs[run_id]
        kept.summary, kept.deadline = changes.summary, changes.deadline
        kept.events += decision.events
        for step_id in changes.touched:
            kept.claimable.pop(step_id, None)
            kept.leases.pop(step_id, None)
        kept.claimable |= {each.step_id: each for each in changes.claimable}
        kept.leases |= {each.step_id: each for each in changes.leases}
        kept.blobs |= beside.blobs
        for key in ("", *changes.touched):
            self._held_until.pop((run_id, key), None)
        if beside.request:
            self._requests[beside.request.id] = (Answered(replace(beside.request), run_id), self._clock.now())
        self._wakeups.ring(word_of(changes))

    def _claimable(self, offer: Offer) -> Iterator[ClaimableStep]:
        for kept in self._runs.values():
            if offer.run_id in {"", kept.summary.id}:
                for step in kept.claimable.values():
                    if (not offer.agents or step.agent_id in offer.agents) and offer.capabilities.issuperset(
                        step.requires
                    ):
                        yield step

    def _is_free(self, key: tuple[str, str]) -> bool:
        until = self._held_until.get(key)
        return until is None or until <= self._clock.now()

    def _hold(self, keys: list[tuple[str, str]], hold: timedelta) -> None:
        self._held_until |= dict.fromkeys(keys, self._clock.now() + hold)


def _is_chosen(summary: RunSummary, chosen: RunFilter) -> bool:
    return (
        (not chosen.states or summary.state in chosen.states)
        and chosen.definition_id in {"", summary.definition_id}
        and chosen.labels.items() <= summary.labels.items()
        and (chosen.create_time_from is None or summary.create_time >= chosen.create_time_from)
        and (chosen.create_time_until is None or summary.create_time < chosen.create_time_until)
    )
