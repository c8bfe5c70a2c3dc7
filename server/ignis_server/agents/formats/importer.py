"""What every importer does: turn one file into the agents and teams it defines."""

from dataclasses import dataclass
from typing import Protocol

from ignis_server.agents.model import AgentDefinition, TeamDefinition
from ignis_server.diagnostics import Diagnostic

__all__ = ["Imported", "Importer", "TextFile"]


@dataclass(frozen=True, slots=True)
class TextFile:
    """A decoded file: `path` relative to the catalog's root, `text` with LF line ends and no BOM."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file gave: agents, teams, and what there is to say about it."""

    agents: tuple[AgentDefinition, ...] = ()
    teams: tuple[TeamDefinition, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Importer(Protocol):
    """One format: knows its files by path and first lines, and reads them.

    Importers are pure: no I/O, no clock, and no exception for whatever a file
    may hold. A file that `recognises` accepted gives at least one agent, team
    or diagnostic.
    """

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is of this format, right or wrong."""
        ...

    def read(self, file: TextFile) -> Imported:
        """Turn the file into definitions and diagnostics."""
        ...
