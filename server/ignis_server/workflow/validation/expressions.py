"""Expressions: that they parse, name what is there by then, and can give what is needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ignis_server.workflow.expression import (
    Attribute,
    EvaluationFault,
    Expression,
    ExpressionFault,
    Index,
    Inputs,
    Item,
    StepValue,
    evaluate,
    parse,
)
from ignis_server.workflow.expression.syntax import Each, Path, Root
from ignis_server.workflow.model import Definition, StepDefinition, StepKind
from ignis_server.workflow.validation.graph import ancestors
from ignis_server.workflow.validation.remarks import Remarks, nearest
from ignis_server.workflow.values import Value, with_article

__all__ = ["check_expressions"]

ANSWER = "answer"
EXAMPLE = 'write it as in: inputs.count > 3 and steps.plan.output.verdict == "go"'


def check_expressions(definition: Definition, remarks: Remarks) -> None:
    """Say which expressions of a workflow cannot be, or cannot work."""
    steps = {step.id: step for step in definition.steps}
    before = ancestors({step.id: step.needs for step in definition.steps})
    inputs = [each.name for each in definition.inputs]
    for number, step in enumerate(definition.steps):
        checker = _Checker(step, steps, before[step.id], inputs, remarks)
        for key, source in _sources(step):
            checker.check(f"steps[{number}].{key}", key, source)


def _sources(step: StepDefinition) -> Iterator[tuple[str, str]]:
    if step.when:
        yield "when", step.when
    if step.for_each:
        yield "for_each", step.for_each
    for binding in step.inputs:
        yield f"inputs.{binding.name}", binding.expression


@dataclass(frozen=True, slots=True)
class _Checker:
    """Checks the expressions of one step, given what is known by the time when it comes up."""

    step: StepDefinition
    steps: Mapping[str, StepDefinition]
    before: frozenset[str]
    inputs: list[str]
    remarks: Remarks

    def check(self, place: str, key: str, source: str) -> None:
        try:
            expression = parse(source)
        except ExpressionFault as fault:
            self.remarks.error(place, "bad-expression", f"column {fault.column}: {fault.problem}", EXAMPLE)
            return
        for path in expression.paths:
            self._check_path(place, key, path)
        if expression.is_constant:
            self._check_constant(place, key, expression)

    def _check_path(self, place: str, key: str, path: Path) -> None:
        match path.root:
            case Inputs():
                self._check_input(place, path)
            case StepValue():
                self._check_step(place, path, path.root)
            case Item() | Index():
                word = "item" if isinstance(path.root, Item) else "index"
                if not self.step.for_each:
                    fact = f"{word} is that of a repeated step, and this one has no for_each"
                    self.remarks.error(place, "no-item", fact, "write for_each, or name another value")
                elif key == "for_each":
                    fact = f"{word} is known only after for_each has given its list"
                    self.remarks.error(place, "no-item", fact, "name an input or an output")

    def _check_input(self, place: str, path: Path) -> None:
        name = path.accessors[0] if path.accessors else None
        if isinstance(name, str) and name not in self.inputs:
            remedy = nearest(name, self.inputs, "write it below inputs")
            self.remarks.error(place, "unknown-input", f'the workflow has no input "{name}"', remedy)

    def _check_step(self, place: str, path: Path, root: StepValue) -> None:
        step = self.steps.get(root.step_id)
        if step is None:
            remedy = nearest(root.step_id, self.steps, "write the id of a step that this one needs")
            self.remarks.error(place, "unknown-step", f'no step has the id "{root.step_id}"', remedy)
        elif step.id not in self.before:
            fact = f'"{step.id}" need not have ended when "{self.step.id}" comes up'
            self.remarks.error(place, "not-needed", fact, f"add {step.id} to needs")
        elif root.attribute is not Attribute.STATE:
            self._check_output(place, path, root, step)

    def _check_output(self, place: str, path: Path, root: StepValue, step: StepDefinition) -> None:
        wanted = Attribute.OUTPUTS if step.for_each else Attribute.OUTPUT
        if root.attribute is not wanted:
            is_it = "is repeated" if step.for_each else "is not repeated"
            fact = f'"{step.id}" {is_it}, and has no {root.attribute}'
            self.remarks.error(place, "wrong-attribute", fact, f"write steps.{step.id}.{wanted}")
            return
        accessors = path.accessors
        if step.for_each:
            # The first says which instance, or all.
            accessors = accessors[1:] if accessors and isinstance(accessors[0], int | Each) else ()
        outputs = _outputs(step)
        if accessors and isinstance(accessors[0], str) and outputs is not None and accessors[0] not in outputs:
            remedy = nearest(accessors[0], outputs, f"it has {', '.join(outputs) or 'none'}")
            self.remarks.error(place, "unknown-output", f'"{step.id}" has no output "{accessors[0]}"', remedy)

    def _check_constant(self, place: str, key: str, expression: Expression) -> None:
        try:
            value = evaluate(expression, _Nothing())
        except EvaluationFault as fault:
            self.remarks.error(place, "bad-expression", str(fault), EXAMPLE)
            return
        if key == "when" and not isinstance(value, bool | None):
            fact = f"it gives {with_article(value)}, and a condition is true or false"
            self.remarks.error(place, "bad-expression", fact, EXAMPLE)
        elif key == "when" and not value:
            fact = "it never holds, so the step is never done"
            self.remarks.warning(place, "unreachable-step", fact, "name an input or an output in it")
        elif key == "for_each" and not isinstance(value, list | None):
            fact = f"it gives {with_article(value)}, and a list is needed"
            self.remarks.error(place, "bad-expression", fact, "write a list, or name one")


class _Nothing:
    """The scope of an expression that names nothing."""

    def value_of(self, root: Root) -> Value:
        raise AssertionError(f"{root} stands in an expression without paths")


def _outputs(step: StepDefinition) -> tuple[str, ...] | None:
    """Return what a step makes; None where it does not say."""
    match step.kind:
        case StepKind.QUESTION:
            return (ANSWER,)
        case StepKind.MILESTONE:
            return ()
        case StepKind.WORK:
            return step.outputs or None
