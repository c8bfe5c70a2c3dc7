"""A run as it stands: what folding its events gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, TypeAlias

from ignis_server.workflow.events import RunStarted
from ignis_server.workflow.plan import Plan, PlannedStep
from ignis_server.workflow.values import Json
from ignis_server.workflow.words import (
    NO_USAGE,
    Artifact,
    Failure,
    InputKind,
    PersonsWord,
    RunState,
    SkipReason,
    StepState,
    TokenUsage,
)

__all__ = [
    "BackingOff",
    "Canceled",
    "Completed",
    "Failed",
    "Group",
    "Held",
    "InputRequest",
    "Pending",
    "Ready",
    "Report",
    "Resolution",
    "Run",
    "Skipped",
    "Standing",
    "State",
    "Step",
    "Unstarted",
    "Working",
]


@dataclass(frozen=True, slots=True)
class Pending:
    """Waits for other steps."""

    state: ClassVar = StepState.PENDING


@dataclass(frozen=True, slots=True)
class Ready:
    """Can be claimed."""

    state: ClassVar = StepState.READY


@dataclass(frozen=True, slots=True)
class Working:
    """A worker holds its lease. `usage` is that of this attempt so far."""

    state: ClassVar = StepState.WORKING

    worker_id: str
    claim_id: str
    lease: timedelta
    lease_until: datetime
    times_out_at: datetime
    usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class BackingOff:
    """Failed, and will be ready again."""

    state: ClassVar = StepState.BACKING_OFF

    until: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Waits for a person; `output` is what it has made and must be approved."""

    state: ClassVar = StepState.INPUT_REQUIRED

    output: Json | None = None
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """Done."""

    state: ClassVar = StepState.COMPLETED

    output: Json
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not done, and nothing is wrong with that."""

    state: ClassVar = StepState.SKIPPED

    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Failed:
    """Failed for good."""

    state: ClassVar = StepState.FAILED


@dataclass(frozen=True, slots=True)
class Canceled:
    """The run ended before it was done."""

    state: ClassVar = StepState.CANCELED


Standing: TypeAlias = Pending | Ready | Working | BackingOff | Held | Completed | Skipped | Failed | Canceled


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker said at the end of an attempt, and where the step stood then: the answer to a repetition."""

    attempt: int
    is_completion: bool
    state: StepState


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run, or an instance of a repeated one.

    Attributes:
        id: Unique in the run: the definition's id, with "[n]" for an instance of a repeated step, counted from 0.
        definition_id: The definition's id.
        index: Which instance it is; None where the step is not repeated, or does not know yet how often.
        standing: Where it stands.
        agent_id: The agent that does it; empty until it is known.
        attempt: The latest attempt, from 1; 0 before the first. It fences off late reports.
        failures: Attempts that failed since the step came up, or since a person sent it back.
        lost_leases: Leases that expired since then.
        failure: Why the latest attempt that failed did.
        usage: Tokens of all attempts that have ended.
        reports: What workers reported, in order.
        start_time: When its first attempt began.
        end_time: When it ended.
    """

    id: str
    definition_id: str
    index: int | None = None
    standing: Standing = Pending()
    agent_id: str = ""
    attempt: int = 0
    failures: int = 0
    lost_leases: int = 0
    failure: Failure | None = None
    usage: TokenUsage = NO_USAGE
    reports: tuple[Report, ...] = ()
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def state(self) -> StepState:
        """Where it stands, in a word."""
        return self.standing.state

    @property
    def output(self) -> Json | None:
        """What it has made; None until it is completed."""
        return self.standing.output if isinstance(self.standing, Completed) else None

    def report_of(self, attempt: int) -> Report | None:
        """Return what was reported at the end of an attempt."""
        return next((report for report in reversed(self.reports) if report.attempt == attempt), None)


@dataclass(frozen=True, slots=True)
class Group:
    """The instances of a repeated step: how many there are, and how many of them have not ended."""

    count: int
    open: int


@dataclass(frozen=True, slots=True)
class InputRequest:
    """Something that a run asks of a person."""

    id: str
    step_id: str
    kind: InputKind
    prompt: str
    choices: tuple[str, ...]
    create_time: datetime
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a request: the person's word, the command that brought it, and the version that it made."""

    input_id: str
    step_id: str
    word: PersonsWord
    command_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Unstarted:
    """A run of which nothing is known but what it will be."""

    run_id: str
    plan: Plan = field(repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has begun. Its mappings are never changed; another state has others.

    Attributes:
        plan: What it executes; the same for all runs of a definition.
        started: What it began with.
        state: Where it stands.
        version: Number of its latest event.
        steps: Its steps by id. Instances of a repeated step take its place.
        groups: Repeated steps that know how often, by the definition's id.
        tally: How many steps stand where.
        input_requests: What people are asked now, by id.
        resolutions: What they have said, by the request's id.
        failure: Why it failed.
        output_bytes: Of the outputs of all its steps.
        create_time: When it began.
        update_time: When it last changed.
        end_time: When it ended.
    """

    plan: Plan = field(repr=False, compare=False)
    started: RunStarted
    state: RunState
    version: int
    steps: Mapping[str, Step]
    groups: Mapping[str, Group]
    tally: Mapping[StepState, int]
    input_requests: Mapping[str, InputRequest]
    resolutions: Mapping[str, Resolution]
    failure: Failure | None
    output_bytes: int
    create_time: datetime
    update_time: datetime
    end_time: datetime | None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.started.run_id

    def planned(self, step: Step) -> PlannedStep:
        """Return what a step is an instance of."""
        return self.plan.steps[step.definition_id]

    def ordered_steps(self) -> Iterator[Step]:
        """Return its steps in the order of the definition; instances follow each other."""
        for step_id in self.plan.steps:
            group = self.groups.get(step_id)
            if group is None:
                yield self.steps[step_id]
            else:
                yield from (self.steps[f"{step_id}[{index}]"] for index in range(group.count))

    def claimable_steps(self) -> Iterator[Step]:
        """Return steps that a worker may claim."""
        return (step for step in self.steps.values() if isinstance(step.standing, Ready))

    def resolutions_of(self, step_id: str) -> tuple[Resolution, ...]:
        """Return what people have said to a step, the oldest first."""
        said = (each for each in self.resolutions.values() if each.step_id == step_id)
        return tuple(sorted(said, key=lambda each: each.version))

    def usage(self) -> TokenUsage:
        """Return the tokens of all attempts, those under way as far as they told."""
        total = NO_USAGE
        for step in self.steps.values():
            total += step.usage
            if isinstance(step.standing, Working) and step.standing.usage:
                total += step.standing.usage
        return total


State: TypeAlias = Unstarted | Run
