"""Files that lie between agents and are none: each gets a note that says what it was taken for."""

import re
from pathlib import PurePosixPath

from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["NotAgents", "UnknownFormat"]

DOCUMENTS = re.compile(
    r"(readme|license|licence|copying|notice|contributing|changelog|changes|history|code_of_conduct|security|support"
    r"|authors|source|claude|agents|gemini|copilot-instructions|index)(\.[\w-]+)*",
    re.IGNORECASE,
)
WORKFLOW_KEY = re.compile(r"^workflow:", re.MULTILINE)
YAML_SUFFIXES = (".yaml", ".yml")
MATERIAL_FOLDERS = frozenset({"references", "reference", "assets", "templates", "scripts", "examples", "resources"})
MARKDOWN_SUFFIXES = (".md", ".markdown")


class NotAgents:
    """Recognises what repositories keep beside agents. Asked before the formats that would take such files."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is known to be something else."""
        return _taken_for(file) is not None

    def read(self, file: TextFile) -> Imported:
        """Return the note."""
        return _note(file.path, "not-an-agent", f"taken for {_taken_for(file)}, not for an agent")


class UnknownFormat:
    """Recognises everything, and is asked last."""

    def recognises(self, file: TextFile) -> bool:  # noqa: ARG002 - everything
        """Take whatever nothing else took."""
        return True

    def read(self, file: TextFile) -> Imported:
        """Return the note."""
        return _note(file.path, "unknown-format", "in no format that this service reads")


def _note(path: str, code: str, fact: str) -> Imported:
    remedy = "nothing to do, unless it is meant to be an agent: then give it the form and name of one"
    return Imported(diagnostics=(Diagnostic(path, 1, Severity.NOTE, code, f"the file is {fact}", remedy),))


def _taken_for(file: TextFile) -> str | None:
    path = PurePosixPath(file.path)
    name = path.name.lower()
    folders = [folder.lower() for folder in path.parts[:-1]]
    if DOCUMENTS.fullmatch(name) and not name.endswith((*YAML_SUFFIXES, ".json", ".agent.md", ".chatmode.md")):
        return "a document about the repository"
    if name.endswith(YAML_SUFFIXES) and ("workflows" in folders or WORKFLOW_KEY.search(file.text)):
        return "a workflow"
    if name.endswith((".prompt.md", ".instructions.md")):
        return "a Copilot prompt or instruction"
    if name.endswith(MARKDOWN_SUFFIXES) and folders and folders[-1] == "commands":
        return "a slash command"
    if name.endswith(MARKDOWN_SUFFIXES) and name != "skill.md" and _is_material(folders):
        return "material of a skill"
    return None


def _is_material(folders: list[str]) -> bool:
    """Tell whether a file lies within a skill's folder, beside or below its SKILL.md."""
    if "skills" not in folders:
        return False
    below = folders[folders.index("skills") + 1 :]
    return bool(below) and (len(below) == 1 or bool(MATERIAL_FOLDERS.intersection(below[1:])))
