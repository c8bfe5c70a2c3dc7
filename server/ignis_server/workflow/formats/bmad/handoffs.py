"""Prompts for handing over: `pm_to_ux` is said to the first UX agent that follows a PM, in its instruction."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ignis_server.workflow.formats.bmad.words import rendered
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.yaml_tree import Entry, MappingNode
from ignis_server.workflow.model import StepDefinition

__all__ = ["hand_over"]

HANDOFF = re.compile(r"([a-z]+)_to_([a-z]+)")


def hand_over(
    steps: Sequence[StepDefinition], sections: Sequence[Entry], reading: Reading
) -> tuple[StepDefinition, ...]:
    """Add each prompt to the step that it clearly means. All of them are also kept as guidance."""
    handed = list(steps)
    for section in sections:
        if section.key == "handoff_prompts" and isinstance(section.value, MappingNode):
            for entry in section.value.entries:
                place = _receiver(entry.key, steps)
                if place is not None:
                    step = handed[place]
                    handed[place] = replace(step, instruction=f"{step.instruction}\n\n{rendered(entry.value)}")
                    fact = f"the prompt {entry.key} is part of the instruction of {step.id}"
                    reading.note(entry.line, "handoff-mapped", fact, "nothing to do")
    return tuple(handed)


def _receiver(key: str, steps: Sequence[StepDefinition]) -> int | None:
    match = HANDOFF.fullmatch(key)
    if match is None:
        return None
    before = ""
    for place, step in enumerate(steps):
        if not step.agent:
            continue
        if _is_called(before, match[1]) and _is_called(step.agent, match[2]):
            return place
        before = step.agent
    return None


def _is_called(agent: str, word: str) -> bool:
    return agent == word or agent.startswith(f"{word}-") or agent.endswith(f"-{word}")
