"""CrewAI agents: one YAML file with an agent under each key, described by role, goal and backstory."""

from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import category_of
from ignis_server.agents.formats.yaml_reader import read_mapping
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.safe_yaml import YamlFault

__all__ = ["CrewAi"]

FILE_NAMES = frozenset({"agents.yaml", "agents.yml"})


class CrewAi:
    """Reads every entry of the file; one that lacks its role or goal does not keep the others out."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is called as CrewAI's own scaffold calls it."""
        return file.path.rpartition("/")[2].lower() in FILE_NAMES

    def read(self, file: TextFile) -> Imported:
        """Return an agent for each key; ids are the path without suffix, "#" and the key."""
        try:
            mapping = read_mapping(file.text)
        except YamlFault as error:
            message = f"the file is not YAML: {error.problem}"
            remedy = "put the value in quotes, or after `>` on lines of its own"
            return Imported(
                diagnostics=(Diagnostic(file.path, error.line, Severity.ERROR, "invalid-yaml", message, remedy),)
            )
        agents: list[AgentDefinition] = []
        diagnostics = [
            Diagnostic(file.path, each.line, Severity.WARNING, each.code, each.message, each.remedy)
            for each in mapping.remarks
        ]
        if not mapping.values:
            diagnostics.append(_empty(file.path))
        for key, value in mapping.values.items():
            line = mapping.lines.get(key, 1)
            fields = {name: " ".join(text.split()) for name, text in _texts(value).items()}
            if fields.get("role") and fields.get("goal"):
                agents.append(_agent(file.path, key, fields, line))
            else:
                diagnostics.append(_lacking(file.path, key, line))
        return Imported(agents=tuple(agents), diagnostics=tuple(diagnostics))


def _texts(value: object) -> dict[str, str]:
    return {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _agent(path: str, key: str, fields: dict[str, str], line: int) -> AgentDefinition:
    backstory = fields.get("backstory", "")
    body = f"# {fields['role']}\n\n## Goal\n\n{fields['goal']}"
    return AgentDefinition(
        agent_id=f"{path.rpartition('.')[0]}#{key}",
        name=key,
        description=f"{fields['role']}: {fields['goal']}",
        body=f"{body}\n\n## Backstory\n\n{backstory}" if backstory else body,
        format=AgentFormat.CREWAI_AGENT,
        path=path,
        line=line,
        category=category_of(path),
        title=fields["role"],
        model=fields.get("llm", ""),
    )


def _lacking(path: str, key: str, line: int) -> Diagnostic:
    return Diagnostic(
        path,
        line,
        Severity.ERROR,
        "incomplete-agent",
        f"the entry {key!r} lacks role or goal, without which it says nothing",
        "write role and goal as texts below the key, or remove the entry",
    )


def _empty(path: str) -> Diagnostic:
    return Diagnostic(
        path, 1, Severity.ERROR, "empty-file", "the file has no entry", "write an agent below a key, or remove the file"
    )
