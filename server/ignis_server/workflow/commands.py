"""What can be asked of a run. Each command may come twice, late, or from somebody who does not know how things stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from ignis_server.workflow.values import Value
from ignis_server.workflow.words import Artifact, Failure, TokenUsage

__all__ = [
    "AnswerInput",
    "ApproveInput",
    "CancelRun",
    "ClaimStep",
    "Command",
    "CompleteStep",
    "ExpireInput",
    "ExpireLease",
    "FailStep",
    "HeartbeatStep",
    "RejectInput",
    "RetryStep",
    "StartRun",
    "TimeOutStep",
]


@dataclass(frozen=True, slots=True)
class StartRun:
    """Begin. `command_id` makes repetition safe."""

    command_id: str
    inputs: Mapping[str, Value] = field(default_factory=dict)
    brief: str = ""
    step_budget_tokens: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    trace_context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimStep:
    """Give a ready step to a worker.

    `command_id` makes repetition safe while the lease lasts: a worker that missed the answer gets it again. `agent_id` is
    the agent that the loader chose for a step that leaves the choice to it.
    """

    command_id: str
    step_id: str
    worker_id: str
    lease: timedelta
    agent_id: str = ""


@dataclass(frozen=True, slots=True)
class HeartbeatStep:
    """Extend a lease, and say how far the step is."""

    step_id: str
    attempt: int
    worker_id: str
    message: str = ""
    usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class CompleteStep:
    """Report that a step is done. A repetition by the same attempt changes nothing."""

    step_id: str
    attempt: int
    worker_id: str
    output: Mapping[str, Value] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class FailStep:
    """Report that an attempt failed. A repetition by the same attempt changes nothing."""

    step_id: str
    attempt: int
    worker_id: str
    failure: Failure
    usage: TokenUsage | None = None
    retry_after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class ExpireLease:
    """Say that a lease may have expired. Nothing happens where it has not, or is another's by now."""

    step_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RetryStep:
    """Say that a back-off may be over. Nothing happens where it is not."""

    step_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class TimeOutStep:
    """Say that an attempt may have taken too long. Nothing happens where it has not."""

    step_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ExpireInput:
    """Say that a person may have been waited for long enough. Nothing happens where that is not so."""

    input_id: str


@dataclass(frozen=True, slots=True)
class ApproveInput:
    """Go on. Of an unknown effect: it took effect, take the step as done."""

    command_id: str
    input_id: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RejectInput:
    """Do the step again, or fail the run. Of an unknown effect: it took none. Of a question: nobody will answer."""

    command_id: str
    input_id: str
    comment: str = ""
    fail_run: bool = False


@dataclass(frozen=True, slots=True)
class AnswerInput:
    """Answer a question."""

    command_id: str
    input_id: str
    answer: Value


@dataclass(frozen=True, slots=True)
class CancelRun:
    """End the run. A run that has ended stays as it is."""

    command_id: str
    reason: str = ""


Command: TypeAlias = (
    StartRun
    | ClaimStep
    | HeartbeatStep
    | CompleteStep
    | FailStep
    | ExpireLease
    | RetryStep
    | TimeOutStep
    | ExpireInput
    | ApproveInput
    | RejectInput
    | AnswerInput
    | CancelRun
)
