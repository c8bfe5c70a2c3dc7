"""The start of a run: its inputs are checked and completed, and the first steps come up."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from ignis_server.errors import InvalidRequest, RequestIdReused, Violation
from ignis_server.workflow.commands import StartRun
from ignis_server.workflow.events import Recorded, RunStarted
from ignis_server.workflow.limits import MAX_INLINE_BYTES
from ignis_server.workflow.model import InputDefinition, InputType
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.run import Run, Unstarted
from ignis_server.workflow.state_machine.answers import Started
from ignis_server.workflow.state_machine.draft import Draft
from ignis_server.workflow.state_machine.opening import open_step
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.values import Json, Value, ValueFault, decode, encode, kind_of

__all__ = ["begin", "begun_before"]

WANTED: Mapping[InputType, str] = MappingProxyType(
    {
        InputType.TEXT: "a text",
        InputType.NUMBER: "a number",
        InputType.BOOLEAN: "a boolean",
        InputType.LIST: "a list",
        InputType.OBJECT: "an object",
        InputType.ANY: "any value",
    }
)


def begin(unstarted: Unstarted, command: StartRun, now: datetime) -> tuple[Transition, Started]:
    """Begin a run.

    Raises:
        InvalidRequest: The inputs are not those of the definition; all violations are told.
    """
    recorded = Recorded(1, now, _started(unstarted.run_id, unstarted.plan, command))
    transition = Transition(Draft.begun(unstarted.plan, recorded), now, (recorded,))
    for planned in unstarted.plan.steps.values():
        if not planned.definition.needs:
            open_step(transition, planned)
    return transition, Started(unstarted.run_id)


def begun_before(run: Run, command: StartRun) -> Started:
    """Answer a start of a run that has begun.

    Raises:
        RequestIdReused: It was begun by another request, or with other content.
    """
    # A repetition is a call of its own, and has a trace of its own.
    again = replace(_started(run.id, run.plan, command), trace_context=run.started.trace_context)
    if run.started != again:
        raise RequestIdReused(command.command_id)
    return Started(run.id)


def _started(run_id: str, plan: Plan, command: StartRun) -> RunStarted:
    return RunStarted(
        run_id=run_id,
        definition_id=plan.definition.id,
        definition_digest=plan.digest,
        inputs=_inputs(plan.definition.inputs, command.inputs),
        brief=command.brief,
        step_budget_tokens=command.step_budget_tokens,
        labels=dict(command.labels),
        trace_context=dict(command.trace_context),
        command_id=command.command_id,
    )


def _inputs(definitions: tuple[InputDefinition, ...], given: Mapping[str, Value]) -> Json:
    names = [each.name for each in definitions]
    violations = [_unknown(name, names) for name in given if name not in names]
    values: dict[str, Value] = {}
    for definition in definitions:
        values[definition.name] = given.get(definition.name, decode(definition.default))
        problem = _problem(definition, given)
        if problem:
            violations.append(Violation(f"inputs.{definition.name}", problem))
    encoded = Json(b"")
    try:
        encoded = encode(values)
    except ValueFault as fault:
        violations.append(Violation("inputs", f"cannot be kept: {fault}"))
    if len(encoded) > MAX_INLINE_BYTES:
        fact = (
            f"{len(encoded)} bytes are more than the {MAX_INLINE_BYTES} allowed: store what is large, and give its URI"
        )
        violations.append(Violation("inputs", fact))
    if violations:
        raise InvalidRequest(tuple(violations))
    return encoded


def _unknown(name: str, names: list[str]) -> Violation:
    nearest = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {nearest[0]}?" if nearest else f"its inputs are {', '.join(names) or 'none'}"
    return Violation(f"inputs.{name}", f"the workflow has no such input: {remedy}")


def _problem(definition: InputDefinition, given: Mapping[str, Value]) -> str:
    if definition.name not in given:
        return f"is required: give {WANTED[definition.type]}" if definition.is_required else ""
    value = given[definition.name]
    if value is None:
        return f"is null: give {WANTED[definition.type]}" if definition.is_required else ""
    if definition.type is not InputType.ANY and kind_of(value) != definition.type.value:
        return f"is of type {kind_of(value)}: give {WANTED[definition.type]}"
    if definition.choices and value not in definition.choices:
        return f"is none of its choices: give one of {', '.join(definition.choices)}"
    return ""
