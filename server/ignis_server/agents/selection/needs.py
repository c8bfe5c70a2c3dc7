"""What a brief asks for: its text taken apart into needs, each a clause that says one thing.

A clause alone says too little ("with tests"), so each need keeps the sentence and the paragraph it stands in,
and is weighed with both.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ignis_server.agents.model import Project
from ignis_server.agents.selection.words import WORD, says_something, words_of

__all__ = ["Need", "needs_of", "needs_of_text"]

# A brief of 64 KiB could hold thousands of clauses; each costs a ranking of the catalog. What comes
# after the last is taken together as one more need, for brief and task each. Tags are all kept.
MAX_BRIEF_NEEDS = 40
MAX_TASK_NEEDS = 12

# A paragraph of more words is taken for several, of so many words each or one sentence: what lies further
# away is about something else.
PARAGRAPH_WORDS = 60

# Clauses of up to this many telling words say one thing; longer ones are split at conjunctions.
SHORT_CLAUSE_WORDS = 3

# A line of so many characters was broken for its length, a shorter one because it was at its end.
WRAPPED_CHARACTERS = 60

ITEM = re.compile(r"^\s*(?:[>*+-]|\d+[.)])\s+")
HEADING = re.compile(r"^\s*#{1,6}\s+(.*?)[\s#]*$")
SENTENCE_END = re.compile(r"(?<=[;!?])\s+|(?<=[.])\s+|\n+")
LABEL = re.compile(r"^[^\s:][^:,;.!?]{0,40}:\s+")
CLAUSE_END = re.compile(r"[;!?,()\[\]]+|[.:](?:\s+|$)|\s[-\N{EN DASH}\N{EM DASH}]+\s")
CONJUNCTION = re.compile(r"\b(?:and|or|plus|with|using|on|via|as well as|deployed to|needs|for)\b", re.IGNORECASE)
# Names of technologies: a capital, digit or sign; at the start of a sentence any word has a capital.
NAME = re.compile(r"[A-Z]|[\d+#]")
NAME_AT_START = re.compile(r"\B[A-Z]|[\d+#]")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is asked for, in the words of the brief, with the sentence and paragraph around it."""

    text: str
    sentence: str
    paragraph: str

    @classmethod
    def alone(cls, text: str) -> "Need":
        """Return a need that has nothing around it."""
        return cls(text, text, text)


def needs_of(project: Project) -> tuple[Need, ...]:
    """Return the needs of a project in the order of its brief, then its task, then its tags.

    Clauses that hold nothing but conversation ("could you please help") are no needs, nor are headings where
    there is anything else. No need is returned twice.
    """
    brief = _at_most(MAX_BRIEF_NEEDS, needs_of_text(project.brief))
    task = _at_most(MAX_TASK_NEEDS, needs_of_text(project.task))
    return tuple(_unique([*brief, *task, *map(Need.alone, project.tags)]))


def needs_of_text(text: str) -> list[Need]:
    """Return the needs of one text, however many, each once; one that is mere conversation ("Go") is a need as a whole."""
    paragraphs, headings = _paragraphs(text)
    whole = [Need.alone(text.strip())] if WORD.search(text) else []
    return _unique(_needs_in(paragraphs)) or _unique(_needs_in(headings)) or whole


def _unique(needs: Iterable[Need]) -> list[Need]:
    first: dict[str, Need] = {}
    for need in needs:
        first.setdefault(need.text.casefold(), need)
    return list(first.values())


def _at_most(count: int, needs: list[Need]) -> list[Need]:
    if len(needs) <= count:
        return needs
    return [*needs[: count - 1], Need.alone(". ".join(need.text for need in needs[count - 1 :]))]


def _paragraphs(text: str) -> tuple[list[str], list[str]]:
    """Return the paragraphs and list items of a text, with the line breaks that end a sentence, and its headings."""
    paragraphs = [""]
    headings = []
    for line in text.splitlines():
        heading = HEADING.match(line)
        if heading:
            headings.append(heading[1])
        if heading or not line.strip():
            paragraphs.append("")
        elif ITEM.match(line):
            paragraphs.append(ITEM.sub("", line))
        else:
            last_line = paragraphs[-1].rpartition("\n")[2]
            paragraphs[-1] += (" " if len(last_line) >= WRAPPED_CHARACTERS else "\n") + line.strip()
    return [paragraph.strip() for paragraph in paragraphs], headings


def _needs_in(paragraphs: Iterable[str]) -> Iterator[Need]:
    for paragraph in paragraphs:
        sentences = [sentence.strip() for sentence in SENTENCE_END.split(paragraph)]
        for around in _packed([sentence for sentence in sentences if says_something(sentence)]):
            context = " ".join(around)
            for sentence in around:
                for clause in _clauses(sentence):
                    yield Need(clause, sentence, context)


def _packed(sentences: list[str]) -> Iterator[list[str]]:
    """Give neighbouring sentences together, as long as they are no more words than a paragraph should have."""
    around: list[str] = []
    count = 0
    for sentence in sentences:
        words = len(sentence.split())
        if around and count + words > PARAGRAPH_WORDS:
            yield around
            around, count = [], 0
        around.append(sentence)
        count += words
    if around:
        yield around


def _clauses(sentence: str) -> list[str]:
    """Return what a sentence asks for; the label before a colon ("Stack: …") is no need of its own."""
    unlabelled = LABEL.sub("", sentence)
    told = unlabelled if says_something(unlabelled) else sentence
    parts = [part for clause in CLAUSE_END.split(told) for part in _split_long(clause)]
    return _joined(parts)


def _split_long(clause: str) -> list[str]:
    """Split a long clause at its conjunctions; parts of mere conversation are dropped."""
    parts = [clause] if len(words_of(clause)) <= SHORT_CLAUSE_WORDS else CONJUNCTION.split(clause)
    return [part.strip() for part in parts if says_something(part)]


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
