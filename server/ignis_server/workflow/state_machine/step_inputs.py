"""What a step's worker is given: what its definition says, or everything that it may need."""

from collections.abc import Iterator
from dataclasses import dataclass

from ignis_server.workflow.expression import EvaluationFault, evaluate
from ignis_server.workflow.limits import MAX_STEP_INPUT_BYTES
from ignis_server.workflow.plan import PlannedStep
from ignis_server.workflow.run import Run, Step
from ignis_server.workflow.state_machine.draft import Draft
from ignis_server.workflow.state_machine.scope import RunScope
from ignis_server.workflow.values import NULL, Json, Value, ValueFault, digest_of, encode

__all__ = ["OutputReference", "StepInputs", "check_bound_inputs", "item_of", "step_inputs"]


@dataclass(frozen=True, slots=True)
class OutputReference:
    """An output that a worker needs and is not given, as it is too large: where it is, and what it must be."""

    step_id: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StepInputs:
    """What a worker is given: one JSON object of at most 2 MiB, its item, and the outputs that it must fetch by itself."""

    document: Json
    item: Json | None = None
    references: tuple[OutputReference, ...] = ()


def step_inputs(run: Run, step: Step) -> StepInputs:
    """Return what the worker of a step is given.

    Where the definition says so, the document holds names with the values of expressions. Elsewhere it holds all
    inputs of the run under "inputs", and the outputs of the steps that it needs by id under "steps", a list of them for a
    repeated one. The largest outputs are left out as references (null in a list) where all together do not fit.
    """
    planned = run.planned(step)
    scope = _scope_of(run, step, planned)
    item = encode(scope.item) if step.index is not None else None
    if planned.inputs:
        parts = (b"%s:%s" % (encode(name), value) for name, value in _bound(planned, scope))
        return StepInputs(Json(b"{%s}" % b",".join(parts)), item)
    wanted = dict(_needed(run, planned))
    references = tuple(_too_large(wanted, MAX_STEP_INPUT_BYTES - len(run.started.inputs)))
    for reference in references:
        wanted[reference.step_id] = None
    return StepInputs(_document(run, planned, wanted), item, references)


def item_of(planned: PlannedStep, index: int, scope: RunScope) -> Value:
    """Return what an instance of a repeated step is for, which follows from what the run has by then."""
    items = evaluate(planned.for_each, scope) if planned.for_each else None
    return items[index] if isinstance(items, list | tuple) else None


def check_bound_inputs(planned: PlannedStep, scope: RunScope) -> None:
    """Check that what a definition says can be given to a worker.

    Raises:
        EvaluationFault: An expression cannot be evaluated, or what all give is too large.
    """
    size = 1 + sum(len(name) + 4 + len(value) for name, value in _bound(planned, scope))
    if size > MAX_STEP_INPUT_BYTES:
        raise EvaluationFault(
            f"the inputs have {size} bytes, more than the {MAX_STEP_INPUT_BYTES} of a step: "
            "let the steps before store what is large as artefacts, and name fewer of their outputs"
        )


def _bound(planned: PlannedStep, scope: RunScope) -> Iterator[tuple[str, Json]]:
    """Return names with the values of expressions; those that differ between no instances are made once for all."""
    for name, expression in planned.inputs:
        key = (planned.definition.id, name)
        value = scope.shared.get(key)
        if value is None:
            value = _encoded(evaluate(expression, scope))
            if not expression.is_of_item:
                scope.shared[key] = value
        yield name, value


def _encoded(value: Value) -> Json:
    try:
        return encode(value)
    except ValueFault as fault:
        raise EvaluationFault(f"an input cannot be kept: {fault}") from fault


def _scope_of(run: Run | Draft, step: Step, planned: PlannedStep) -> RunScope:
    scope = RunScope(run)
    if step.index is not None:
        scope.item, scope.index = item_of(planned, step.index, scope), step.index
    return scope


def _needed(run: Run, planned: PlannedStep) -> Iterator[tuple[str, Json | None]]:
    """Return the outputs of all instances of the steps that one needs, by id; None where there is none."""
    for need in planned.definition.needs:
        for step in _instances(run, need):
            yield step.id, step.output


def _instances(run: Run, step_id: str) -> list[Step]:
    group = run.groups.get(step_id)
    return [run.steps[step_id]] if group is None else [run.steps[f"{step_id}[{n}]"] for n in range(group.count)]


def _too_large(wanted: dict[str, Json | None], room: int) -> Iterator[OutputReference]:
    """Return the largest outputs, as many as must be left out so that the others fit."""
    sizes = {step_id: len(output) for step_id, output in wanted.items() if output is not None}
    # Each stands there with its id, or as null.
    total = sum(len(step_id) + 8 + sizes.get(step_id, 4) for step_id in wanted)
    for step_id in sorted(sizes, key=lambda each: -sizes[each]):
        if total <= room:
            return
        total -= sizes[step_id]
        output = wanted[step_id]
        if output is not None:
            yield OutputReference(step_id, digest_of(output), sizes[step_id])


def _document(run: Run, planned: PlannedStep, wanted: dict[str, Json | None]) -> Json:
    """Put bytes together that are JSON each, without reading what is in them."""
    parts = []
    for need in sorted(planned.definition.needs):
        outputs = [wanted[step.id] for step in _instances(run, need)]
        if run.groups.get(need) is not None:
            parts.append(b"%s:[%s]" % (encode(need), b",".join(NULL if each is None else each for each in outputs)))
        elif outputs[0] is not None:
            parts.append(b"%s:%s" % (encode(need), outputs[0]))
    return Json(b'{"inputs":%s,"steps":{%s}}' % (run.started.inputs, b",".join(parts)))
