"""What happens in a run, event by event, as a watch tells it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from ignis_client.people import InputAnswer, InputRequest
from ignis_client.run import RunState, Step

__all__ = ["RunChange", "RunEvent", "RunStateChanged", "StepExpanded", "StepProgress"]


@dataclass(frozen=True, slots=True)
class RunStateChanged:
    """The run's state changed.

    Attributes:
        before: The state before.
        after: The state after. Where it is terminal, this was the run's last event.
    """

    before: RunState
    after: RunState


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A worker told how far its step is.

    Attributes:
        step_id: The step.
        attempt: The attempt.
        message: The worker's words.
    """

    step_id: str
    attempt: int
    message: str


@dataclass(frozen=True, slots=True)
class StepExpanded:
    """Instances take the place of a repeated step; all of them are pending.

    Attributes:
        step_id: The step, which is no more.
        count: How many instances there are: "[0]" and so on behind its id.
    """

    step_id: str
    count: int


RunChange: TypeAlias = RunStateChanged | Step | InputRequest | InputAnswer | StepProgress | StepExpanded


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One change of a run. When a step that asks a person is changed, it asks no more.

    Attributes:
        version: Its number in the run, from 1, without gaps.
        time: When it happened, in UTC.
        change: What happened. A Step changed, and is as it stands after that; an InputRequest is asked; an
            InputAnswer was given. None: something that this client is too old to know.
    """

    version: int
    time: datetime
    change: RunChange | None
