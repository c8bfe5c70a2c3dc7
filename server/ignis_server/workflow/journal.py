"""The journal: what runs have come to, kept so that any replica can carry them on. This is the port; its words are the contract.

An adapter holds to this for every method:

- It is atomic: all of it holds, or nothing does. What has returned survives a crash of the process, and of the machine as
  far as the database's disk does.
- It is bounded in time, by `limits.MAX_STORE_SECONDS`, and raises StoreUnavailable where the store is gone, slow, full, busy or
  read-only. Nothing is half done then. Whether it was done is unknown where the answer got lost: every write can be repeated,
  by its version or its request id.
- Cancelling it does not undo it: it was done or was not, as above.
- It may be called by many callers at once, of this process and of others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from ignis_server.workflow.events import Recorded
from ignis_server.workflow.model import Definition
from ignis_server.workflow.state_machine import Decision
from ignis_server.workflow.words import Failure, RunState, TokenUsage

__all__ = [
    "NOTHING_BESIDE",
    "Answered",
    "Beside",
    "ClaimableStep",
    "Journal",
    "Lease",
    "Offer",
    "RaceLost",
    "Removed",
    "Request",
    "Retention",
    "RunCursor",
    "RunFilter",
    "RunSummary",
]


class RaceLost(Exception):
    """Somebody else has written to the run since it was read: read on, and decide again. Nothing was changed.

    It never leaves the use case.
    """

    def __init__(self, run_id: str, version: int) -> None:
        self.run_id = run_id
        self.version = version
        super().__init__(f"run {run_id} does not stand at version {version} any more")


@dataclass(frozen=True, slots=True)
class Request:
    """A caller's request that is answered once: its id, the digest of its content, and the answer that a repetition gets."""

    id: str
    digest: str
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was answered before, and the run that it was about."""

    request: Request
    run_id: str


@dataclass(frozen=True, slots=True)
class Beside:
    """What is written together with events.

    Attributes:
        request: The request that they answer.
        blobs: Bytes of artefacts by their digest, kept for as long as the run is.
    """

    request: Request | None = None
    blobs: Mapping[str, bytes] = field(default_factory=dict)


NOTHING_BESIDE = Beside(blobs=MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker is willing to do: steps of these agents (none: any), with capabilities that it has, of one run or any."""

    capabilities: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class ClaimableStep:
    """A step that a worker may claim. `attempt` is the latest before the claim; `since` is when it became ready."""

    run_id: str
    step_id: str
    attempt: int
    agent_id: str
    requires: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A step that a worker has, and the claim that got it."""

    run_id: str
    step_id: str
    attempt: int
    worker_id: str
    claim_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run without its steps, as lists show it."""

    id: str
    definition_id: str
    definition_digest: str
    state: RunState
    version: int
    labels: Mapping[str, str]
    create_time: datetime
    update_time: datetime
    end_time: datetime | None
    ended_steps: int
    known_steps: int
    usage: TokenUsage
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a list has: those for which all of it holds. Empty: all."""

    states: frozenset[RunState] = frozenset()
    definition_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    create_time_from: datetime | None = None
    create_time_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunCursor:
    """Where a page ended: the next one begins behind it, whatever was begun or removed meanwhile."""

    create_time: datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept: runs since they ended, answers of requests since they were given."""

    runs: timedelta = timedelta(days=7)
    requests: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Removed:
    """How much a sweep has removed."""

    runs: int = 0
    requests: int = 0
    definitions: int = 0


class Journal(Protocol):
    """Runs as sequences of events, and the rows that follow from them: claimable steps, leases, deadlines, summaries."""

    async def now(self) -> datetime:
        """Return the store's time, by which replicas agree whatever their own clocks say; exact to some milliseconds."""
        ...

    async def start(self, decision: Decision, beside: Beside = NOTHING_BESIDE) -> Answered | None:
        """Begin a run, with its definition, its first events and all rows that follow.

        Returns:
            None; or the answer that the same request was given within `Retention.requests`, and nothing was changed.

        Raises:
            RaceLost: There is a run of this id.
        """
        ...

    async def append(self, decision: Decision, beside: Beside = NOTHING_BESIDE) -> Answered | None:
        """Append the events of a decision, of which there is at least one, to its run, with all rows that follow.

        Returns:
            As for `start`.

        Raises:
            RaceLost: The run does not end where the events begin, or is not there any more.
        """
        ...

    async def answered(self, request_id: str) -> Answered | None:
        """Return how a request was answered within `Retention.requests`."""
        ...

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1_000) -> tuple[Recorded, ...]:
        """Return the events of a run behind one of a number, in order, without gap.

        There may be some more than `limit`, as what was decided together may come together. None means that there are no more.

        Raises:
            RunNotFound: There is no such run, or it is past its retention.
        """
        ...

    async def definition(self, digest: str) -> Definition | None:
        """Return a definition that a run began with."""
        ...

    async def blob(self, run_id: str, digest: str) -> bytes | None:
        """Return bytes that were written beside events of a run."""
        ...

    async def offered(self, offer: Offer, *, limit: int, hold: timedelta) -> tuple[ClaimableStep, ...]:
        """Return steps that a worker may claim, the longest ready first, and offer them to nobody else for so long.

        Callers at the same time are offered different steps. It is no claim: that is an event, and may lose a race after all.
        """
        ...

    async def lease_of(self, claim_id: str) -> Lease | None:
        """Return the lease that a claim got, while it has it: the answer to a worker that missed it."""
        ...

    async def due(self, *, limit: int, hold: timedelta) -> tuple[str, ...]:
        """Return ids of runs with a deadline that has passed, the earliest first, and give them to no other sweeper for so long."""
        ...

    async def next_deadline(self) -> datetime | None:
        """Return when the next deadline of any run is, passed or not; None where there is none."""
        ...

    async def runs(self, chosen: RunFilter, *, limit: int, behind: RunCursor | None = None) -> tuple[RunSummary, ...]:
        """Return a page of runs, the latest begun first; fewer than `limit` at the end only."""
        ...

    async def remove_old(self, retention: Retention, *, limit: int) -> Removed:
        """Remove what is past its retention: at most so many of each kind; call again while it finds as many.

        A definition goes when no run has it and none has begun with it for as long as runs are kept.
        """
        ...
