"""Remarks on places of a definition, which find their lines by themselves."""

import difflib
from collections.abc import Iterable

from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.workflow.formats.reading import Lines

__all__ = ["Remarks", "nearest"]


class Remarks:
    """What there is to say about one definition."""

    def __init__(self, path: str, lines: Lines) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._path = path
        self._lines = lines

    def error(self, place: str, code: str, message: str, remedy: str) -> None:
        """Take note of something that keeps the workflow from being started."""
        self._say(Severity.ERROR, place, code, message, remedy)

    def warning(self, place: str, code: str, message: str, remedy: str) -> None:
        """Take note of something that is wrong and can be lived with."""
        self._say(Severity.WARNING, place, code, message, remedy)

    def _say(self, severity: Severity, place: str, code: str, message: str, remedy: str) -> None:
        line = self._lines.of(place)
        self.diagnostics.append(Diagnostic(self._path, line, severity, code, f"{place}: {message}", remedy))


def nearest(word: str, words: Iterable[str], otherwise: str) -> str:
    """Return a remedy that names the word that was probably meant."""
    found = difflib.get_close_matches(word, list(words), n=1)
    return f"did you mean {found[0]}?" if found else otherwise
