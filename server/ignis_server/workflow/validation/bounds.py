"""Bounds that hold whatever the format: an importer may make long texts of short ones."""

from collections.abc import Iterator

from ignis_server.workflow import limits
from ignis_server.workflow.model import Definition, StepDefinition
from ignis_server.workflow.validation.remarks import Remarks

__all__ = ["check_bounds"]


def check_bounds(definition: Definition, remarks: Remarks) -> None:
    """Say what is too long or too many."""
    for place, size, most, what in (*_of_definition(definition), *_of_steps(definition.steps)):
        if size > most:
            remedy = "shorten it" if what == "characters" else "remove some, or split the workflow"
            remarks.error(place, "too-large", f"has {size} {what}, more than the {most} allowed", remedy)


def _of_definition(definition: Definition) -> Iterator[tuple[str, int, int, str]]:
    yield "id", len(definition.id), limits.MAX_ID_CHARACTERS, "characters"
    yield "name", len(definition.name), limits.MAX_NAME_CHARACTERS, "characters"
    yield "description", len(definition.description), limits.MAX_DESCRIPTION_CHARACTERS, "characters"
    yield "steps", len(definition.steps), limits.MAX_STEPS, "steps"
    yield "inputs", len(definition.inputs), limits.MAX_INPUTS, "inputs"


def _of_steps(steps: tuple[StepDefinition, ...]) -> Iterator[tuple[str, int, int, str]]:
    for number, step in enumerate(steps):
        place = f"steps[{number}]"
        yield f"{place}.agent", len(step.agent), limits.MAX_ID_CHARACTERS, "characters"
        yield f"{place}.instruction", len(step.instruction), limits.MAX_INSTRUCTION_CHARACTERS, "characters"
        yield f"{place}.when", len(step.when), limits.MAX_EXPRESSION_CHARACTERS, "characters"
        yield f"{place}.needs", len(step.needs), limits.MAX_NEEDS, "needs"
        yield f"{place}.outputs", len(step.outputs), limits.MAX_OUTPUTS, "outputs"
        for output in step.outputs:
            yield f"{place}.outputs", len(output), limits.MAX_NAME_CHARACTERS, "characters"
