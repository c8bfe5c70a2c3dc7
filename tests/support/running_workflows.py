"""The use cases of workflows over a journal, with agents that exist or do not, as one replica has them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ignis_server.errors import AgentNotFound
from ignis_server.workflow.agent_bundles import AgentBundle, Wish
from ignis_server.workflow.claims import ClaimedStep, Claims, ClaimsLimits, StepWanted
from ignis_server.workflow.commands import CompleteStep, StartRun
from ignis_server.workflow.definitions import Definitions
from ignis_server.workflow.journal import Journal, Offer, Retention
from ignis_server.workflow.library import Library
from ignis_server.workflow.model import Definition
from ignis_server.workflow.run import Run
from ignis_server.workflow.run_watch import RunWatch, WatchPace
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.store import Store
from ignis_server.workflow.sweep import Sweeper, SweepPace
from ignis_server.workflow.values import Value
from ignis_server.workflow.wakeups import LocalWakeups, Wakeups
from support.fakes import RecordedSignals

__all__ = ["ANYTHING", "Bundles", "Replica"]

ANYTHING = Offer(frozenset({"echo", "git", "bash"}))
# Wake-ups are waited for, and not the next look without one.
NEVER = timedelta(hours=1)


class Bundles:
    """Loads any agent but those of the folder "gone"."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []

    async def load(self, wish: Wish) -> AgentBundle:
        """Return a text that names the agent."""
        self.wishes.append(wish)
        if wish.agent_id.startswith("gone/"):
            raise AgentNotFound(wish.agent_id, ())
        agent_id = wish.agent_id or "a/chosen"
        return AgentBundle(agent_id, "sha256:0", f"You are {agent_id}.", 5, (f"{agent_id}@0",))


@dataclass
class Replica:
    """What one process has; several may share a journal."""

    journal: Journal
    definitions: Mapping[str, Definition]
    wakeups: Wakeups = field(default_factory=LocalWakeups)
    poll: timedelta = NEVER
    heartbeat: timedelta = NEVER
    known_bytes: int = 1 << 20
    max_waiting: int = 100
    retention: Retention = field(default_factory=Retention)

    def __post_init__(self) -> None:
        self.bundles = Bundles()
        definitions = Definitions(Library(self.definitions, (), 1), self.journal)
        self.signals = RecordedSignals()
        self.runs = Runs(self.journal, definitions, self.signals, known_bytes=self.known_bytes)
        limits = ClaimsLimits(max_waiting=self.max_waiting, poll=self.poll)
        self.closing = asyncio.Event()
        store = Store(self.journal, self.wakeups)
        self.claims = Claims(self.runs, store, self.bundles, self.closing, limits)
        self.watch = RunWatch(self.runs, store, self.closing, WatchPace(heartbeat=self.heartbeat, poll=self.poll))
        self.sweeper = Sweeper(self.runs, store, self.retention, SweepPace(poll=self.poll))

    async def start(self, definition: str, request_id: str = "start", **inputs: Value) -> Run:
        """Begin a run."""
        return await self.runs.start(definition, StartRun(request_id, inputs), f"digest-of-{definition}-{inputs}")

    async def claim(self, claim_id: str, *, wait: float = 0, lease: float = 30, run_id: str = "") -> ClaimedStep | None:
        """Claim a step for a worker of the same name."""
        offer = Offer(ANYTHING.capabilities, run_id=run_id)
        seconds = timedelta(seconds=wait)
        return await self.claims.claim(StepWanted(claim_id, claim_id, offer, timedelta(seconds=lease), seconds))

    async def complete(self, claimed: ClaimedStep, **output: Value) -> Run:
        """Complete a claimed step."""
        command = CompleteStep(claimed.step.id, claimed.step.attempt, claimed.lease.worker_id, output)
        return (await self.runs.say(claimed.run.id, command)).run

    async def work(self, worker: str, *, until: Run) -> None:
        """Do steps until a run has ended."""
        number = 0
        while not (await self.runs.run(until.id)).state.is_terminal:
            number += 1
            if claimed := await self.claim(f"{worker}-{number}", wait=0.2):
                await self.complete(claimed, text="done")
