"""Who the agents of a workflow are: a port to whatever keeps agents, and the steps with their agents' ids."""

from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.workflow.formats import Located
from ignis_server.workflow.model import Definition, DefinitionFormat

__all__ = ["AgentDirectory", "AmbiguousAgent", "KnownAgent", "Reference", "UnknownAgent", "with_agent_ids"]


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """A reference means one agent."""

    agent_id: str


@dataclass(frozen=True, slots=True)
class UnknownAgent:
    """A reference means nobody; `nearest` are names that look alike."""

    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AmbiguousAgent:
    """A reference means several agents; `agent_ids` are some of them."""

    agent_ids: tuple[str, ...]


Reference: TypeAlias = KnownAgent | UnknownAgent | AmbiguousAgent


class AgentDirectory(Protocol):
    """Knows agents. Answers from memory, at once."""

    def look_up(self, reference: str, *, near: str) -> Reference:
        """Return whom an id or name means.

        Of several with one name it is the one that lies in the same pack as the file at `near`, where exactly one does.
        """
        ...


def with_agent_ids(located: Located, path: str, directory: AgentDirectory) -> tuple[Definition, tuple[Diagnostic, ...]]:
    """Return a definition whose steps have their agents by id, and what is wrong with references.

    In our own format a reference that means nobody, or several, is an error. Elsewhere it is a warning, and the loader
    chooses the agent: a file that was written for another tool starts all the same.
    """
    definition = located.definition
    diagnostics: list[Diagnostic] = []
    steps = []
    for number, step in enumerate(definition.steps):
        found = directory.look_up(step.agent, near=path) if step.agent else None
        if isinstance(found, KnownAgent):
            steps.append(replace(step, agent=found.agent_id))
        elif found is None:
            steps.append(step)
        else:
            is_ours = definition.format is DefinitionFormat.IGNIS
            code, fact, remedy = _wrong(step.agent, found)
            place = f"steps[{number}].agent"
            message = f"{place}: {fact}" if is_ours else f"{place}: {fact}; the loader chooses one instead"
            severity = Severity.ERROR if is_ours else Severity.WARNING
            diagnostics.append(Diagnostic(path, located.lines.of(place), severity, code, message, remedy))
            steps.append(step if is_ours else replace(step, agent="", is_selected=True))
    return replace(definition, steps=tuple(steps)), tuple(diagnostics)


def _wrong(reference: str, found: UnknownAgent | AmbiguousAgent) -> tuple[str, str, str]:
    """Return code, fact and remedy."""
    match found:
        case UnknownAgent(nearest):
            remedy = f"did you mean {' or '.join(nearest)}?" if nearest else "add the agent, or name another"
            return "unknown-agent", f'no agent has the id or name "{reference}"', remedy
        case AmbiguousAgent(agent_ids):
            fact = f'several agents have the name "{reference}"'
            return "ambiguous-agent", fact, f"write the id, such as {' or '.join(agent_ids)}"
