"""What every importer does: turn one file's tree into the definitions in it."""

from dataclasses import dataclass
from typing import Protocol

from ignis_server.workflow.formats.reading import Lines, Reading
from ignis_server.workflow.formats.yaml_tree import MappingNode
from ignis_server.workflow.model import Definition

__all__ = ["Importer", "Located"]


@dataclass(frozen=True, slots=True)
class Located:
    """A definition, and the line of the file on which each of its parts stands."""

    definition: Definition
    lines: Lines


class Importer(Protocol):
    """One format: knows its files by their keys, and reads them.

    Importers are pure: no I/O, no clock, and no exception for whatever a file may hold. A file that `recognises` accepted
    gives at least one definition or one error.
    """

    def recognises(self, tree: MappingNode) -> bool:
        """Tell whether the file is of this format, right or wrong."""
        ...

    def read(self, tree: MappingNode, definition_id: str, reading: Reading) -> tuple[Located, ...]:
        """Turn the file into definitions; what is wrong with it is told to `reading`.

        `definition_id` is that of a file with one definition; where there are several, "#" and a name follow it.
        """
        ...
