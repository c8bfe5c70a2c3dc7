"""GetDefinition and ListDefinitions: requests validated, workflows encoded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.rpc.cursor import decode_cursor, encode_cursor
from ignis_server.workflow.definition_codec import definition_digest
from ignis_server.workflow.model import (
    Definition,
    Effect,
    InputDefinition,
    InputType,
    Question,
    RetryPolicy,
    StepDefinition,
    StepKind,
)
from ignis_server.workflow.wire.documents import from_value
from ignis_server.workflow.wire.identifiers import to_definition_id
from ignis_server.workflow.wire.parts import MAX_PAGE_BYTES, from_span, within

__all__ = [
    "DefinitionPage",
    "from_definition",
    "from_definition_page",
    "from_step_definition",
    "from_whole_definition",
    "to_definition_page",
    "to_definition_reference",
]

METHOD: Final = "ListDefinitions"
EFFECTS: Final = {
    Effect.NONE: pb.EFFECT_NONE,
    Effect.IDEMPOTENT: pb.EFFECT_IDEMPOTENT,
    Effect.ONCE: pb.EFFECT_ONCE,
}
INPUT_TYPES: Final = {
    InputType.TEXT: pb.INPUT_TYPE_TEXT,
    InputType.NUMBER: pb.INPUT_TYPE_NUMBER,
    InputType.BOOLEAN: pb.INPUT_TYPE_BOOLEAN,
    InputType.LIST: pb.INPUT_TYPE_LIST,
    InputType.OBJECT: pb.INPUT_TYPE_OBJECT,
    InputType.ANY: pb.INPUT_TYPE_ANY,
}


def to_definition_reference(request: pb.GetDefinitionRequest) -> str:
    """Validate the reference to a workflow.

    Raises:
        InvalidRequest: It is empty or too long.
    """
    checks = Checks()
    reference = to_definition_id(checks, request.definition, "definition")
    checks.finish()
    return reference


@dataclass(frozen=True, slots=True)
class DefinitionPage:
    """What a listing of workflows asks for: those behind an id, in order of ids."""

    after_id: str
    limit: int


def to_definition_page(request: pb.ListDefinitionsRequest) -> DefinitionPage:
    """Validate a listing of workflows.

    Raises:
        InvalidRequest, PageTokenInvalid: The request breaks rules, or its token is of another one.
    """
    checks = Checks()
    limit = checks.page_size(request.page_size, default=50, most=1_000)
    checks.finish()
    token = request.page_token
    return DefinitionPage(decode_cursor(token, method=METHOD, binding="") if token else "", limit)


def from_definition_page(page: DefinitionPage, definitions: Iterable[Definition]) -> pb.ListDefinitionsResponse:
    """Encode a page of all workflows that there are."""
    rest = sorted((each for each in definitions if each.id > page.after_id), key=lambda each: each.id)
    listed = list(within(MAX_PAGE_BYTES, map(from_definition, rest[: page.limit])))
    has_more = len(listed) < len(rest)
    token = encode_cursor(listed[-1].id, method=METHOD, binding="") if has_more else ""
    return pb.ListDefinitionsResponse(definitions=listed, next_page_token=token)


def from_definition(definition: Definition) -> pb.Definition:
    """Encode a workflow as lists show it, without steps and guidance."""
    return pb.Definition(
        id=definition.id,
        digest=definition_digest(definition),
        name=definition.name,
        description=definition.description,
        required_inputs=[each.name for each in definition.inputs if each.is_required],
        inputs=map(_from_input, definition.inputs),
        tags=definition.tags,
    )


def from_whole_definition(definition: Definition) -> pb.GetDefinitionResponse:
    """Encode everything that a workflow says."""
    message = from_definition(definition)
    message.steps.extend(map(from_step_definition, definition.steps))
    message.guidance.extend(pb.Guidance(name=each.name, text=each.text) for each in definition.guidance)
    return pb.GetDefinitionResponse(definition=message)


def _from_input(definition: InputDefinition) -> pb.InputDefinition:
    return pb.InputDefinition(
        name=definition.name,
        type=INPUT_TYPES[definition.type],
        description=definition.description,
        default_value=None if definition.is_required else from_value(definition.default),
        choices=definition.choices,
    )


def from_step_definition(step: StepDefinition) -> pb.StepDefinition:
    """Encode what a workflow says of a step."""
    approval = step.approval
    return pb.StepDefinition(
        id=step.id,
        agent=step.agent,
        instruction=step.instruction,
        needs=step.needs,
        when=step.when,
        for_each=step.for_each,
        requires_approval=approval is not None,
        optional=step.is_optional,
        effect=EFFECTS[step.effect],
        retry=_from_retry(step.retry),
        timeout=from_span(step.timeout),
        outputs=step.outputs,
        capabilities=step.capabilities,
        executor=step.executor,
        selects_agent=step.is_selected,
        question=_from_question(step.question) if step.question else None,
        is_milestone=step.kind is StepKind.MILESTONE,
        inputs={binding.name: binding.expression for binding in step.inputs},
        approval_prompt=approval.prompt if approval else "",
        approval_timeout=from_span(approval.timeout) if approval else None,
    )


def _from_retry(policy: RetryPolicy) -> pb.RetryPolicy:
    return pb.RetryPolicy(
        max_attempts=policy.max_attempts,
        initial_backoff=from_span(policy.initial_backoff),
        max_backoff=from_span(policy.max_backoff),
        backoff_multiplier=policy.backoff_multiplier,
    )


def _from_question(question: Question) -> pb.Question:
    return pb.Question(
        prompt=question.prompt,
        choices=question.choices,
        timeout=from_span(question.timeout),
        default_value=None if question.default is None else from_value(question.default),
    )
