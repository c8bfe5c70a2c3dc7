"""Expressions as trees: what each may consist of, and which values it names."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ignis_server.workflow.values import Value

__all__ = [
    "Accessor",
    "AllOf",
    "AnyOf",
    "Attribute",
    "Call",
    "Comparison",
    "Each",
    "Expression",
    "Index",
    "Inputs",
    "Item",
    "ListOf",
    "Literal",
    "Node",
    "Not",
    "Path",
    "Root",
    "StepValue",
]


class Attribute(StrEnum):
    """What can be asked of a step that has ended."""

    OUTPUT = "output"
    OUTPUTS = "outputs"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The run's inputs."""


@dataclass(frozen=True, slots=True)
class StepValue:
    """Something of a step."""

    step_id: str
    attribute: Attribute


@dataclass(frozen=True, slots=True)
class Item:
    """What an instance of a repeated step is for."""


@dataclass(frozen=True, slots=True)
class Index:
    """Which instance of a repeated step it is, from 0."""


Root: TypeAlias = Inputs | StepValue | Item | Index


@dataclass(frozen=True, slots=True)
class Each:
    """All items of a list: what follows is taken of each."""


# A field's name, a place in a list, or all places of it.
Accessor: TypeAlias = str | int | Each


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands there as it is."""

    value: Value


@dataclass(frozen=True, slots=True)
class Path:
    """A value that is looked up."""

    root: Root
    accessors: tuple[Accessor, ...] = ()


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What a function makes of values."""

    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where something is not."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where all are; what follows the first that is not is not looked at."""

    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one is; what follows it is not looked at."""

    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """True where two values stand in a relation."""

    operator: str
    left: "Node"
    right: "Node"


Node: TypeAlias = Literal | Path | ListOf | Call | Not | AllOf | AnyOf | Comparison


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression, and the paths in it in the order in which they stand."""

    source: str
    node: Node
    paths: tuple[Path, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it names no value, and so is the same in every run."""
        return not self.paths

    @property
    def is_of_item(self) -> bool:
        """Whether it differs between the instances of a repeated step."""
        return any(isinstance(path.root, Item | Index) for path in self.paths)

    @property
    def steps(self) -> tuple[StepValue, ...]:
        """What it names of steps."""
        return tuple(path.root for path in self.paths if isinstance(path.root, StepValue))
