"""What can happen in a run. An event is a fact: folding all of them gives the run, without anything being decided again.

They are kept for as long as the run is, so a field is only ever added, with a default; `event_codec` has the names under
which they are written down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from ignis_server.workflow.values import Json
from ignis_server.workflow.words import Artifact, Failure, InputKind, RunState, SkipReason, TokenUsage

__all__ = [
    "Event",
    "InputAnswered",
    "InputApproved",
    "InputRejected",
    "InputRequested",
    "LeaseExtended",
    "Recorded",
    "RunCanceled",
    "RunCompleted",
    "RunFailed",
    "RunStarted",
    "RunStateChanged",
    "StepBackedOff",
    "StepCanceled",
    "StepClaimed",
    "StepCompleted",
    "StepExpanded",
    "StepFailed",
    "StepHeld",
    "StepReady",
    "StepReleased",
    "StepSkipped",
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run began, with everything that it was given.

    `inputs` hold every input of the definition, defaults included. `command_id` is that of the request that began it.
    """

    run_id: str
    definition_id: str
    definition_digest: str
    inputs: Json
    brief: str = ""
    step_budget_tokens: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    trace_context: Mapping[str, str] = field(default_factory=dict)
    command_id: str = ""


@dataclass(frozen=True, slots=True)
class RunStateChanged:
    """The run came to work, or came to wait for people."""

    state: RunState


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """All steps are done or were skipped. The last event of a run."""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A step failed for good. The last event of a run."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class RunCanceled:
    """A caller ended it. The last event of a run."""

    command_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepReady:
    """A step can be claimed."""

    step_id: str


@dataclass(frozen=True, slots=True)
class StepExpanded:
    """A repeated step has so many instances, which take its place as "id[0]", "id[1]" and so on."""

    step_id: str
    count: int


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """A step is not done. `failure` and `usage` are those of its last attempt, which its worker reported, or did not."""

    step_id: str
    reason: SkipReason
    failure: Failure | None = None
    usage: TokenUsage | None = None
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class StepClaimed:
    """A worker has the lease of a new attempt.

    `claim_id` is that of the request that got it. `lease` is how long each heartbeat extends it.
    """

    step_id: str
    attempt: int
    worker_id: str
    claim_id: str
    agent_id: str
    lease: timedelta
    lease_until: datetime
    times_out_at: datetime


@dataclass(frozen=True, slots=True)
class LeaseExtended:
    """The worker is alive, and says how far it is. `usage` is that of this attempt so far."""

    step_id: str
    attempt: int
    lease_until: datetime
    message: str = ""
    usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class StepReleased:
    """A lease expired, and the step can be claimed by another worker."""

    step_id: str
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class StepBackedOff:
    """An attempt failed, as its worker reported or not, and another one may begin at `until`."""

    step_id: str
    attempt: int
    failure: Failure
    until: datetime
    usage: TokenUsage | None = None
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class StepHeld:
    """A step waits for a person: to approve what it has made, to answer it, or to say what an attempt did.

    `output` is there only for the first, `failure` only for the last; `is_reported` says whether a worker reported it.
    """

    step_id: str
    attempt: int = 0
    output: Json | None = None
    artifacts: tuple[Artifact, ...] = ()
    failure: Failure | None = None
    usage: TokenUsage | None = None
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class StepCompleted:
    """A step is done. `output` and `artifacts` are None where it is done with what it was held with."""

    step_id: str
    output: Json | None = None
    artifacts: tuple[Artifact, ...] | None = None
    usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed for good, as its worker reported or not, and the run with it."""

    step_id: str
    failure: Failure
    usage: TokenUsage | None = None
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class StepCanceled:
    """The run ended before the step was done."""

    step_id: str


@dataclass(frozen=True, slots=True)
class InputRequested:
    """A person is asked."""

    input_id: str
    step_id: str
    kind: InputKind
    prompt: str
    choices: tuple[str, ...] = ()
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class InputApproved:
    """A person approved."""

    input_id: str
    command_id: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class InputRejected:
    """A person rejected."""

    input_id: str
    command_id: str
    comment: str = ""
    fail_run: bool = False


@dataclass(frozen=True, slots=True)
class InputAnswered:
    """A person answered; nobody did in time, and the default holds, where `command_id` is empty."""

    input_id: str
    command_id: str
    answer: Json


Event: TypeAlias = (
    RunStarted
    | RunStateChanged
    | RunCompleted
    | RunFailed
    | RunCanceled
    | StepReady
    | StepExpanded
    | StepSkipped
    | StepClaimed
    | LeaseExtended
    | StepReleased
    | StepBackedOff
    | StepHeld
    | StepCompleted
    | StepFailed
    | StepCanceled
    | InputRequested
    | InputApproved
    | InputRejected
    | InputAnswered
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its number in the run, from 1 without gaps, and its time, which never goes back."""

    version: int
    time: datetime
    event: Event
