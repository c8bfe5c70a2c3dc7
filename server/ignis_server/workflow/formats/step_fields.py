"""A step in our own format: its keys, and what is made of them."""

from ignis_server.workflow import limits
from ignis_server.workflow.formats.collection_shapes import Either, ListOf, MapOf, Meant
from ignis_server.workflow.formats.record import Field, Fields, Record
from ignis_server.workflow.formats.scalar_shapes import Anything, Choice, Decimal, Flag, Span, Text, Whole
from ignis_server.workflow.formats.shape import Schema
from ignis_server.workflow.model import Approval, Binding, Effect, Question, RetryPolicy, StepDefinition, StepKind
from ignis_server.workflow.values import Json, decode

__all__ = ["NAME", "STEP"]

STEP_ID = Text(
    limits.MAX_STEP_ID_CHARACTERS,
    pattern="[A-Za-z][A-Za-z0-9_-]*",
    what="a letter and then letters, digits, _ and -",
)
NAME = Text(
    limits.MAX_STEP_ID_CHARACTERS,
    pattern="[A-Za-z_][A-Za-z0-9_-]*",
    what="a letter or _ and then letters, digits, _ and -",
)
LABEL = Text(limits.MAX_NAME_CHARACTERS)
PROMPT = Text(limits.MAX_PROMPT_CHARACTERS)
EXPRESSION = Text(limits.MAX_EXPRESSION_CHARACTERS)
WAIT = Span(1, limits.MAX_APPROVAL_SECONDS)
BACKOFF = Span(0, limits.MAX_BACKOFF_SECONDS)
CHOICES = ListOf(LABEL, limits.MAX_CHOICES, least=1, is_unique=True)

# Retrying.
DEFAULT_RETRY = RetryPolicy()
MAX_ATTEMPTS = Field(
    "max_attempts",
    Whole(1, limits.MAX_RETRY_ATTEMPTS),
    "Attempts in all, the first included; 3 where it is left out.",
    3,
)
INITIAL_BACKOFF = Field(
    "initial_backoff",
    BACKOFF,
    "Wait before the second attempt, at most 1d; 1s where it is left out.",
    DEFAULT_RETRY.initial_backoff,
)
MAX_BACKOFF = Field(
    "max_backoff", BACKOFF, "The longest wait, at most 1d; 1m where it is left out.", DEFAULT_RETRY.max_backoff
)
BACKOFF_MULTIPLIER = Field(
    "backoff_multiplier",
    Decimal(1, 10),
    "Factor from one wait to the next; 2 where it is left out.",
    DEFAULT_RETRY.backoff_multiplier,
)
RETRY_POLICY = Record(
    (MAX_ATTEMPTS, INITIAL_BACKOFF, MAX_BACKOFF, BACKOFF_MULTIPLIER),
    lambda fields: RetryPolicy(
        fields[MAX_ATTEMPTS], fields[INITIAL_BACKOFF], fields[MAX_BACKOFF], fields[BACKOFF_MULTIPLIER]
    ),
)

# What is asked of people.
APPROVAL_PROMPT = Field("prompt", PROMPT, "What the person is asked.", "")
APPROVAL_TIMEOUT = Field(
    "timeout",
    WAIT,
    "How long an answer is waited for, at most 366d; then the step fails. For ever where it is left out.",
    None,
)
APPROVAL_AT_LENGTH = Record(
    (APPROVAL_PROMPT, APPROVAL_TIMEOUT), lambda fields: Approval(fields[APPROVAL_PROMPT], fields[APPROVAL_TIMEOUT])
)


def _in_short(is_wanted: bool) -> Approval | None:  # noqa: FBT001 - the flag that was read
    return Approval() if is_wanted else None


QUESTION_PROMPT = Field("prompt", PROMPT, "The question.")
QUESTION_CHOICES = Field("choices", CHOICES, "The only texts that answer it; anything does where it is left out.", ())
QUESTION_TIMEOUT = Field(
    "timeout", WAIT, "How long an answer is waited for, at most 366d. For ever where it is left out.", None
)
QUESTION_DEFAULT: Field[Json | None] = Field(
    "default", Anything(limits.MAX_PROMPT_CHARACTERS), "What is taken for the answer when `timeout` has passed.", None
)


