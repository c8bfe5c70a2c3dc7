"""Shapes of several values: lists, mappings from names, and the forms in short and at length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.repetition import check_repetition
from ignis_server.workflow.formats.scalar_shapes import Text
from ignis_server.workflow.formats.shape import Schema, Shape, Unread, named, quoted, unread
from ignis_server.workflow.formats.yaml_tree import ListNode, MappingNode, Node, Scalar

__all__ = ["Either", "ListOf", "MapOf", "Meant"]

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list of values of one shape, of some length."""

    item: Shape[T]
    most: int
    least: int = 0
    is_unique: bool = False

    def read(self, node: Node, place: str, reading: Reading) -> tuple[T, ...]:
        """Return the values."""
        if not isinstance(node, ListNode):
            raise unread(reading, node, place, f"is {named(node)}, and a list is needed", "write a list")
        if len(node.items) > self.most:
            raise _too_many(reading, node, place, len(node.items), self.most)
        if len(node.items) < self.least:
            raise unread(reading, node, place, "is empty", "write something")
        values = _all(reading, [(f"{place}[{number}]", item) for number, item in enumerate(node.items)], self.item)
        if self.is_unique and len(set(values)) < len(values):
            raise unread(reading, node, place, "names something twice", "name it once")
        return tuple(values)

    def schema(self) -> Schema:
        """Return the schema of an array."""
        schema: Schema = {"type": "array", "items": self.item.schema(), "maxItems": self.most}
        schema |= {"minItems": self.least} if self.least else {}
        return schema | {"uniqueItems": True} if self.is_unique else schema


@dataclass(frozen=True, slots=True)
class MapOf(Generic[T]):
    """A mapping from names to values of one shape, of some length."""

    key: Text
    value: Shape[T]
    most: int

    def read(self, node: Node, place: str, reading: Reading) -> tuple[tuple[str, T], ...]:
        """Return the pairs, in the order of the file."""
        if not isinstance(node, MappingNode):
            raise unread(reading, node, place, f"is {named(node)}, and a mapping is needed", "write name: value")
        check_repetition(node, place, reading)
        if len(node.entries) > self.most:
            raise _too_many(reading, node, place, len(node.entries), self.most)
        names = _all(
            reading, [(f"the name {quoted(each.key)}", _key(each.key, each.line)) for each in node.entries], self.key
        )
        values = _all(reading, [(f"{place}.{each.key}", each.value) for each in node.entries], self.value)
        for each in node.entries:
            reading.lines.put(f"{place}.{each.key}", each.line)
        return tuple(zip(names, values, strict=True))

    def schema(self) -> Schema:
        """Return the schema of an object whose keys are names."""
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.value.schema(),
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True)
class Either(Generic[T]):
    """A value in short where it is a scalar, and at length where it is not."""

    short: Shape[T]
    long: Shape[T]

    def read(self, node: Node, place: str, reading: Reading) -> T:
        """Return the value."""
        return (self.short if isinstance(node, Scalar) else self.long).read(node, place, reading)

    def schema(self) -> Schema:
        """Return the schema of the one or the other."""
        return {"anyOf": [self.short.schema(), self.long.schema()]}


@dataclass(frozen=True, slots=True)
class Meant(Generic[S, T]):
    """What is made of a value of another shape."""

    shape: Shape[S]
    make: Callable[[S], T]

    def read(self, node: Node, place: str, reading: Reading) -> T:
        """Return what is made of the value."""
        return self.make(self.shape.read(node, place, reading))

    def schema(self) -> Schema:
        """Return the other shape's schema."""
        return self.shape.schema()


def _key(key: str, line: int) -> Scalar:
    return Scalar(key, line, is_text=True)


def _all(reading: Reading, parts: Sequence[tuple[str, Node]], shape: Shape[T]) -> list[T]:
    """Read several nodes, and say what is wrong with any of them before giving up."""
    values = []
    for place, node in parts:
        reading.lines.put(place, node.line)
        try:
            values.append(shape.read(node, place, reading))
        except Unread:
            continue
    if len(values) < len(parts):
        raise Unread
    return values


def _too_many(reading: Reading, node: Node, place: str, count: int, most: int) -> Unread:
    return unread(reading, node, place, f"has {count} entries, more than the {most} allowed", "remove some")
