"""What is said of runs and their steps: states, in the words of A2A's TaskState where it has one, failures, usage, artefacts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ignis_server.workflow.values import Json

__all__ = [
    "NO_USAGE",
    "Answer",
    "Approve",
    "Artifact",
    "Failure",
    "InputKind",
    "PersonsWord",
    "Reject",
    "RunState",
    "SkipReason",
    "StepState",
    "TokenUsage",
]


class RunState(StrEnum):
    """Where a run stands."""

    SUBMITTED = "submitted"
    WORKING = "working"
    INPUT_REQUIRED = "input-required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in {RunState.COMPLETED, RunState.FAILED, RunState.CANCELED}


class StepState(StrEnum):
    """Where a step stands. Pending, ready, backing off and skipped are ours: A2A has no dependencies and no conditions."""

    PENDING = "pending"
    READY = "ready"
    WORKING = "working"
    BACKING_OFF = "backing-off"
    INPUT_REQUIRED = "input-required"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in {StepState.COMPLETED, StepState.SKIPPED, StepState.FAILED, StepState.CANCELED}


class InputKind(StrEnum):
    """What a run asks of a person."""

    APPROVAL = "approval"
    QUESTION = "question"
    UNKNOWN_EFFECT = "unknown-effect"


class SkipReason(StrEnum):
    """Why a step was not done."""

    CONDITION = "condition"
    EMPTY_LIST = "empty-list"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, or a run.

    `code` is a stable word for machines; `is_retryable` says whether another attempt may succeed; `step_id` is empty in a
    worker's report.
    """

    code: str
    message: str
    is_retryable: bool = False
    step_id: str = ""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens as a model's provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


NO_USAGE = TokenUsage()


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that a step made, without its bytes.

    They lie at `uri`, or, where that is empty, were sent along and are kept under `digest` ("sha256:" and hexadecimal
    digits) by whoever keeps the run.
    """

    name: str
    media_type: str
    digest: str
    size_bytes: int
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Approve:
    """Go on. Of an unknown effect: it took effect, take the step as done."""

    comment: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """Do it again, or fail the run. Of an unknown effect: it took none. Of a question: nobody will answer."""

    comment: str = ""
    fail_run: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question."""

    value: Json


PersonsWord: TypeAlias = Approve | Reject | Answer
