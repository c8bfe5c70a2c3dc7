"""What importers of Markdown share: ids and categories from paths, names, descriptions and bounds."""

import re
from collections.abc import Sequence

from ignis_server.agents.formats.description import read_description
from ignis_server.agents.formats.front_matter import FrontMatter
from ignis_server.agents.formats.importer import Imported
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["category_of", "id_of", "imported_agent", "stem_of", "title_of"]

SUFFIXES = (".agent.md", ".chatmode.md", ".agent-card.json", ".md", ".markdown", ".mdc", ".json", ".yaml", ".yml")
HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
PARAGRAPH = re.compile(r"^(?![#>|`\s-])\S.*(?:\n(?![#>|`\s-])\S.*)*", re.MULTILINE)
NUMBERED = re.compile(r"^\d+[-_.]")

# Folders that say how a repository is laid out, and nothing about what an agent is for.
STRUCTURAL = frozenset(
    {
        "", ".", "agents", "subagents", "skills", "plugins", "categories", "chatmodes", "agent-teams", "teams",
        "bmad-core", "expansion-packs", "src", "docs", "prompts", ".claude", ".github", ".cursor", ".agents",
        ".copilot", ".bmad-core", ".well-known",
    }
)  # fmt: skip


def id_of(path: str) -> str:
    """Return an agent's id: the path of its file without suffix."""
    suffix = next((each for each in SUFFIXES if path.lower().endswith(each)), "")
    return path[: len(path) - len(suffix)] if suffix else path


def stem_of(path: str) -> str:
    """Return the last part of the id that a path gives."""
    return id_of(path).rpartition("/")[2]


def category_of(path: str) -> str:
    """Return the nearest folder above a file that says what is in it, without a leading number."""
    for folder in reversed(path.split("/")[:-1]):
        if folder.lower() not in STRUCTURAL:
            return NUMBERED.sub("", folder)
    return ""


def title_of(body: str) -> str:
    """Return the first heading of a text; empty where there is none."""
    match = HEADING.search(body)
    return " ".join(match[1].rstrip().rstrip("#").split()) if match else ""


def imported_agent(  # noqa: PLR0913 - what differs between formats, each by name
    path: str,
    front: FrontMatter,
    agent_format: AgentFormat,
    *,
    agent_id: str | None = None,
    category: str | None = None,
    tool_keys: Sequence[str] = ("tools", "allowed-tools"),
) -> Imported:
    """Build the agent of a Markdown file with front matter, whatever is missing from it.

    Without a name it is called as its file; without a description its first paragraph serves. With neither
    description nor body there is nothing to load, and the file is rejected.
    """
    remarks = _Remarks(path, front)
    agent_id = agent_id or id_of(path)
    body = front.body.strip("\n")
    described = read_description(front.text("description"))
    if not body.strip() and not described.text:
        return remarks.rejected("empty-agent", "has neither a description nor a body", "write what the agent does")
    name = _name(front.text("name"), agent_id.rpartition("/")[2], remarks)
    description = _description(described.text, body, remarks)
    if not body.strip():
        remarks.warn("missing-body", "has a description and no body: there is nothing to instruct a model with")
    definition = AgentDefinition(
        agent_id=agent_id,
        name=name,
        description=description,
        body=body,
        format=agent_format,
        path=path,
        category=category_of(path) if category is None else category,
        title=title_of(body),
        tags=(*front.texts("tags"), *front.texts("keywords")),
        tools=next((tools for key in tool_keys if (tools := front.texts(key))), ()),
        model=front.text("model"),
        examples=described.examples,
    )
    return Imported(agents=(definition,), diagnostics=remarks.all())


class _Remarks:
    """The diagnostics of one file, those of its front matter first."""

    def __init__(self, path: str, front: FrontMatter) -> None:
        self._path = path
        self._diagnostics = list(front.diagnostics)

    def warn(self, code: str, fact: str, remedy: str = "add it to the file") -> None:
        self._diagnostics.append(Diagnostic(self._path, 1, Severity.WARNING, code, f"the file {fact}", remedy))

    def rejected(self, code: str, fact: str, remedy: str) -> Imported:
        rejection = Diagnostic(self._path, 1, Severity.ERROR, code, f"the file {fact}", remedy)
        return Imported(diagnostics=(*self._diagnostics, rejection))

    def all(self) -> tuple[Diagnostic, ...]:
        return tuple(self._diagnostics)


def _name(given: str, fallback: str, remarks: _Remarks) -> str:
    name = " ".join(given.split())
    if not name:
        remarks.warn(
            "missing-name", f"has no name in its front matter; it is called {fallback!r}", f"add name: {fallback}"
        )
        return fallback
    return name


def _description(given: str, body: str, remarks: _Remarks) -> str:
    if not given:
        match = PARAGRAPH.search(body)
        remarks.warn(
            "missing-description",
            "has no description in its front matter; "
            + ("its first paragraph serves" if match else "it can only be found by its body"),
            "add description: when to use the agent, in a sentence or two",
        )
        given = " ".join(match[0].split()) if match else ""
    return given
