"""Checking a request: collects every violation, so that a caller mends all of them at once."""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TypeVar

from google.protobuf.descriptor import EnumDescriptor

from ignis_server.errors import InvalidRequest, Violation

__all__ = ["Checks"]

T = TypeVar("T", bound=Enum)


class Checks:
    """The violations of one request. Each check returns a value to go on with, even where it found one."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def add(self, field: str, description: str) -> None:
        """Take note of a violation."""
        self._violations.append(Violation(field, description))

    def finish(self) -> None:
        """End checking.

        Raises:
            InvalidRequest: Something was violated; the error has all of it.
        """
        if self._violations:
            raise InvalidRequest(tuple(self._violations))

    def text(self, field: str, value: str, *, max_bytes: int) -> str:
        """Check the length of free text."""
        size = len(value.encode())
        if size > max_bytes:
            self.add(field, f"{size} bytes are more than the {max_bytes} allowed: shorten it")
        return value

    def labels(self, field: str, values: Sequence[str], *, max_count: int, max_characters: int) -> list[str]:
        """Check the number and length of short texts; return them stripped."""
        if len(values) > max_count:
            self.add(field, f"{len(values)} entries are more than the {max_count} allowed: send fewer")
            return []
        stripped = [value.strip() for value in values]
        for number, value in enumerate(stripped):
            self.label(f"{field}[{number}]", value, max_characters=max_characters)
        return stripped

    def label(self, field: str, value: str, *, max_characters: int) -> str:
        """Check that a short text says something and is short."""
        stripped = value.strip()
        if not stripped:
            self.add(field, "must not be empty")
        elif len(stripped) > max_characters:
            self.add(field, f"{len(stripped)} characters are more than the {max_characters} allowed: shorten it")
        return stripped

    def number(self, field: str, value: float, *, least: float, most: float) -> float:
        """Check the range of a number; what is not a number is out of every range."""
        if not least <= value <= most:
            self.add(field, f"{value:g} is not between {least:g} and {most:g}")
        return value

    def member(self, field: str, value: int, kind: EnumDescriptor, known: Callable[[int], T | None]) -> T | None:
        """Check that the number of an enum is one that the API defines, and return its meaning."""
        meaning = known(value)
        if meaning is None:
            names = ", ".join(each.name for each in kind.values if known(each.number) is not None)
            self.add(field, f"{value} is no {kind.name}: send one of {names}")
        return meaning

    def page_size(self, value: int, *, default: int, most: int) -> int:
        """Check a page size; 0 is the default, and what is too large is reduced (AIP-158)."""
        if value < 0:
            self.add("page_size", f"{value} is negative: send 0 for {default}, or up to {most}")
        return min(value, most) or default

    def unique(self, values: Iterable[str]) -> tuple[str, ...]:
        """Return each value once, in order."""
        return tuple(dict.fromkeys(values))
