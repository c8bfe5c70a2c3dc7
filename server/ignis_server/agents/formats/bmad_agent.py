"""BMAD agents: Markdown around one YAML block that defines a persona, its commands and its dependencies."""

import re

from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import category_of, id_of, stem_of
from ignis_server.agents.formats.yaml_reader import read_mapping
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.safe_yaml import YamlFault

__all__ = ["BmadAgent"]

BLOCK = re.compile(r"^```ya?ml[ \t]*\n", re.MULTILINE)
AGENT_KEY = re.compile(r"^agent:[ \t]*$", re.MULTILINE)
FIELD = re.compile(r"^[ \t]+([A-Za-z]+):[ \t]+(.+?)[ \t]*$", re.MULTILINE)


class BmadAgent:
    """Reads the block's fields and keeps the whole file as the body: it is written to be given whole."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is Markdown with a YAML block that has the key `agent`."""
        block, _ = _block_of(file.text)
        return file.path.lower().endswith(".md") and AGENT_KEY.search(block) is not None

    def read(self, file: TextFile) -> Imported:
        """Return the agent, called by its BMAD id, described by its title and when to use it."""
        block, first_line = _block_of(file.text)
        diagnostics: tuple[Diagnostic, ...] = ()
        try:
            agent = read_mapping(block).values.get("agent")
        except YamlFault as error:
            agent, diagnostics = _fields_below_agent(block), (_invalid(file.path, first_line, error),)
        fields = (
            {key: value for key, value in agent.items() if isinstance(value, str)} if isinstance(agent, dict) else {}
        )
        title, use = fields.get("title", ""), fields.get("whenToUse", "")
        definition = AgentDefinition(
            agent_id=id_of(file.path),
            name=fields.get("id") or stem_of(file.path),
            description=": ".join(part for part in (title, " ".join(use.split())) if part),
            body=file.text.strip("\n"),
            format=AgentFormat.BMAD_AGENT,
            path=file.path,
            category=category_of(file.path),
            title=title,
        )
        if not definition.description:
            diagnostics = (*diagnostics, _undescribed(file.path, first_line))
        return Imported(agents=(definition,), diagnostics=diagnostics)


def _block_of(text: str) -> tuple[str, int]:
    """Return the first YAML block of a text, and the line on which it begins."""
    opened = BLOCK.search(text)
    # From the line feed of the first line on, so that an empty block is found too.
    end = text.find("\n```", opened.end() - 1) if opened else -1
    if opened is None or end < 0:
        return "", 1
    return text[opened.end() : end + 1], text.count("\n", 0, opened.end()) + 1


def _fields_below_agent(block: str) -> dict[str, str]:
    """Return the indented `key: value` lines that follow `agent:`, up to the next key at the margin."""
    start = AGENT_KEY.search(block)
    below = block[start.end() :] if start else ""
    section = re.split(r"^\S", below.lstrip("\n"), maxsplit=1, flags=re.MULTILINE)[0]
    return {key: value.strip("\"'") for key, value in FIELD.findall(section)}


def _invalid(path: str, first_line: int, error: YamlFault) -> Diagnostic:
    return Diagnostic(
        path,
        first_line + error.line - 1,
        Severity.WARNING,
        "invalid-yaml",
        f"the block is not YAML: {error.problem}; the fields of `agent` were read line by line",
        "put the value in quotes",
    )


def _undescribed(path: str, line: int) -> Diagnostic:
    return Diagnostic(
        path,
        line,
        Severity.WARNING,
        "missing-description",
        "the agent has neither title nor whenToUse; it can only be found by its body",
        "add whenToUse below agent: in the YAML block",
    )
