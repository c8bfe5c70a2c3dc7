"""Bounds of a definition, the same for every format: what is too long is cut, what cannot be sent is rejected."""

import re
from collections.abc import Iterator
from dataclasses import replace

from ignis_server.agents.formats.importer import Imported
from ignis_server.agents.model import AgentDefinition
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["bounded"]

MAX_NAME_CHARACTERS = 128
MAX_TITLE_CHARACTERS = 512
MAX_DESCRIPTION_CHARACTERS = 8_192
MAX_EXAMPLES = 16
MAX_EXAMPLE_CHARACTERS = 500

# What the API takes as a reference: an agent with a longer id could never be asked for.
MAX_ID_CHARACTERS = 1_024

# tiktoken's pattern recurses over spaces and tabs, and ends the process somewhere above 100,000 of them.
MAX_BLANKS = 10_000
BLANKS = re.compile(r"[^\S\n]+")


def bounded(imported: Imported) -> Imported:
    """Keep the agents of a file within bounds, and say what that changed."""
    agents: list[AgentDefinition] = []
    diagnostics = list(imported.diagnostics)
    for agent in imported.agents:
        if fault := _fault_of(agent):
            diagnostics.append(fault)
            continue
        diagnostics += _remarks_on(agent)
        agents.append(_cut(agent))
    return replace(imported, agents=tuple(agents), diagnostics=tuple(diagnostics))


def _cut(agent: AgentDefinition) -> AgentDefinition:
    return replace(
        agent,
        name=agent.name[:MAX_NAME_CHARACTERS],
        title=agent.title[:MAX_TITLE_CHARACTERS],
        description=agent.description[:MAX_DESCRIPTION_CHARACTERS],
        examples=tuple(example[:MAX_EXAMPLE_CHARACTERS] for example in agent.examples[:MAX_EXAMPLES]),
    )


def _remarks_on(agent: AgentDefinition) -> Iterator[Diagnostic]:
    """Say which of the fields that people read are cut."""
    for field, text, most, remedy in (
        ("name", agent.name, MAX_NAME_CHARACTERS, "shorten it"),
        (
            "description",
            agent.description,
            MAX_DESCRIPTION_CHARACTERS,
            "move what is more than a summary into the body",
        ),
    ):
        if len(text) > most:
            yield Diagnostic(
                agent.path,
                agent.line,
                Severity.WARNING,
                f"long-{field}",
                f"the {field} has {len(text)} characters, of which {most} are kept",
                remedy,
            )


def _fault_of(agent: AgentDefinition) -> Diagnostic | None:
    """Return why an agent cannot be loaded at all."""
    if len(agent.agent_id) > MAX_ID_CHARACTERS:
        return _rejected(
            agent,
            "long-id",
            f"the id has {len(agent.agent_id)} characters, more than the {MAX_ID_CHARACTERS} allowed",
            "shorten the path or the key",
        )
    texts = (agent.agent_id, agent.name, agent.title, agent.description, agent.body, agent.category, agent.model)
    for text in (*texts, *agent.tags, *agent.tools, *agent.examples):
        try:
            text.encode()
        except UnicodeEncodeError:
            return _rejected(
                agent, "invalid-text", "an escape (\\ud800 to \\udfff) stands for half a character", "write it out"
            )
    blanks = max((len(run) for text in (agent.body, agent.description) for run in BLANKS.findall(text)), default=0)
    if blanks > MAX_BLANKS:
        return _rejected(
            agent,
            "too-many-blanks",
            f"{blanks} spaces or tabs stand in a row, more than the {MAX_BLANKS} allowed",
            "remove them",
        )
    return None


def _rejected(agent: AgentDefinition, code: str, message: str, remedy: str) -> Diagnostic:
    # The path itself is printable: names of files are made so when they are read.
    return Diagnostic(agent.path, agent.line, Severity.ERROR, code, message, remedy)
