"""Sections that nobody executes: diagrams, advice, criteria and prompts, kept with the workflow for those who choose it."""

from collections.abc import Iterator, Sequence

from ignis_server.workflow.formats.bmad.words import rendered
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.yaml_tree import Entry, MappingNode
from ignis_server.workflow.limits import MAX_GUIDANCE, MAX_GUIDANCE_CHARACTERS, MAX_NAME_CHARACTERS
from ignis_server.workflow.model import Guidance

__all__ = ["guidance_of"]


def guidance_of(sections: Sequence[Entry], reading: Reading) -> tuple[Guidance, ...]:
    """Return the sections as texts, those of a mapping one by one; what is too long or too many is cut with a warning."""
    pieces = [piece for section in sections for piece in _pieces(section)]
    for section in sections:
        fact = f"{section.key} is kept as guidance; nobody executes it"
        remedy = "nothing to do, unless it is meant to be a step: then write it into the sequence"
        reading.note(section.line, "kept-as-guidance", fact, remedy)
    if len(pieces) > MAX_GUIDANCE:
        fact = f"the sections have {len(pieces)} texts, of which {MAX_GUIDANCE} are kept"
        reading.warning(pieces[MAX_GUIDANCE][1], "too-much-guidance", fact, "put some of them together")
    return tuple(_kept(piece, line, reading) for piece, line in pieces[:MAX_GUIDANCE])


def _pieces(section: Entry) -> Iterator[tuple[Guidance, int]]:
    if isinstance(section.value, MappingNode):
        for entry in section.value.entries:
            yield Guidance(f"{section.key}.{entry.key}", rendered(entry.value)), entry.line
    else:
        yield Guidance(section.key, rendered(section.value)), section.line


def _kept(piece: Guidance, line: int, reading: Reading) -> Guidance:
    if len(piece.text) > MAX_GUIDANCE_CHARACTERS:
        fact = f"{piece.name} has {len(piece.text)} characters, of which {MAX_GUIDANCE_CHARACTERS} are kept"
        reading.warning(line, "long-guidance", fact, "shorten it")
    return Guidance(piece.name[:MAX_NAME_CHARACTERS], piece.text[:MAX_GUIDANCE_CHARACTERS])
