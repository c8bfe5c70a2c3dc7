"""Workflows for tests, read from text as they are from files."""

from ignis_server.diagnostics import Diagnostic
from ignis_server.workflow.formats import Imported, Located, TextFile, import_file
from ignis_server.workflow.model import Definition
from ignis_server.workflow.validation import check

__all__ = ["definition_of", "imported", "located", "remarks_on"]


def imported(text: str, path: str = "flow.yaml") -> Imported:
    """Read a file's text."""
    return import_file(TextFile(path, text.encode()))


def located(text: str) -> Located:
    """Return the one definition that a text holds."""
    (only,) = imported(text).definitions
    return only


def definition_of(text: str) -> Definition:
    """Return the one definition that a text holds, in which nothing is wrong."""
    found = located(text)
    assert check(found, "flow.yaml") == ()
    return found.definition


def remarks_on(text: str) -> tuple[Diagnostic, ...]:
    """Return everything that is said about a text, in the order of its lines."""
    read = imported(text)
    checked = tuple(each for found in read.definitions for each in check(found, "flow.yaml"))
    return tuple(sorted((*read.diagnostics, *checked)))
