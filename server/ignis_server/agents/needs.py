"""What a brief asks for: its text taken apart into needs, each a clause that says one thing."""

import re

from ignis_server.agents.model import Project
from ignis_server.agents.words import words_of

__all__ = ["needs_of"]

# A brief of 64 KiB could hold thousands of clauses; each costs a ranking of the catalog. What
# comes after the last is taken together as one more need.
MAX_NEEDS = 40

# Clauses of up to this many telling words say one thing; longer ones are split further.
SHORT_CLAUSE_WORDS = 3

LINE_MARKUP = re.compile(r"^[\s>#*+-]+|^\s*\d+[.)]\s+", re.MULTILINE)
CLAUSE_END = re.compile(r"[;,!?\n()\[\]]+|[.:](?:\s+|$)|\s[-–—]+\s")
CONJUNCTION = re.compile(r"\b(?:and|or|plus|with|using|on|via|as well as|deployed to|needs|for)\b", re.IGNORECASE)


def needs_of(project: Project) -> tuple[str, ...]:
    """Return the needs of a project in the order of its brief, then its task, then its tags.

    Clauses that hold nothing but conversation ("could you please help") are no needs. No need is
    returned twice.
    """
    clauses = [*_clauses(project.brief), *_clauses(project.task), *project.tags]
    unique = list({clause.casefold(): clause for clause in reversed(clauses)}.values())[::-1]
    if len(unique) > MAX_NEEDS:
        unique[MAX_NEEDS - 1 :] = [". ".join(unique[MAX_NEEDS - 1 :])]
    return tuple(unique)


def _clauses(text: str) -> list[str]:
    pieces = (piece.strip() for piece in CLAUSE_END.split(LINE_MARKUP.sub("", text)))
    return [part for piece in pieces for part in _split_long(piece)]


def _split_long(clause: str) -> list[str]:
    """Split a long clause at its conjunctions; parts that say nothing go to their neighbour."""
    if len(words_of(clause)) <= SHORT_CLAUSE_WORDS:
        return [clause] if words_of(clause) else []
    parts = (part.strip() for part in CONJUNCTION.split(clause))
    return [part for part in parts if words_of(part)]