def _question(fields: Fields) -> Question:
    return Question(
        fields[QUESTION_PROMPT], fields[QUESTION_CHOICES], fields[QUESTION_TIMEOUT], fields[QUESTION_DEFAULT]
    )


def _question_problem(fields: Fields) -> tuple[str, str] | None:
    default, choices = fields[QUESTION_DEFAULT], fields[QUESTION_CHOICES]
    if default is not None and fields[QUESTION_TIMEOUT] is None:
        return "has a default, which is taken when the timeout has passed, and no timeout", "write a timeout too"
    if default is not None and choices and decode(default) not in choices:
        return "has a default that is none of its choices", f"write one of {', '.join(choices)}"
    return None


QUESTION_AT_LENGTH = Record(
    (QUESTION_PROMPT, QUESTION_CHOICES, QUESTION_TIMEOUT, QUESTION_DEFAULT),
    _question,
    _question_problem,
    {"dependentRequired": {"default": ["timeout"]}},
)

# Steps.
ID = Field("id", STEP_ID, "The step's name, unique in the workflow.")
AGENT = Field("agent", Text(limits.MAX_ID_CHARACTERS), "The agent that does it, by id or unique name.", "")
SELECT = Field(
    "select",
    Flag(is_only_true=True),
    "Let the loader choose the agent that answers the instruction best.",
    default=False,
)
EXECUTOR = Field(
    "executor",
    LABEL,
    "What must do it, such as echo or openai: only workers that offer a capability of this name get it. May stand beside agent or select.",
    "",
)
ASK: Field[Question | None] = Field(
    "ask",
    Either(Meant(PROMPT, Question), QUESTION_AT_LENGTH),
    "A question for a person, whose answer is the step's output, under the name answer.",
    None,
)
MILESTONE = Field(
    "milestone",
    Flag(is_only_true=True),
    "Nobody does anything: the step says that a point was reached, and ends at once.",
    default=False,
)
INSTRUCTION = Field("instruction", Text(limits.MAX_INSTRUCTION_CHARACTERS), "What is to be done.", "")
NEEDS: Field[tuple[str, ...]] = Field(
    "needs",
    Either(Meant(STEP_ID, lambda one: (one,)), ListOf(STEP_ID, limits.MAX_NEEDS, is_unique=True)),
    "Steps that must have ended before, done or skipped. Steps that do not need each other run at the same time.",
    (),
)
WHEN = Field(
    "when",
    EXPRESSION,
    "An expression; the step is skipped where it gives false or null. Where it names item or index, each instance has its own answer.",
    "",
)
FOR_EACH = Field(
    "for_each",
    EXPRESSION,
    f"An expression that gives a list of at most {limits.MAX_FOR_EACH_WIDTH} items; the step is done once for each.",
    "",
)
INPUTS: Field[tuple[tuple[str, str], ...]] = Field(
    "inputs",
    MapOf(NAME, EXPRESSION, limits.MAX_INPUTS),
    "What its worker is given: names, each with an expression. All inputs of the run and the outputs of the steps that it needs where it is left out.",
    (),
)
OUTPUTS: Field[tuple[str, ...]] = Field(
    "outputs", ListOf(LABEL, limits.MAX_OUTPUTS, is_unique=True), "Names of what it makes, such as documents.", ()
)
APPROVAL: Field[Approval | None] = Field(
    "approval",
    Either(Meant(Flag(), _in_short), APPROVAL_AT_LENGTH),
    "Whether a person must approve what it has made before the run goes on; rejected, it is done again.",
    None,
)
OPTIONAL = Field("optional", Flag(), "Whether the run goes on if it cannot be done.", default=False)
EFFECT = Field(
    "effect",
    Choice(Effect),
    "What doing it twice would do to the world outside: nothing, the same as once, or something that must not be. "
    "Of a step with effect once, a person decides what becomes of it where it is unknown whether an attempt took effect.",
    Effect.NONE,
)
RETRY = Field("retry", RETRY_POLICY, "What happens when an attempt fails. Not with effect once.", DEFAULT_RETRY)
TIMEOUT = Field(
    "timeout",
    Span(1, limits.MAX_TIMEOUT_SECONDS),
    "How long one attempt may take, at most 7d; 1h where it is left out.",
    StepDefinition("").timeout,
)
CAPABILITIES: Field[tuple[str, ...]] = Field(
    "capabilities", ListOf(LABEL, limits.MAX_CAPABILITIES, is_unique=True), "Abilities that a worker must have.", ()
)

