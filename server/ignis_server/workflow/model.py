"""The words of a definition: what a workflow, its inputs and its steps are."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ignis_server.workflow.values import NULL, Json

__all__ = [
    "Approval",
    "Binding",
    "Definition",
    "DefinitionFormat",
    "Effect",
    "Guidance",
    "InputDefinition",
    "InputType",
    "Question",
    "RetryPolicy",
    "StepDefinition",
    "StepKind",
]


class DefinitionFormat(StrEnum):
    """The ways in which people write workflows down."""

    IGNIS = "ignis"
    BMAD = "bmad"


class InputType(StrEnum):
    """What a run's input must be."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class InputDefinition:
    """A value that a run is given when it starts.

    Attributes:
        name: Unique in the workflow.
        type: What it must be.
        description: What it is for.
        is_required: Whether a run must be given it; otherwise `default` holds.
        default: What holds where nothing is given; null, which every type admits, where nobody says.
        choices: The only texts that it may be; empty: any.
    """

    name: str
    type: InputType
    description: str = ""
    is_required: bool = True
    default: Json = NULL
    choices: tuple[str, ...] = ()


class Effect(StrEnum):
    """What doing a step twice would do to the world outside."""

    NONE = "none"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


class StepKind(StrEnum):
    """Who does a step: an agent or executor, a person who answers, or nobody, as it only says that a point was reached."""

    WORK = "work"
    QUESTION = "question"
    MILESTONE = "milestone"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What happens when an attempt fails in a way that another may not.

    `max_attempts` counts the first one too. Each wait is `backoff_multiplier` times the one before.
    """

    max_attempts: int = 3
    initial_backoff: timedelta = timedelta(seconds=1)
    max_backoff: timedelta = timedelta(minutes=1)
    backoff_multiplier: float = 2.0


@dataclass(frozen=True, slots=True)
class Approval:
    """A person must approve what a step has made. Without an answer within `timeout` the step fails; None: never."""

    prompt: str = ""
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a step asks a person.

    Attributes:
        prompt: The question.
        choices: The only texts that answer it; empty: any value does.
        timeout: How long an answer is waited for; None: for ever.
        default: What is taken for the answer after that; None: the step fails.
    """

    prompt: str
    choices: tuple[str, ...] = ()
    timeout: timedelta | None = None
    default: Json | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """A name under which a step is given the value of an expression."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """One step of a workflow.

    Attributes:
        id: Unique in the workflow.
        kind: Who does it; `agent`, `executor`, `effect`, `retry`, `timeout`, `approval` and `capabilities` concern WORK.
        agent: The agent that does it, by id or unique name; empty where the loader chooses or none is wanted.
        is_selected: Whether the loader chooses the agent.
        executor: What must do it, such as "echo"; workers offer it as a capability. Empty: any worker.
        instruction: What is to be done.
        needs: Ids of the steps that must have ended before.
        when: The expression under which it is done at all; empty: always.
        for_each: The expression of the list over which it is repeated; empty: it is done once.
        inputs: What its worker is given; empty: all inputs of the run and the outputs of the steps that it needs.
        outputs: Names of what it makes.
        approval: Whether and how a person approves what it has made.
        question: What is asked; for a QUESTION.
        is_optional: Whether the run goes on if it cannot be done.
        effect: What doing it twice would do.
        retry: What happens when an attempt fails. A step with effect "once" is never retried by itself.
        timeout: How long one attempt may take.
        capabilities: Abilities that a worker must have.
    """

    id: str
    kind: StepKind = StepKind.WORK
    agent: str = ""
    is_selected: bool = False
    executor: str = ""
    instruction: str = ""
    needs: tuple[str, ...] = ()
    when: str = ""
    for_each: str = ""
    inputs: tuple[Binding, ...] = ()
    outputs: tuple[str, ...] = ()
    approval: Approval | None = None
    question: Question | None = None
    is_optional: bool = False
    effect: Effect = Effect.NONE
    retry: RetryPolicy = RetryPolicy()
    timeout: timedelta = timedelta(hours=1)
    capabilities: tuple[str, ...] = ()

    @property
    def required_capabilities(self) -> tuple[str, ...]:
        """What a worker must offer to be given the step."""
        return (*self.capabilities, self.executor) if self.executor else self.capabilities


@dataclass(frozen=True, slots=True)
class Guidance:
    """Advice that the author gives beside the steps, such as when to use the workflow. Nobody executes it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A workflow that can be started.

    Attributes:
        id: Unique; the path of its file without suffix, and with "#" and a name where a file holds several.
        name: The author's name for it.
        description: What it is for; may be empty.
        format: How it was written down.
        inputs: What a run is given.
        steps: In the order of the file.
        tags: Words to find it by.
        guidance: What else its author says.
    """

    id: str
    name: str
    description: str = ""
    format: DefinitionFormat = DefinitionFormat.IGNIS
    inputs: tuple[InputDefinition, ...] = ()
    steps: tuple[StepDefinition, ...] = ()
    tags: tuple[str, ...] = ()
    guidance: tuple[Guidance, ...] = ()
