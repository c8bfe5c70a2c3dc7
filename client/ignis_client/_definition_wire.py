"""Between the messages of workflow definitions and the client's types, as `_wire` is for the agents'."""

from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client._json import to_value
from ignis_client.workflow import (
    Effect,
    Guidance,
    InputDefinition,
    InputType,
    Question,
    RetryPolicy,
    StepDefinition,
    WorkflowDefinition,
)

__all__ = ["to_definition", "to_step_definition"]

EFFECT_OF_NUMBER: Final = {
    int(pb.EFFECT_NONE): Effect.NONE,
    int(pb.EFFECT_IDEMPOTENT): Effect.IDEMPOTENT,
    int(pb.EFFECT_ONCE): Effect.ONCE,
}
INPUT_TYPE_OF_NUMBER: Final = {
    int(pb.INPUT_TYPE_TEXT): InputType.TEXT,
    int(pb.INPUT_TYPE_NUMBER): InputType.NUMBER,
    int(pb.INPUT_TYPE_BOOLEAN): InputType.BOOLEAN,
    int(pb.INPUT_TYPE_LIST): InputType.LIST,
    int(pb.INPUT_TYPE_OBJECT): InputType.OBJECT,
    int(pb.INPUT_TYPE_ANY): InputType.ANY,
}


def to_definition(definition: pb.Definition) -> WorkflowDefinition:
    """Decode a workflow."""
    return WorkflowDefinition(
        id=definition.id,
        digest=definition.digest,
        name=definition.name,
        description=definition.description,
        steps=tuple(map(to_step_definition, definition.steps)),
        required_inputs=tuple(definition.required_inputs),
        inputs=tuple(map(_to_input_definition, definition.inputs)),
        tags=tuple(definition.tags),
        guidance=tuple(Guidance(each.name, each.text) for each in definition.guidance),
    )


def to_step_definition(step: pb.StepDefinition) -> StepDefinition:
    """Decode a step of a workflow."""
    return StepDefinition(
        id=step.id,
        agent=step.agent,
        instruction=step.instruction,
        needs=tuple(step.needs),
        when=step.when,
        for_each=step.for_each,
        requires_approval=step.requires_approval,
        optional=step.optional,
        effect=EFFECT_OF_NUMBER.get(step.effect, Effect.UNKNOWN),
        retry=_to_retry_policy(step.retry),
        timeout=step.timeout.ToTimedelta(),
        outputs=tuple(step.outputs),
        capabilities=tuple(step.capabilities),
        executor=step.executor,
        selects_agent=step.selects_agent,
        question=_to_question(step.question) if step.HasField("question") else None,
        is_milestone=step.is_milestone,
        inputs=dict(step.inputs),
        approval_prompt=step.approval_prompt,
        approval_timeout=_span(step.approval_timeout, is_there=step.HasField("approval_timeout")),
    )


def _to_input_definition(definition: pb.InputDefinition) -> InputDefinition:
    return InputDefinition(
        name=definition.name,
        type=INPUT_TYPE_OF_NUMBER.get(definition.type, InputType.UNKNOWN),
        description=definition.description,
        default_value=to_value(definition.default_value),
        choices=tuple(definition.choices),
    )


def _to_retry_policy(policy: pb.RetryPolicy) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=policy.max_attempts,
        initial_backoff=policy.initial_backoff.ToTimedelta(),
        max_backoff=policy.max_backoff.ToTimedelta(),
        backoff_multiplier=policy.backoff_multiplier,
    )


def _to_question(question: pb.Question) -> Question:
    return Question(
        prompt=question.prompt,
        choices=tuple(question.choices),
        timeout=_span(question.timeout, is_there=question.HasField("timeout")),
        default_value=to_value(question.default_value),
    )


def _span(duration: Duration, *, is_there: bool) -> timedelta | None:
    return duration.ToTimedelta() if is_there else None
