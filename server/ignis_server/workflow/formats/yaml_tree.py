"""YAML as a tree in which everything has its line: strict, never a bomb, and read as YAML 1.2 reads it.

By the core schema of YAML 1.2 a plain scalar is null, true, false, a number or text. So "no" and "on" are text, as in
every editor that checks against a JSON Schema, where YAML 1.1 makes false and true of them.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from ignis_server.safe_yaml import YamlFault, compose
from ignis_server.workflow.limits import MAX_YAML_DEPTH
from ignis_server.workflow.values import Value

__all__ = ["Entry", "ListNode", "MappingNode", "Node", "Scalar", "plain", "read_tree"]

NULL = re.compile(r"|~|null|Null|NULL")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
WHOLE = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# Python refuses to read longer ones, and none of them is a number that anybody means.
MAX_DIGITS = 300


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, boolean or null, as it stands there. What is quoted or a block is text, whatever it says."""

    text: str
    line: int
    is_text: bool

    @property
    def value(self) -> bool | int | float | str | None:
        """What it means."""
        return self.text if self.is_text else _meaning(self.text)


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple["Node", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; `line` is the key's."""

    key: str
    value: "Node"
    line: int


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping, in the order of its keys; a key may stand in it more than once."""

    entries: tuple[Entry, ...]
    line: int

    def get(self, key: str) -> Entry | None:
        """Return what stands under a key: the last, where it stands there more than once."""
        return next((entry for entry in reversed(self.entries) if entry.key == key), None)

    def repeated(self) -> Iterator[Entry]:
        """Return entries whose key stood before."""
        seen = set()
        for entry in self.entries:
            if entry.key in seen:
                yield entry
            seen.add(entry.key)


Node: TypeAlias = Scalar | ListNode | MappingNode


def read_tree(text: str) -> MappingNode:
    """Read a YAML mapping.

    Raises:
        YamlFault: The text is not YAML, or no mapping, or several documents, uses aliases or tags, or nests deeper than 24 levels.
    """
    node = compose(text, max_depth=MAX_YAML_DEPTH, tags_are_ignored=False)
    tree = _tree(node) if node is not None else None
    if not isinstance(tree, MappingNode):
        raise YamlFault(1, "it is no mapping of keys to values")
    return tree


def plain(node: Node) -> Value:
    """Return what a tree means, without its lines; of repeated keys the last one holds."""
    match node:
        case Scalar():
            return node.value
        case ListNode(items):
            return [plain(item) for item in items]
        case MappingNode(entries):
            return {entry.key: plain(entry.value) for entry in entries}


def _tree(node: yaml.Node) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return MappingNode(tuple(_entry(key, value) for key, value in node.value), line)
    if isinstance(node, yaml.SequenceNode):
        return ListNode(tuple(_tree(each) for each in node.value), line)
    return Scalar(_whole(node), line, is_text=bool(getattr(node, "style", None)))


def _whole(node: yaml.Node) -> str:
    """Return a scalar's text. PyYAML's own loader, where libyaml is not there, lets half characters through."""
    text = str(node.value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = node.start_mark.line + 1
        raise YamlFault(line, "an escape (\\ud800 to \\udfff) stands for half a character") from error
    return text


def _entry(key: yaml.Node, value: yaml.Node) -> Entry:
    line = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode):
        raise YamlFault(line, "a key is no text")
    return Entry(_whole(key), _tree(value), line)


def _meaning(text: str) -> bool | int | float | str | None:
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text.lower() == "true"
    if len(text) <= MAX_DIGITS:
        for pattern, base in ((WHOLE, 10), (OCTAL, 8), (HEXADECIMAL, 16)):
            if pattern.fullmatch(text):
                return int(text, base)
        if DECIMAL.fullmatch(text) and math.isfinite(number := float(text)):
            return number
    return text
