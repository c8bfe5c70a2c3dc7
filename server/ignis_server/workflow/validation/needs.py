"""Ids and needs: each id once, each need there, and nothing that waits for itself."""

from collections.abc import Sequence

from ignis_server.workflow.model import StepDefinition
from ignis_server.workflow.validation.graph import cycles, never_beginning
from ignis_server.workflow.validation.remarks import Remarks, nearest

__all__ = ["check_needs"]


def check_needs(steps: Sequence[StepDefinition], remarks: Remarks) -> None:
    """Say which ids repeat, which needs are unknown, which steps need each other in a circle, and which wait for such."""
    places: dict[str, int] = {}
    for place, step in enumerate(steps):
        first = places.setdefault(step.id, place)
        if first != place:
            fact = f'the id "{step.id}" is that of steps[{first}] too'
            remarks.error(f"steps[{place}].id", "duplicate-id", fact, "give one of them another id")
    for place, step in enumerate(steps):
        for number, need in enumerate(step.needs):
            if need not in places:
                remedy = nearest(need, places, "write the id of a step, or remove it")
                remarks.error(f"steps[{place}].needs[{number}]", "unknown-need", f'no step has the id "{need}"', remedy)
    needs = {step.id: step.needs for step in reversed(steps)}
    needs = {step.id: needs[step.id] for step in steps}
    for cycle in cycles(needs):
        way = " needs ".join(f'"{step}"' for step in (*cycle, cycle[0]))
        remarks.error(
            f"steps[{places[cycle[0]]}].needs", "cycle", f"{way}: none of them can begin", "remove one of these needs"
        )
    for step_id in never_beginning(needs):
        fact = f'"{step_id}" can never begin: it waits for steps that need each other in a circle'
        remarks.error(f"steps[{places[step_id]}].needs", "unreachable-step", fact, "break the circle")
