"""Shapes: what may stand in a file, said once, and used both to read it and to publish it as a JSON Schema.

A shape reads a node into a value of the domain or says what is wrong with it, and tells the schema of what it reads. So the
schema cannot promise what the reader refuses.
"""

from typing import Protocol, TypeVar

from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.yaml_tree import ListNode, MappingNode, Node, Scalar
from ignis_server.workflow.values import Value, with_article

__all__ = ["Schema", "Shape", "Unread", "named", "printable", "quoted", "unread"]

T_co = TypeVar("T_co", covariant=True)

Schema = dict[str, Value]

# What fits on a line beside the rest of a remark.
MAX_SHOWN_CHARACTERS = 40


class Unread(Exception):
    """A value could not be read; what is wrong with it has been said."""


class Shape(Protocol[T_co]):
    """What may stand in one place of a file."""

    def read(self, node: Node, place: str, reading: Reading) -> T_co:
        """Return what a node says.

        Raises:
            Unread: It is of another shape; `reading` has been told everything that is wrong with it.
        """
        ...

    def schema(self) -> Schema:
        """Return the JSON Schema of what is read."""
        ...


def unread(reading: Reading, node: Node, place: str, problem: str, remedy: str) -> Unread:
    """Say what is wrong with a value, and return what to raise."""
    reading.error(node.line, "invalid-value", f"{place or 'the file'} {problem}", remedy)
    return Unread()


def named(node: Node) -> str:
    """Return a value as a remark shows it."""
    match node:
        case Scalar():
            return quoted(node.text) if isinstance(node.value, str) else node.text or with_article(None)
        case ListNode():
            return "a list"
        case MappingNode():
            return "a mapping"


def quoted(text: str) -> str:
    """Return a text as a remark shows it: not too long, in quotes, and fit for a terminal."""
    shown = text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 1]}…"
    return f'"{printable(shown)}"'


def printable(text: str) -> str:
    """Return a text with a sign in place of everything that a terminal would act upon."""
    return "".join(each if each.isprintable() else "�" for each in text)
