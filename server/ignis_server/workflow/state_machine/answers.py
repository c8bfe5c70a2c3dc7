"""What whoever gave a command is told. A repetition of the command is told the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from ignis_server.workflow.words import StepState

__all__ = [
    "Canceled",
    "Claimed",
    "CommandAnswer",
    "Extended",
    "Reported",
    "Resolved",
    "Started",
    "Swept",
    "Unclaimable",
]


@dataclass(frozen=True, slots=True)
class Started:
    """The run has begun."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """The worker has the lease of an attempt."""

    step_id: str
    attempt: int
    worker_id: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Unclaimable:
    """Somebody was faster, or the step need not be done any more: offer the worker another one."""

    step_id: str
    state: StepState


@dataclass(frozen=True, slots=True)
class Extended:
    """The lease as it stands now; `is_canceled` says that the run has ended, and the worker is to stop."""

    step_id: str
    attempt: int
    worker_id: str
    expire_time: datetime
    is_canceled: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """Where the step stood after the report."""

    step_id: str
    attempt: int
    state: StepState


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person's word holds since the run's event of this number."""

    input_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Canceled:
    """The run has ended, with the event of this number."""

    version: int


@dataclass(frozen=True, slots=True)
class Swept:
    """Whether a deadline had passed."""

    was_due: bool


CommandAnswer: TypeAlias = Started | Claimed | Unclaimable | Extended | Reported | Resolved | Canceled | Swept
