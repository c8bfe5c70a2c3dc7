"""BMAD workflows: lists of steps for people with chats, turned into steps that workers can claim.

What a person would decide on the way becomes an input of the run with a documented default, "no", which a caller may set to
"yes", or to "ask" to have a person asked when the question comes up. So a run goes to its end by itself, and nothing
is decided behind anybody's back. What nobody executes (diagrams, advice, prompts for handing over) is kept as
guidance. Every choice made for the author is a note with its line.
"""

from ignis_server.workflow.formats.bmad.guidance import guidance_of
from ignis_server.workflow.formats.bmad.handoffs import hand_over
from ignis_server.workflow.formats.bmad.outline import Outline, Sequence, outline_of
from ignis_server.workflow.formats.bmad.sequence import SequenceReader
from ignis_server.workflow.formats.importer import Located
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.yaml_tree import MappingNode
from ignis_server.workflow.limits import MAX_DEFINITIONS_PER_FILE
from ignis_server.workflow.model import Definition, DefinitionFormat, Guidance

__all__ = ["Bmad"]


class Bmad:
    """Reads a definition from each sequence of steps in a file."""

    def recognises(self, tree: MappingNode) -> bool:
        """Tell whether the file has the key `workflow` with a mapping."""
        entry = tree.get("workflow")
        return entry is not None and isinstance(entry.value, MappingNode)

    def read(self, tree: MappingNode, definition_id: str, reading: Reading) -> tuple[Located, ...]:
        """Return the definitions; a file without any sequence is an error."""
        outline = outline_of(tree, reading)
        if not outline.sequences:
            remedy = "write the steps as a list below `sequence:`"
            reading.error(outline.line, "no-sequence", "the workflow has no sequence of steps", remedy)
            return ()
        if len(outline.sequences) > MAX_DEFINITIONS_PER_FILE:
            fact = (
                f"the workflow has {len(outline.sequences)} sequences, more than the {MAX_DEFINITIONS_PER_FILE} allowed"
            )
            reading.error(outline.line, "too-many-sequences", fact, "split the file")
            return ()
        guidance = guidance_of(outline.sections, reading)
        return tuple(_located(outline, sequence, guidance, definition_id, reading) for sequence in outline.sequences)


def _located(
    outline: Outline, sequence: Sequence, guidance: tuple[Guidance, ...], definition_id: str, reading: Reading
) -> Located:
    suffix = f"#{sequence.name}" if len(outline.sequences) > 1 else ""
    reader = SequenceReader(reading)
    for entry in sequence.entries:
        reader.add(entry)
    name = outline.id or definition_id.rpartition("/")[2]
    definition = Definition(
        id=f"{definition_id}{suffix}",
        name=f"{name}{suffix}",
        description=": ".join(part for part in (outline.name, outline.description) if part),
        format=DefinitionFormat.BMAD,
        inputs=reader.inputs,
        steps=hand_over(reader.steps, outline.sections, reading),
        tags=outline.tags,
        guidance=guidance,
    )
    return Located(definition, reader.lines)
