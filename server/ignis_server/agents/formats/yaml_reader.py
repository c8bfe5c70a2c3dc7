"""YAML as people write it: strict where it parses, with a line for every remark, and never a bomb."""

from dataclasses import dataclass, field

import yaml

from ignis_server.safe_yaml import YamlFault, compose

__all__ = ["Remark", "YamlMapping", "read_mapping"]

# Deeper than any definition.
MAX_DEPTH = 24


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth saying of a line, counted from 1 within the text that was read."""

    line: int
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """The values of a mapping, the line on which each key stands, and what there is to remark."""

    values: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()


def read_mapping(text: str) -> YamlMapping:
    """Read a YAML mapping with plain values: text, lists and mappings; of repeated keys the last one holds.

    All scalars are text, as written: no "no" becomes False, and no version 1.10 becomes 1.1.

    Raises:
        YamlFault: The text is not YAML, or no mapping, or uses aliases, or nests deeper than 24 levels.
    """
    node = compose(text, max_depth=MAX_DEPTH, tags_are_ignored=True)
    if not isinstance(node, yaml.MappingNode):
        raise YamlFault(1, "it is no mapping of keys to values")
    remarks: list[Remark] = []
    values = _mapping(node, remarks)
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
    return YamlMapping(values, lines, tuple(remarks))


def _mapping(node: yaml.MappingNode, remarks: list[Remark]) -> dict[str, object]:
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
        if key in mapping:
            remarks.append(
                Remark(
                    key_node.start_mark.line + 1,
                    "duplicate-key",
                    f"the key {key!r} stands here again; this value replaces the one above",
                    "remove one of the two",
                )
            )
        mapping[key] = _value(value_node, remarks)
    return mapping


def _value(node: yaml.Node, remarks: list[Remark]) -> object:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, remarks)
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, remarks) for each in node.value]
    return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)