WORK_ONLY = (AGENT, SELECT, EXECUTOR, INPUTS, OUTPUTS, APPROVAL, EFFECT, RETRY, TIMEOUT, CAPABILITIES)
DOERS = (AGENT, SELECT, ASK, MILESTONE)


def _step(fields: Fields) -> StepDefinition:
    kind = StepKind.QUESTION if fields[ASK] else StepKind.MILESTONE if fields[MILESTONE] else StepKind.WORK
    return StepDefinition(
        id=fields[ID],
        kind=kind,
        agent=fields[AGENT],
        is_selected=fields[SELECT],
        executor=fields[EXECUTOR],
        instruction=fields[INSTRUCTION],
        needs=fields[NEEDS],
        when=fields[WHEN],
        for_each=fields[FOR_EACH],
        inputs=tuple(Binding(name, expression) for name, expression in fields[INPUTS]),
        outputs=fields[OUTPUTS],
        approval=fields[APPROVAL],
        question=fields[ASK],
        is_optional=fields[OPTIONAL],
        effect=fields[EFFECT],
        retry=fields[RETRY],
        timeout=fields[TIMEOUT],
        capabilities=fields[CAPABILITIES],
    )


def _step_problem(fields: Fields) -> tuple[str, str] | None:
    doers = [each.key for each in DOERS if fields.has(each)]
    if not doers and not fields.has(EXECUTOR):
        return "says nobody who does it", "write one of agent, select, executor, ask and milestone"
    if len(doers) > 1:
        return f"has {' and '.join(doers)}, which exclude each other", "keep one of them"
    if doers and doers[0] in {ASK.key, MILESTONE.key}:
        foreign = [
            each.key for each in (*WORK_ONLY, *(() if fields[MILESTONE] else (INSTRUCTION,))) if fields.has(each)
        ]
        if foreign:
            fact = f"has {doers[0]}, and {', '.join(foreign)}, which concern steps that a worker does"
            return fact, f"remove {', '.join(foreign)}"
    if fields[EFFECT] is Effect.ONCE and fields.has(RETRY):
        return (
            "has effect once, and is to be retried",
            "remove retry: a step that must not be done twice is not retried",
        )
    return None


def _without(*fields: Field[object]) -> Schema:
    return {"not": {"anyOf": [{"required": [each.key]} for each in fields]}}


RULES: Schema = {
    "oneOf": [
        {"required": [AGENT.key], **_without(SELECT, ASK, MILESTONE)},
        {"required": [SELECT.key], **_without(AGENT, ASK, MILESTONE)},
        {"required": [EXECUTOR.key], **_without(*DOERS)},
        {"required": [ASK.key], **_without(*WORK_ONLY, INSTRUCTION, MILESTONE)},
        {"required": [MILESTONE.key], **_without(*WORK_ONLY, ASK)},
    ],
    "if": {"properties": {EFFECT.key: {"const": Effect.ONCE.value}}, "required": [EFFECT.key]},
    "then": _without(RETRY),
}

STEP = Record(
    (
        ID,
        AGENT,
        SELECT,
        EXECUTOR,
        ASK,
        MILESTONE,
        INSTRUCTION,
        NEEDS,
        WHEN,
        FOR_EACH,
        INPUTS,
        OUTPUTS,
        APPROVAL,
        OPTIONAL,
        EFFECT,
        RETRY,
        TIMEOUT,
        CAPABILITIES,
    ),
    _step,
    _step_problem,
    RULES,
    name="step",
)
