"""YAML as people write it: strict where it parses, with a line for every remark, and never a bomb."""

from dataclasses import dataclass, field

import yaml

__all__ = ["Remark", "YamlError", "YamlMapping", "read_mapping"]

# Deeper than any definition, and far below where PyYAML's recursion would end.
MAX_DEPTH = 24

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth saying of a line, counted from 1 within the text that was read."""

    line: int
    code: str
    message: str
    remedy: str


class YamlError(Exception):
    """The text is no YAML mapping; `line` counts from 1, `problem` says what is wrong in a few words."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


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
        YamlError: The text is not YAML, or no mapping, or uses aliases, or nests deeper than 24 levels.
    """
    try:
        # Before composing, which recurses: a bomb must not get so far.
        _check_events(text)
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise YamlError(mark.line + 1 if mark else 1, getattr(error, "problem", None) or "unreadable") from error
    if not isinstance(node, yaml.MappingNode):
        raise YamlError(1, "it is no mapping of keys to values")
    remarks: list[Remark] = []
    values = _mapping(node, remarks)
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
    return YamlMapping(values, lines, tuple(remarks))


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(_line_of(event), "it uses an alias (*name), which this service does not expand")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlError(_line_of(event), f"it nests deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


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
