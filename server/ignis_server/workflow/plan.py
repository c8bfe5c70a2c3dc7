"""A plan: a definition made ready for runs of it, with expressions parsed and needs turned round. One serves all runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from ignis_server.workflow.definition_codec import definition_digest
from ignis_server.workflow.expression import Expression, parse
from ignis_server.workflow.model import Definition, StepDefinition

__all__ = ["Plan", "PlannedStep"]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its expressions parsed, and the steps that need it."""

    definition: StepDefinition
    when: Expression | None
    for_each: Expression | None
    inputs: tuple[tuple[str, Expression], ...]
    dependents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A definition that was checked; `steps` are in its order."""

    definition: Definition
    digest: str
    steps: Mapping[str, PlannedStep]

    @classmethod
    def of(cls, definition: Definition) -> Self:
        """Make a plan of a definition without mistakes.

        Raises:
            ExpressionFault: It has some after all.
        """
        dependents: dict[str, list[str]] = {step.id: [] for step in definition.steps}
        for step in definition.steps:
            for need in step.needs:
                dependents[need].append(step.id)
        steps = {step.id: _planned(step, tuple(dependents[step.id])) for step in definition.steps}
        return cls(definition, definition_digest(definition), MappingProxyType(steps))


def _planned(step: StepDefinition, dependents: tuple[str, ...]) -> PlannedStep:
    return PlannedStep(
        definition=step,
        when=parse(step.when) if step.when else None,
        for_each=parse(step.for_each) if step.for_each else None,
        inputs=tuple((binding.name, parse(binding.expression)) for binding in step.inputs),
        dependents=dependents,
    )
