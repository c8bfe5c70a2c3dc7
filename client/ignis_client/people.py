"""What runs ask of people, and what people say."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from ignis_client.values import JsonValue

__all__ = ["Answer", "Approval", "Decision", "InputAnswer", "InputKind", "InputRequest", "Rejection"]


class InputKind(StrEnum):
    """What a run asks of a person."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    APPROVAL = "approval"
    """Approve or reject what a step has made."""
    QUESTION = "question"
    """Answer a question that a step asks."""
    UNKNOWN_EFFECT = "unknown-effect"
    """Say whether a step that must not be done twice took effect before its worker was lost."""


@dataclass(frozen=True, slots=True)
class InputRequest:
    """Something that a run asks of a person.

    Attributes:
        id: Unique in the run.
        step_id: The step that asks.
        kind: What is asked.
        prompt: The question, for people.
        create_time: When it was asked, in UTC.
        expire_time: When the question's default is taken for the answer, or the step fails for want of one, in
            UTC. None: it waits for ever.
        choices: The only texts that answer a question. Empty: any value does.
    """

    id: str
    step_id: str
    kind: InputKind
    prompt: str
    create_time: datetime
    expire_time: datetime | None
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """Lets a run go on.

    Attributes:
        comment: A word to those who come after. At most 4,096 characters.
    """

    comment: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Sends a step back.

    Attributes:
        comment: What is wrong; the step's next attempt is given it. At most 4,096 characters.
        fail_run: Whether the run fails, instead of doing the step again.
    """

    comment: str = ""
    fail_run: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers a question.

    Attributes:
        value: The answer.
    """

    value: JsonValue


Decision: TypeAlias = Approval | Rejection | Answer


@dataclass(frozen=True, slots=True)
class InputAnswer:
    """What a person said.

    Attributes:
        input_id: The request that was answered.
        decision: What was decided. None: something that this client is too old to know.
        is_default: Whether nobody answered in time, and the question's default was taken.
    """

    input_id: str
    decision: Decision | None
    is_default: bool = False
