"""Reading a file: collects every mistake with its line, and remembers on which line everything stood."""

from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["Lines", "Reading"]


class Lines:
    """The line of each part of a definition, by its place in it, such as "steps[2].needs[0]"."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {"": 1}

    def put(self, place: str, line: int) -> None:
        """Remember a line."""
        self._lines[place] = line

    def of(self, place: str) -> int:
        """Return the line of a place, or of the nearest that it is part of."""
        while place not in self._lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return self._lines[place]


class Reading:
    """What there is to say about one file, and where its parts stand."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines = Lines()
        self.diagnostics: list[Diagnostic] = []

    def error(self, line: int, code: str, message: str, remedy: str) -> None:
        """Take note of something that keeps the workflow from being started."""
        self.say(Severity.ERROR, line, code, message, remedy)

    def warning(self, line: int, code: str, message: str, remedy: str) -> None:
        """Take note of something that is wrong and can be lived with."""
        self.say(Severity.WARNING, line, code, message, remedy)

    def note(self, line: int, code: str, message: str, remedy: str) -> None:
        """Take note of how something was read."""
        self.say(Severity.NOTE, line, code, message, remedy)

    def say(self, severity: Severity, line: int, code: str, message: str, remedy: str) -> None:
        """Take note of something."""
        self.diagnostics.append(Diagnostic(self.path, line, severity, code, message, remedy))
