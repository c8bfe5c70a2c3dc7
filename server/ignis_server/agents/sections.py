"""Sections of an agent's text: where Markdown parts it, and which sections are its core.

The core is the same whatever it is asked for with, so that it can be rendered and counted when the catalog is
compiled, and so that a model's prompt cache meets the same bytes again. Sections are taken whole or left out
whole: a code block, a table or a list is never cut.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Core", "CoreKnobs", "Section", "core_of", "lines_of", "sections_of"]

FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)")
HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})[ \t]+(?P<text>.*)$")
CLOSING_MARKS = re.compile(r"(?<=[ \t])#+$")
EMPHASIS = re.compile(r"[*_`]+")
WORD = re.compile(r"[^\W\d_]+")

# Words by which headings tell what an agent is and how it acts, and those of what stands beside that. They were
# read off the headings that occur most often in four public catalogs of 1,185 agents.
ACTS = frozenset(
    """
    act activation approach behavior behavioral boundaries command commands constraints deliverables do don'ts donts
    dos execution focus format goal goals guardrails guidelines how instructions mission must never objective
    objectives output outputs overview persona phase principles priorities procedure process protocol purpose
    requirements responsibilities response role rules scope step steps style task tasks traits when workflow workflows
    """.split()  # noqa: SIM905 - as a list it is sixty lines
)
ASIDE = frozenset(
    """
    additional advanced agents appendix catalog changelog configuration dependencies details detailed example examples
    faq files further installation integration integrations issues knowledge library license links metrics mistakes
    notes patterns pitfalls reading recipes reference references related resources sample samples scenarios see setup
    snippets structure template templates troubleshooting usage worked
    """.split()  # noqa: SIM905 - as a list it is forty lines
)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of Markdown from one heading to the next; `text` holds its heading and ends with a line feed.

    `heading` is empty, and `level` 0, for what stands before the first heading.
    """

    heading: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Core:
    """The sections that are kept, as text, and the headings of those that are not, in order."""

    text: str
    omitted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoreKnobs:
    """How much is core; docs/decisions/0006-levels-of-detail.md has the experiment behind each.

    The core takes up to `share` of a text's bytes. A section of more than `section_share` is parted at the headings
    inside of it. Texts of less than `min_bytes` are all core, and so are those of which less than `min_share` would
    be kept: such a text is one block, which is the agent.
    """

    share: float = 0.45
    min_share: float = 0.2
    section_share: float = 0.2
    min_bytes: int = 1_600


def sections_of(body: str, *, max_bytes: int) -> tuple[Section, ...]:
    """Part a text at its ATX headings; those inside of code blocks are none.

    A section holds those below it as long as all of it has at most `max_bytes` bytes.
    """
    headings = [(0, 0, ""), *_headings(body)]
    starts = [start for start, _, _ in headings] + [len(body)]
    sections: list[Section] = []
    number = 0
    while number < len(headings):
        start, level, heading = headings[number]
        below = number + 1
        while level and below < len(headings) and headings[below][1] > level:
            below += 1
        if len(body[start : starts[below]].encode()) > max_bytes:
            below = number + 1
        text = body[start : starts[below]].rstrip() + "\n"
        if text.strip():
            sections.append(Section(heading, level, text))
        number = below
    return tuple(sections)


def core_of(body: str, knobs: CoreKnobs | None = None) -> Core:
    """Return the core of a text: what stands first, then how the agent acts, then what else there is room for.

    A section is kept with the headings above it. Where there are no sections to leave out, the core is the text.
    """
    knobs = knobs or CoreKnobs()
    whole = len(body.encode())
    sections = sections_of(body, max_bytes=int(knobs.section_share * whole))
    if whole < knobs.min_bytes:
        return Core(body.strip(), ())
    left = knobs.share * whole
    kept: set[int] = set()
    for number in sorted(range(len(sections)), key=lambda number: (_weight(sections[number], number), number)):
        wanted = {number, *_above(sections, number)} - kept
        cost = sum(len(sections[each].text.encode()) for each in wanted)
        if cost <= left or not kept:
            kept |= wanted
            left -= cost
    text = "\n".join(sections[number].text for number in sorted(kept)).strip()
    if len(text.encode()) < knobs.min_share * whole:
        return Core(body.strip(), ())
    return Core(
        text,
        tuple(section.heading for number, section in enumerate(sections) if number not in kept),
    )


def lines_of(body: str) -> Iterator[tuple[str, bool]]:
    """Return the lines of a text with their ends, and whether each belongs to a block of code."""
    fence = ""
    for line in body.splitlines(keepends=True):
        opened = FENCE.match(line)
        if fence:
            yield line, True
            if opened and opened["fence"].startswith(fence) and not opened["info"].strip():
                fence = ""
        elif opened and not (opened["fence"][0] == "`" and "`" in opened["info"]):
            yield line, True
            fence = opened["fence"]
        else:
            yield line, False


def _headings(body: str) -> Iterator[tuple[int, int, str]]:
    """Return place, level and text of each heading outside of code blocks."""
    place = 0
    for line, is_code in lines_of(body):
        if not is_code and (heading := HEADING.match(line.rstrip("\r\n"))):
            text = CLOSING_MARKS.sub("", heading["text"].rstrip())
            yield place, len(heading["marks"]), EMPHASIS.sub("", text).strip()
        place += len(line)


def _weight(section: Section, number: int) -> int:
    """Return the order in which sections are taken: the first one, those on acting, others, those aside."""
    words = [word.lower() for word in WORD.findall(section.heading.replace("'", ""))]
    if number == 0:
        return 0
    if any(word in ASIDE for word in words):
        return 3
    return 1 if any(word in ACTS for word in words) else 2


def _above(sections: Sequence[Section], number: int) -> Iterator[int]:
    """Return the sections whose headings stand above one."""
    level = sections[number].level
    for above in range(number - 1, -1, -1):
        if 0 < sections[above].level < level:
            level = sections[above].level
            yield above
