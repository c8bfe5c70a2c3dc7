"""Descriptions as people write them: one paragraph about the agent, with dialogues packed into it.

Claude Code's own generator writes `description: Use this agent when … Examples: <example>Context: …
user: "…" assistant: "…"</example>` on one line, with a backslash and
an n for each line break. The requests in it are the best
evidence there is of what an agent is for, and the worst possible description of it.
"""

import re
from dataclasses import dataclass

__all__ = ["Description", "read_description"]

MAX_RAW_CHARACTERS = 65_536  # Eight times what is kept of a description; the rest are examples.

EXAMPLE = re.compile(r"<example>(.*?)(?:</example>|\Z)", re.DOTALL | re.IGNORECASE)
TAGS = re.compile(r"</?(?:example|examples|commentary|context)>", re.IGNORECASE)
LEAD_IN = re.compile(r" ?(?:for example|examples?|specifically)? ?[:,]? ?\Z", re.IGNORECASE)
# Signs that a backslash and an n are a line break; in C:\new or \nabla they are part of a word.
GENERATED = re.compile(r"<example>|\\n(?:\\n|[A-Z<]|user\b)")
USER = re.compile(
    r"""\b(?:user|human)\s*:\s*(?:"((?:[^"\\]|\\.){1,2000})"|'((?:[^'\\]|\\.){1,2000})'|([^\n]+))""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Description:
    """One paragraph, and the requests that stood in its examples."""

    text: str
    examples: tuple[str, ...] = ()


def read_description(raw: str) -> Description:
    """Take the example dialogues out of a description, and make one paragraph of the rest."""
    text = raw[:MAX_RAW_CHARACTERS]
    if GENERATED.search(text):
        text = text.replace("\\n", "\n").replace("\\t", " ").replace('\\"', '"')
    examples = []
    for dialogue in EXAMPLE.findall(text):
        examples += [_request(match) for match in USER.finditer(dialogue)]
    rest = " ".join(TAGS.sub(" ", EXAMPLE.sub(" ", text)).split())
    if examples:
        rest = LEAD_IN.sub("", rest)
    return Description(rest, tuple(dict.fromkeys(example for example in examples if example)))


def _request(match: re.Match[str]) -> str:
    return " ".join((match[1] or match[2] or match[3]).split())
