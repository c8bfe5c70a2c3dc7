"""What a brief asks for: its text taken apart into needs, each a clause that says one thing."""

import re
from collections.abc import Iterable, Iterator

from ignis_server.agents.model import Project
from ignis_server.agents.words import words_of

__all__ = ["needs_of"]

# A brief of 64 KiB could hold thousands of clauses; each costs a ranking of the catalog. What comes
# after the last is taken together as one more need, for brief and task each. Tags are all kept.
MAX_BRIEF_NEEDS = 40
MAX_TASK_NEEDS = 12

# Clauses of up to this many telling words say one thing; longer ones are split at conjunctions.
SHORT_CLAUSE_WORDS = 3

LINE_MARKUP = re.compile(r"^(?:[\s>#*+-]+|\s*\d+[.)]\s+)", re.MULTILINE)
SENTENCE_END = re.compile(r"[;!?\n]+|[.:](?:\s+|$)|\s[-\N{EN DASH}\N{EM DASH}]+\s")
CLAUSE_END = re.compile(r"[,()\[\]]+")
CONJUNCTION = re.compile(r"\b(?:and|or|plus|with|using|on|via|as well as|deployed to|needs|for)\b", re.IGNORECASE)
# Names of technologies: a capital, digit or sign; at the start of a sentence any word has a capital.
NAME = re.compile(r"[A-Z]|[\d+#]")
NAME_AT_START = re.compile(r"\B[A-Z]|[\d+#]")


def needs_of(project: Project) -> tuple[str, ...]:
    """Return the needs of a project in the order of its brief, then its task, then its tags.

    Clauses that hold nothing but conversation ("could you please help") are no needs. No need is
    returned twice.
    """
    brief = _at_most(MAX_BRIEF_NEEDS, _unique(_clauses(project.brief)))
    task = _at_most(MAX_TASK_NEEDS, _unique(_clauses(project.task)))
    return tuple(_unique([*brief, *task, *project.tags]))


def _unique(clauses: Iterable[str]) -> list[str]:
    first: dict[str, str] = {}
    for clause in clauses:
        first.setdefault(clause.casefold(), clause)
    return list(first.values())


def _at_most(count: int, clauses: list[str]) -> list[str]:
    if len(clauses) <= count:
        return clauses
    return [*clauses[: count - 1], ". ".join(clauses[count - 1 :])]


def _clauses(text: str) -> Iterator[str]:
    for sentence in SENTENCE_END.split(LINE_MARKUP.sub("", text)):
        yield from _joined([part for clause in CLAUSE_END.split(sentence) for part in _split_long(clause)])


def _split_long(clause: str) -> list[str]:
    """Split a long clause at its conjunctions; parts of mere conversation are dropped."""
    parts = [clause] if len(words_of(clause)) <= SHORT_CLAUSE_WORDS else CONJUNCTION.split(clause)
    return [part.strip() for part in parts if words_of(part)]


def _joined(parts: list[str]) -> list[str]:
    """Give parts of one plain word back to their neighbour: "phone and e-mail" is no need for e-mail.

    A word that looks like a name ("Kubernetes") does say something by itself.
    """
    joined: list[str] = []
    is_thin = False
    for number, part in enumerate(parts):
        was_thin, is_thin = is_thin, _is_thin(part, is_first=number == 0)
        if joined and (is_thin or was_thin):
            joined[-1] = f"{joined[-1]}, {part}"
            is_thin = False
        else:
            joined.append(part)
    return joined


def _is_thin(part: str, *, is_first: bool) -> bool:
    looks_like_name = (NAME_AT_START if is_first else NAME).search(part)
    return len(words_of(part)) == 1 and not looks_like_name
