"""Descriptions as people write them: one paragraph about the agent, with dialogues packed into it.

Claude Code's own generator writes `description: Use this agent when … Examples: <example>Context: …
user: "…" assistant: "…"</example>` on one line, with a backslash and
an n for each line break. The requests in it are the best
evidence there is of what an agent is for, and the worst possible description of it.
"""

import re
from dataclasses import dataclass

__all__ = ["Description", "read_description"]

MAX_EXAMPLES = 16
MAX_EXAMPLE_CHARACTERS = 500

EXAMPLE = re.compile(r"<example>(.*?)(?:</example>|\Z)", re.DOTALL | re.IGNORECASE)
TAGS = re.compile(r"</?(?:example|examples|commentary|context)>", re.IGNORECASE)
LEAD_IN = re.compile(r"\s*(?:for example|examples?|specifically)?\s*[:,]?\s*\Z", re.IGNORECASE)
USER = re.compile(r"""\b(?:user|human)\s*:\s*(?:"((?:[^"\\]|\\.)+)"|'((?:[^'\\]|\\.)+)'|([^\n]+))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Description:
    """One paragraph, and the requests that stood in its examples."""

    text: str
    examples: tuple[str, ...] = ()


def read_description(raw: str) -> Description:
    """Take the example dialogues out of a description, and make one paragraph of the rest."""
    text = raw.replace("\\n", "\n").replace("\\t", " ").replace('\\"', '"')
    examples = []
    for dialogue in EXAMPLE.findall(text):
        examples += [_request(match) for match in USER.finditer(dialogue)]
    rest = TAGS.sub(" ", EXAMPLE.sub(" ", text))
    if examples:
        rest = LEAD_IN.sub("", rest)
    return Description(
        " ".join(rest.split()),
        tuple(dict.fromkeys(example for example in examples if example))[:MAX_EXAMPLES],
    )


def _request(match: re.Match[str]) -> str:
    return " ".join((match[1] or match[2] or match[3]).split())[:MAX_EXAMPLE_CHARACTERS]
