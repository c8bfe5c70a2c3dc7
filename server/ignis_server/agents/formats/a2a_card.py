"""A2A agent cards: JSON in which a remote agent says what it is and what its skills are."""

import json

from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import category_of, id_of
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["A2aCard"]

SUFFIXES = ("agent-card.json", ".well-known/agent.json")


class A2aCard:
    """Reads the card's text and renders its skills as sections, as a model is to read them and not a program."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is called as A2A wants it, or as people name a card among others."""
        return file.path.lower().endswith(SUFFIXES)

    def read(self, file: TextFile) -> Imported:
        """Return the agent, tagged with the tags of its skills; their examples are requests typical for it."""
        try:
            card = json.loads(file.text)
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            return _rejected(file.path, line, f"the file is not JSON: {getattr(error, 'msg', 'it nests too deep')}")
        name = _text(card, "name")
        if not name:
            return _rejected(file.path, 1, "the card has no name")
        skills = [skill for skill in _items(card, "skills") if _text(skill, "name") or _text(skill, "description")]
        description = " ".join(_text(card, "description").split())
        if not description and not skills:
            return _rejected(file.path, 1, "the card has neither a description nor a skill")
        definition = AgentDefinition(
            agent_id=id_of(file.path),
            name=name,
            description=description or _text(skills[0], "description"),
            body="\n\n".join([f"# {name}", *([description] if description else []), *map(_section, skills)]),
            format=AgentFormat.A2A_CARD,
            path=file.path,
            category=category_of(file.path),
            title=name,
            tags=tuple(dict.fromkeys(tag for skill in skills for tag in _texts(skill, "tags"))),
            examples=tuple(dict.fromkeys(example for skill in skills for example in _texts(skill, "examples"))),
        )
        return Imported(agents=(definition,))


def _section(skill: object) -> str:
    heading = f"## {_text(skill, 'name') or _text(skill, 'id')}"
    examples = [f"- {example}" for example in _texts(skill, "examples")]
    parts = (heading, _text(skill, "description"), "\n".join(examples))
    return "\n\n".join(part for part in parts if part)


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found.strip() if isinstance(found, str) else ""


def _items(value: object, key: str) -> list[object]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _texts(value: object, key: str) -> list[str]:
    return [each.strip() for each in _items(value, key) if isinstance(each, str) and each.strip()]


def _rejected(path: str, line: int, message: str) -> Imported:
    remedy = "write it as A2A's AgentCard: name, description, and skills with name and description"
    return Imported(diagnostics=(Diagnostic(path, line, Severity.ERROR, "invalid-card", message, remedy),))
