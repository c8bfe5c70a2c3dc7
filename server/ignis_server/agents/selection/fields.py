"""The fields of an agent in which words are counted apart, as a word of the name tells more than one of the body."""

import re

from ignis_server.agents.model import AgentDefinition

__all__ = ["fields_of"]

HEADING = re.compile(r"^#{1,6}\s+(.*)$", re.MULTILINE)


def fields_of(definition: AgentDefinition) -> dict[str, str]:
    """Return the text of each field that is indexed."""
    return {
        "name": f"{definition.name} {definition.title}",
        "labels": " ".join((definition.category, *definition.tags)),
        "description": definition.description,
        "examples": "\n".join(definition.examples),
        "headings": "\n".join(HEADING.findall(definition.body)),
        "body": definition.body,
    }
