"""Runs: what is asked of one is decided on the state that the journal has, and written down before anybody hears of it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from ignis_server.errors import IgnisError, RequestIdReused, RunNotFound, StepNotFound, StoreUnavailable
from ignis_server.signals import Signals
from ignis_server.workflow.commands import CancelRun, Command, StartRun
from ignis_server.workflow.definitions import Definitions
from ignis_server.workflow.events import Recorded, RunStarted
from ignis_server.workflow.ids import new_run_id
from ignis_server.workflow.journal import (
    NOTHING_BESIDE,
    Answered,
    Beside,
    ClaimableStep,
    Journal,
    RaceLost,
    Request,
    RunCursor,
    RunFilter,
    RunSummary,
)
from ignis_server.workflow.known_runs import KnownRuns
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.run import Run, State, Step, Unstarted
from ignis_server.workflow.run_signals import signals_of
from ignis_server.workflow.state_machine import Decision, decide, fold
from ignis_server.workflow.words import StepState

__all__ = ["Runs"]

# Of runs that were used last, in memory. One that waits for a person is some 10 KB.
KNOWN_BYTES: Final = 32 << 20
# Whoever loses a race has let somebody else go on. So many in a row means that a run is besieged.
MAX_RACES: Final = 32
# Commands to one run are decided one after the other where they come to this process; different runs rarely share a turn.
TURNS: Final = 256
EVENTS_AT_ONCE: Final = 1_000


class _Found(NamedTuple):
    """A run, and whether that is how the journal had it just now."""

    run: Run
    is_fresh: bool


class Runs:
    """Starts runs, says to them what is asked, and shows them."""

    def __init__(
        self, journal: Journal, definitions: Definitions, signals: Signals, *, known_bytes: int = KNOWN_BYTES
    ) -> None:
        self._journal = journal
        self._definitions = definitions
        self._signals = signals
        self._known = KnownRuns(known_bytes)
        self._turns = [asyncio.Lock() for _ in range(TURNS)]

    async def start(self, reference: str, command: StartRun, digest: str) -> Run:
        """Begin a run, and return it; a repetition returns it as it began.

        Args:
            reference: What the caller calls the definition.
            command: What it begins with.
            digest: Of all that was asked.

        Raises:
            DefinitionNotFound: There is no such definition.
            InvalidRequest: The inputs are not those of the definition, or several have the name.
            RequestIdReused: Something else was asked under the same id.
            StoreUnavailable: It is not known to have begun; the same request may be sent again.
        """
        before = await self._journal.answered(command.command_id)
        if before is None:
            unstarted = Unstarted(new_run_id(), self._definitions.find(reference))
            decision = decide(unstarted, command, await self._journal.now())
            request = Request(command.command_id, digest, _answer(decision.run))
            before = await self._journal.start(decision, Beside(request))
            if before is None:
                self._written(unstarted, decision)
                return decision.run
        return await self._as_answered(before, digest)

    async def answer_once(self, run_id: str, command: Command, request_id: str, digest: str) -> Run:
        """Say something to a run that is said once, and return the run after it; a repetition returns the same.

        Raises:
            RunNotFound: There is no such run.
            RequestIdReused: Something else was asked under the same id.
            IgnisError: As for `decide`.
        """
        before = await self._journal.answered(request_id)
        if before is None:
            outcome = await self._say(run_id, command, Request(request_id, digest))
            if isinstance(outcome, Answered):
                before = outcome
            elif outcome.events:
                return outcome.run
            else:
                # Nothing was left to do: maybe because the same request was answered in between, and the run has gone on.
                before = await self._journal.answered(request_id)
                if before is None:
                    return outcome.run
        if before.run_id != run_id:
            raise RequestIdReused(request_id)
        return await self._as_answered(before, digest)

    async def cancel(self, run_id: str, command: CancelRun, digest: str) -> Run:
        """End a run, and return it; one that has ended is returned as it is."""
        return await self.answer_once(run_id, command, command.command_id, digest)

    async def say(self, run_id: str, command: Command, beside: Beside = NOTHING_BESIDE) -> Decision:
        """Say something to a run, and return what came of it: its events are written down.

        Raises:
            RunNotFound: There is no such run.
            StoreUnavailable: It is not known to be written down; it may be said again.
            IgnisError: As for `decide`.
        """
        # Without a request nothing was answered before.
        return cast("Decision", await self._say(run_id, command, beside=beside))

    async def run(self, run_id: str) -> Run:
        """Return a run as the journal has it.

        Raises:
            RunNotFound: There is no such run, or it is past its retention.
        """
        return (await self._found(run_id, is_fresh=True)).run

    async def step(self, run_id: str, step_id: str) -> tuple[Run, Step]:
        """Return a step of a run.

        Raises:
            RunNotFound: There is no such run.
            StepNotFound: It has no such step.
        """
        run = await self.run(run_id)
        step = run.steps.get(step_id)
        if step is None:
            raise StepNotFound(run_id, step_id)
        return run, step

    async def claimable(self, offered: ClaimableStep) -> tuple[Run, Step | None]:
        """Return a run, and its step that is offered; None where it can be claimed no longer.

        Raises:
            RunNotFound: There is no such run.
        """
        for is_fresh in (False, True):
            found = await self._found(offered.run_id, is_fresh=is_fresh)
            step = found.run.steps.get(offered.step_id)
            if step is not None and step.state is StepState.READY:
                return found.run, step
        return found.run, None

    async def blobs(self, run: Run, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return bytes of artefacts that were sent along with a completion, by digest."""
        found = {digest: await self._journal.blob(run.id, digest) for digest in digests}
        return {digest: content for digest, content in found.items() if content is not None}

    async def page(self, chosen: RunFilter, *, limit: int, behind: RunCursor | None) -> Sequence[RunSummary]:
        """Return a page of runs, the latest begun first."""
        return await self._journal.runs(chosen, limit=limit, behind=behind)

    async def at(self, run_id: str, version: int) -> Run:
        """Return a run as it stood after one of its events.

        Raises:
            RunNotFound: There is no such run, or it is past its retention.
        """
        events: list[Recorded] = []
        while len(events) < version:
            more = await self._journal.events(run_id, after=len(events), limit=EVENTS_AT_ONCE)
            if not more:
                break
            events += more
        return await self._folded(run_id, events[:version])

    async def _say(
        self, run_id: str, command: Command, request: Request | None = None, *, beside: Beside = NOTHING_BESIDE
    ) -> Decision | Answered:
        async with self._turns[hash(run_id) % TURNS]:
            found = await self._found(run_id, is_fresh=False)
            for _ in range(MAX_RACES):
                now = await self._journal.now()
                try:
                    decision = decide(found.run, command, now)
                except IgnisError:
                    if found.is_fresh:
                        raise
                    decision = None
                if decision is None or not (decision.events or found.is_fresh):
                    # What comes to nothing is said of the run as the journal has it, and not as it was known here.
                    found = await self._found(run_id, is_fresh=True)
                    continue
                if not decision.events:
                    return decision
                if request is not None:
                    beside = Beside(Request(request.id, request.digest, _answer(decision.run)), beside.blobs)
                try:
                    before = await self._journal.append(decision, beside)
                except RaceLost:
                    found = await self._found(run_id, is_fresh=True)
                    continue
                if before is not None:
                    return before
                self._written(found.run, decision)
                return decision
        raise StoreUnavailable("busy")

    def _written(self, before: State, decision: Decision) -> None:
        self._known.put(decision.run)
        for signal in signals_of(before, decision):
            self._signals.report(signal)

    async def _found(self, run_id: str, *, is_fresh: bool) -> _Found:
        known = self._known.get(run_id)
        if known is not None and not is_fresh:
            return _Found(known, is_fresh=False)
        run: Run | None = known
        while True:
            version = run.version if run else 0
            events = await self._journal.events(run_id, after=version, limit=EVENTS_AT_ONCE)
            if not events:
                break
            run = await self._folded(run_id, events) if run is None else _gone_on(run, events)
        if run is None:
            raise RunNotFound(run_id)
        self._known.put(run)
        return _Found(run, is_fresh=True)

    async def _folded(self, run_id: str, events: Sequence[Recorded]) -> Run:
        plan = await self._plan_of(events)
        if plan is None:
            raise RunNotFound(run_id)
        return _gone_on(Unstarted(run_id, plan), events)

    async def _plan_of(self, events: Sequence[Recorded]) -> Plan | None:
        """Return the plan of a run by its first events; None where these are not there."""
        started = events[0].event if events else None
        return await self._definitions.plan_of(started.definition_digest) if isinstance(started, RunStarted) else None

    async def _as_answered(self, before: Answered, digest: str) -> Run:
        if before.request.digest != digest:
            raise RequestIdReused(before.request.id)
        return await self.at(before.run_id, int(before.request.answer))


def _gone_on(state: State, events: Sequence[Recorded]) -> Run:
    # At least one event makes a run, even of what has not begun.
    return cast("Run", fold(state, events))


def _answer(run: Run) -> bytes:
    """Return what makes the answer to a request again: the version of the run in it."""
    return b"%d" % run.version
