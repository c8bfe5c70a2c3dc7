"""Workflows as their authors wrote them: steps, what each needs, and what happens when one fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ignis_client.values import JsonValue

__all__ = [
    "Effect",
    "Guidance",
    "InputDefinition",
    "InputType",
    "Question",
    "RetryPolicy",
    "StepDefinition",
    "WorkflowDefinition",
]


class Effect(StrEnum):
    """What doing a step twice would do to the world outside."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    NONE = "none"
    """It changes nothing outside: do it again freely."""
    IDEMPOTENT = "idempotent"
    """It changes something, and doing it twice is as doing it once."""
    ONCE = "once"
    """It must not be done twice, and never is without a person's word."""


class InputType(StrEnum):
    """What an input must be, in the words of JSON."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    TEXT = "text"
    """A text."""
    NUMBER = "number"
    """A number."""
    BOOLEAN = "boolean"
    """True or false."""
    LIST = "list"
    """A list."""
    OBJECT = "object"
    """An object."""
    ANY = "any"
    """Any value."""


@dataclass(frozen=True, slots=True)
class InputDefinition:
    """A value that a run is given when it starts.

    Attributes:
        name: Unique in its workflow.
        type: What it must be.
        description: What it is for; may be empty.
        default_value: What holds where nothing is given; None where it is required, or null is what holds.
        choices: The only texts that it may be. Empty: any.
    """

    name: str
    type: InputType
    description: str
    default_value: JsonValue
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guidance:
    """Advice that an author gives beside the steps; nobody executes it.

    Attributes:
        name: What it is about.
        text: The advice.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What happens when an attempt fails. A lost worker costs no attempt.

    Attributes:
        max_attempts: Attempts in all, the first included, 1 to 100.
        initial_backoff: Wait before the second attempt. Waits are up to a fifth shorter than stated.
        max_backoff: The longest wait.
        backoff_multiplier: Factor from one wait to the next, 1 to 10.
    """

    max_attempts: int
    initial_backoff: timedelta
    max_backoff: timedelta
    backoff_multiplier: float


@dataclass(frozen=True, slots=True)
class Question:
    """What a step asks a person.

    Attributes:
        prompt: The question.
        choices: The only texts that answer it. Empty: any value does.
        timeout: How long an answer is waited for. None: for ever.
        default_value: What is taken for the answer after that. None: the step fails, or null is taken.
    """

    prompt: str
    choices: tuple[str, ...]
    timeout: timedelta | None
    default_value: JsonValue


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """One step of a workflow.

    Attributes:
        id: Unique in its workflow.
        agent: The agent that does it, by id or unique name; empty where the loader chooses, or none is wanted.
        instruction: What the agent is to do.
        needs: Ids of the steps that must have ended before.
        when: The condition under which it is done at all. Empty: always.
        for_each: The list over which it is repeated, one instance for each item. Empty: once.
        requires_approval: Whether a person must approve its output before the run goes on.
        optional: Whether the run goes on if it cannot be done.
        effect: What doing it twice would do.
        retry: What happens when an attempt fails.
        timeout: How long one attempt may take; the server sees to it.
        outputs: Names of the outputs that it makes.
        capabilities: Abilities that a worker must have to claim it. Empty: any worker may.
        executor: What must do it, such as "echo": a worker offers it as a capability. Empty: any worker.
        selects_agent: Whether the loader chooses the agent when the step is claimed.
        question: What a person is asked, whose answer is its output "answer"; None where a worker does it.
        is_milestone: Whether nobody does it: it says that a point was reached.
        inputs: What its worker is given: names, each with an expression. Empty: the workflow's inputs and the
            outputs of the steps that it needs.
        approval_prompt: What a person is asked who approves its output; may be empty.
        approval_timeout: How long an approval is waited for before the step fails. None: for ever.
    """

    id: str
    agent: str
    instruction: str
    needs: tuple[str, ...]
    when: str
    for_each: str
    requires_approval: bool
    optional: bool
    effect: Effect
    retry: RetryPolicy
    timeout: timedelta
    outputs: tuple[str, ...]
    capabilities: tuple[str, ...]
    executor: str
    selects_agent: bool
    question: Question | None
    is_milestone: bool
    inputs: Mapping[str, str]
    approval_prompt: str
    approval_timeout: timedelta | None


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A workflow that can be started.

    Attributes:
        id: Unique; the path of its file without suffix, and with "#" and a name where a file holds several.
        digest: "sha256:" and the SHA-256 of what the file means. A run keeps the content it began with.
        name: The author's name for it.
        description: What it is for; may be empty.
        steps: Its steps, in the order of its file. Empty in lists.
        required_inputs: Names of the inputs that a run must be given.
        inputs: Everything that a run may be given.
        tags: Words to find it by.
        guidance: Advice that its author gives beside the steps. Empty in lists.
    """

    id: str
    digest: str
    name: str
    description: str
    steps: tuple[StepDefinition, ...]
    required_inputs: tuple[str, ...]
    inputs: tuple[InputDefinition, ...]
    tags: tuple[str, ...]
    guidance: tuple[Guidance, ...]
