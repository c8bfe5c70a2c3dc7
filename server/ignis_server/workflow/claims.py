"""Claims: a worker asks for something to do, and waits until there is something."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from ignis_server.errors import IgnisError, StoreUnavailable, TooManyWaiters
from ignis_server.workflow.agent_bundles import AgentBundle, AgentBundles, Wish
from ignis_server.workflow.commands import ClaimStep, FailStep
from ignis_server.workflow.journal import ClaimableStep, Offer
from ignis_server.workflow.offers import Offers
from ignis_server.workflow.run import Run, Step, Working
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.state_machine import Claimed, StepInputs, step_inputs
from ignis_server.workflow.store import Store
from ignis_server.workflow.wakeups import Bell
from ignis_server.workflow.words import Failure

__all__ = ["ClaimedStep", "Claims", "ClaimsLimits", "StepWanted"]


@dataclass(frozen=True, slots=True)
class ClaimsLimits:
    """Bounds of claims.

    Attributes:
        max_waiting: Workers that wait at once; one more is turned away.
        poll: How often the journal is asked without a wake-up, which may get lost.
    """

    max_waiting: int = 1_000
    poll: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class StepWanted:
    """What a worker asks: steps that its offer fits, for how long it has one, and how long it waits for one.

    `claim_id` makes repetition safe: while the lease lasts, the same id gets the same attempt.
    """

    claim_id: str
    worker_id: str
    offer: Offer
    lease: timedelta
    wait: timedelta


@dataclass(frozen=True, slots=True)
class ClaimedStep:
    """A step that a worker has, and everything that it needs for it; without a bundle where the step wants no agent."""

    run: Run
    step: Step
    lease: Claimed
    inputs: StepInputs
    bundle: AgentBundle | None


class Claims:
    """Hands steps out to workers, one worker for each, the longest ready first."""

    def __init__(
        self,
        runs: Runs,
        store: Store,
        bundles: AgentBundles,
        closing: asyncio.Event,
        limits: ClaimsLimits = ClaimsLimits(),
    ) -> None:
        self._runs = runs
        self._journal = store.journal
        self._wakeups = store.wakeups
        self._bundles = bundles
        self._closing = closing
        self._limits = limits
        self._waiting = 0
        self._offers = Offers(store.journal)

    async def claim(self, wanted: StepWanted) -> ClaimedStep | None:
        """Return a step; None where none became ready in time, or the server closes.

        Raises:
            TooManyWaiters: As many workers wait as may.
            StoreUnavailable: The journal cannot be asked; nothing was claimed, or the same claim id gets it.
        """
        if self._waiting >= self._limits.max_waiting:
            raise TooManyWaiters(self._limits.max_waiting)
        if before := await self._claimed_before(wanted):
            return before
        self._waiting += 1
        try:
            with self._wakeups.of_steps() as bell:
                return await self._wait(wanted, bell)
        finally:
            self._waiting -= 1

    async def _wait(self, wanted: StepWanted, bell: Bell) -> ClaimedStep | None:
        until = bell.rung_at + wanted.wait.total_seconds()
        since = bell.rung_at
        while True:
            if claimed := await self._look(wanted, since):
                return claimed
            left = timedelta(seconds=until - time.monotonic())
            if left <= timedelta() or self._closing.is_set():
                return None
            if await bell.wait(min(self._limits.poll, left)):
                since = bell.rung_at
            elif left > self._limits.poll:
                since = time.monotonic()
            else:
                return None

    async def _look(self, wanted: StepWanted, since: float) -> ClaimedStep | None:
        while offered := await self._offers.step_for(wanted.offer, since):
            if claimed := await self._take(wanted, offered):
                return claimed
        return None

    async def _take(self, wanted: StepWanted, offered: ClaimableStep) -> ClaimedStep | None:
        """Claim a step; None where somebody was faster, or where nobody can do it."""
        run, step = await self._runs.claimable(offered)
        if step is None:
            return None
        try:
            bundle = await self._bundle(run, step)
            failure = None
        except StoreUnavailable:
            raise
        except IgnisError as error:
            bundle = None
            failure = Failure("agent-unavailable", str(error))
        command = ClaimStep(
            wanted.claim_id, step.id, wanted.worker_id, wanted.lease, agent_id=bundle.agent_id if bundle else ""
        )
        decision = await self._runs.say(run.id, command)
        if not isinstance(decision.answer, Claimed):
            return None
        if failure is not None:
            # No worker could do it: it fails as an attempt does, so that the run says why.
            await self._runs.say(run.id, FailStep(step.id, decision.answer.attempt, wanted.worker_id, failure))
            return None
        return _claimed(decision.run, decision.answer, bundle)

    async def _claimed_before(self, wanted: StepWanted) -> ClaimedStep | None:
        lease = await self._journal.lease_of(wanted.claim_id)
        if lease is None:
            return None
        run, step = await self._runs.step(lease.run_id, lease.step_id)
        standing = step.standing
        if not isinstance(standing, Working) or standing.claim_id != wanted.claim_id:
            return None
        claimed = Claimed(step.id, step.attempt, standing.worker_id, standing.lease_until)
        return _claimed(run, claimed, await self._bundle(run, step))

    async def _bundle(self, run: Run, step: Step) -> AgentBundle | None:
        definition = run.planned(step).definition
        if not (step.agent_id or definition.is_selected):
            return None
        agent_id = "" if definition.is_selected else step.agent_id
        wish = Wish(agent_id, run.started.brief, definition.instruction, run.started.step_budget_tokens)
        return await self._bundles.load(wish)


def _claimed(run: Run, lease: Claimed, bundle: AgentBundle | None) -> ClaimedStep:
    step = run.steps[lease.step_id]
    return ClaimedStep(run, step, lease, step_inputs(run, step), bundle)
