"""A handler that needs no model: says what each step was asked, so that a workflow can be tried before it costs anything."""

from collections.abc import Mapping

from ignis_client.values import JsonValue
from ignis_client.worker_step import WorkerStep

__all__ = ["DEFAULT_OUTPUT", "echo"]

DEFAULT_OUTPUT = "text"
"""The name of the output of a step whose definition lists none."""


async def echo(step: WorkerStep) -> Mapping[str, JsonValue]:
    """Return, for every output that the step's definition lists, a text that says what it was asked, and of whom."""
    await step.progress(f"echoing {step.id}")
    agents = ", ".join(step.bundle.agents) or "nobody in particular"
    asked = step.definition.instruction or "nothing in words"
    said = f"Step {step.id}, attempt {step.attempt}, asked {agents}: {asked}"
    names = step.definition.outputs or (DEFAULT_OUTPUT,)
    return {name: f"{said} [{name}]" if len(names) > 1 else said for name in names}
