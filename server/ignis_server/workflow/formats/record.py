"""Records: mappings with known keys, each with what it means and what holds where it is left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar, cast

from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.repetition import check_repetition
from ignis_server.workflow.formats.shape import Schema, Shape, Unread, named, printable, unread
from ignis_server.workflow.formats.yaml_tree import MappingNode, Node
from ignis_server.workflow.values import Value

__all__ = ["Field", "Fields", "Record"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class _Required(Enum):
    REQUIRED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Field(Generic[T_co]):
    """A key of a record: what stands under it, what it means, and what holds where it is left out."""

    key: str
    shape: Shape[T_co]
    description: str
    default: T_co | _Required = _Required.REQUIRED

    @property
    def is_required(self) -> bool:
        """Whether the key must be there."""
        return self.default is _Required.REQUIRED

    def schema(self) -> Schema:
        """Return the schema of the value, with what it means."""
        return {"description": self.description, **self.shape.schema()}


class Fields:
    """The values of a record, by field."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, wanted: Field[T]) -> T:
        # The record has read the value by this very field.
        return cast("T", self._values.get(wanted.key, wanted.default))

    def has(self, wanted: Field[T]) -> bool:
        """Tell whether a key is there."""
        return wanted.key in self._values


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """A mapping with known keys.

    Attributes:
        fields: The keys.
        build: Makes the value of them.
        problem: Says what is wrong between the keys, as (problem, remedy); None where nothing is.
        rules: The same as a schema.
        name: Under which the schema stands by itself; empty: it stands where it is used.
    """

    fields: Sequence[Field[object]]
    build: Callable[[Fields], T]
    problem: Callable[[Fields], tuple[str, str] | None] = lambda _: None
    rules: Schema = field(default_factory=dict)
    name: str = ""

    def read(self, node: Node, place: str, reading: Reading) -> T:
        """Return what is made of the mapping."""
        if not isinstance(node, MappingNode):
            raise unread(reading, node, place, f"is {named(node)}, and a mapping is needed", "write key: value")
        check_repetition(node, place, reading)
        is_read = self._knows_all_keys(node, place, reading)
        values: dict[str, object] = {}
        for each in self.fields:
            entry = node.get(each.key)
            if entry is None:
                is_read &= _may_lack(each, node, place, reading)
                continue
            inner = f"{place}.{each.key}" if place else each.key
            reading.lines.put(inner, entry.line)
            try:
                values[each.key] = each.shape.read(entry.value, inner, reading)
            except Unread:
                is_read = False
        if not is_read:
            raise Unread
        wrong = self.problem(Fields(values))
        if wrong:
            raise unread(reading, node, place, *wrong)
        return self.build(Fields(values))

    def schema(self) -> Schema:
        """Return the schema of an object, or a reference to it."""
        return {"$ref": f"#/$defs/{self.name}"} if self.name else self.definition()

    def definition(self) -> Schema:
        """Return the schema of an object."""
        required: list[Value] = [each.key for each in self.fields if each.is_required]
        return {
            "type": "object",
            "properties": {each.key: each.schema() for each in self.fields},
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **self.rules,
        }

    def _knows_all_keys(self, node: MappingNode, place: str, reading: Reading) -> bool:
        known = [each.key for each in self.fields]
        unknown = [entry for entry in node.entries if entry.key not in known]
        for entry in unknown:
            where = f"{place}.{printable(entry.key)}" if place else printable(entry.key)
            remedy = f"remove it; the keys here are {', '.join(known)}"
            reading.error(entry.line, "unknown-key", f"{where} has no meaning here", remedy)
        return not unknown


def _may_lack(each: Field[object], node: Node, place: str, reading: Reading) -> bool:
    if each.is_required:
        fact = f"{place or 'the file'} lacks the key {each.key}"
        reading.error(node.line, "missing-key", fact, f"write it: {each.description}")
    return not each.is_required
