"""Shapes of single values: texts, words, flags, numbers and spans of time."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.repetition import check_all_repetition
from ignis_server.workflow.formats.shape import Schema, named, quoted, unread
from ignis_server.workflow.formats.yaml_tree import Node, Scalar, plain
from ignis_server.workflow.values import Json, ValueFault, encode

__all__ = ["Anything", "Choice", "Decimal", "Flag", "Span", "Text", "Whole"]

E = TypeVar("E", bound=StrEnum)

SPAN = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
SPAN_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Text:
    """A text of some length; `pattern`, where there is one, matches all of it, and `what` says so in words."""

    most: int
    least: int = 1
    pattern: str = ""
    what: str = ""

    def read(self, node: Node, place: str, reading: Reading) -> str:
        """Return the text."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            remedy = "put it in quotes" if isinstance(node, Scalar) and node.text else "write a text"
            raise unread(reading, node, place, f"is {named(node)}, and a text is needed", remedy)
        text = node.text
        if len(text) < self.least:
            raise unread(reading, node, place, "is empty", "write something, or leave the key out")
        if len(text) > self.most:
            fact = f"has {len(text)} characters, more than the {self.most} allowed"
            raise unread(reading, node, place, fact, "shorten it")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise unread(reading, node, place, f"is {quoted(text)}, which is not {self.what}", "write it so")
        return text

    def schema(self) -> Schema:
        """Return the schema of a string."""
        schema: Schema = {"type": "string", "minLength": self.least, "maxLength": self.most}
        return schema | {"pattern": f"^(?:{self.pattern})$"} if self.pattern else schema


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One of some words."""

    kind: type[E]

    def read(self, node: Node, place: str, reading: Reading) -> E:
        """Return the word's meaning."""
        words = [each.value for each in self.kind]
        if not isinstance(node, Scalar) or node.value not in words:
            raise unread(reading, node, place, f"is {named(node)}", f"write one of {', '.join(words)}")
        return self.kind(node.text)

    def schema(self) -> Schema:
        """Return the schema of an enumeration."""
        return {"enum": [each.value for each in self.kind]}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false; nothing but true where the key is left out otherwise."""

    is_only_true: bool = False

    def read(self, node: Node, place: str, reading: Reading) -> bool:
        """Return the flag."""
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            remedy = "write true" if self.is_only_true else "write true or false"
            raise unread(reading, node, place, f"is {named(node)}", remedy)
        if self.is_only_true and not value:
            raise unread(reading, node, place, "is false", "leave the key out")
        return value

    def schema(self) -> Schema:
        """Return the schema of a boolean."""
        return {"const": True} if self.is_only_true else {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    least: int
    most: int

    def read(self, node: Node, place: str, reading: Reading) -> int:
        """Return the number."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise unread(reading, node, place, f"is {named(node)}", "write a whole number")
        if not self.least <= value <= self.most:
            remedy = f"write a number from {self.least} to {self.most}"
            raise unread(reading, node, place, f"is {named(node)}", remedy)
        return int(value)

    def schema(self) -> Schema:
        """Return the schema of an integer."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Decimal:
    """A number within bounds."""

    least: float
    most: float

    def read(self, node: Node, place: str, reading: Reading) -> float:
        """Return the number."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.least <= value <= self.most:
            remedy = f"write a number from {self.least:g} to {self.most:g}"
            raise unread(reading, node, place, f"is {named(node)}", remedy)
        return float(value)

    def schema(self) -> Schema:
        """Return the schema of a number."""
        return {"type": "number", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time such as 500ms, 90s, 10m, 2h or 7d; a schema cannot say its bounds, so descriptions do."""

    least_seconds: float
    most_seconds: float

    def read(self, node: Node, place: str, reading: Reading) -> timedelta:
        """Return the span."""
        match = SPAN.fullmatch(node.text) if isinstance(node, Scalar) else None
        if match is None:
            remedy = "write a number with ms, s, m, h or d, such as 90s"
            raise unread(reading, node, place, f"is {named(node)}, which is no span of time", remedy)
        seconds = int(match[1]) * SPAN_UNITS[match[2]]
        if not self.least_seconds <= seconds <= self.most_seconds:
            limits = f"from {_span(self.least_seconds)} to {_span(self.most_seconds)}"
            raise unread(reading, node, place, f"is {match[0]}, which is not {limits}", f"write a span {limits}")
        return timedelta(seconds=seconds)

    def schema(self) -> Schema:
        """Return the schema of a string that says a span."""
        return {"type": "string", "pattern": f"^{SPAN.pattern}$", "examples": ["90s", "10m", "2h"]}


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value that JSON can say, of some size."""

    most_bytes: int

    def read(self, node: Node, place: str, reading: Reading) -> Json:
        """Return the value."""
        check_all_repetition(node, place, reading)
        try:
            json = encode(plain(node))
        except ValueFault as fault:
            raise unread(reading, node, place, f"cannot be kept: {fault}", "write it as text") from fault
        if len(json) > self.most_bytes:
            fact = f"has {len(json)} bytes, more than the {self.most_bytes} allowed"
            raise unread(reading, node, place, fact, "shorten it")
        return json

    def schema(self) -> Schema:
        """Return the schema of anything."""
        return {}


def _span(seconds: float) -> str:
    for unit in ("d", "h", "m", "s"):
        if seconds >= SPAN_UNITS[unit] and seconds % SPAN_UNITS[unit] == 0:
            return f"{int(seconds // SPAN_UNITS[unit])}{unit}"
    return f"{int(seconds * 1_000)}ms"
