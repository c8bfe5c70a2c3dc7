"""Repeated keys, of which YAML keeps one and loses the others."""

from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.shape import Unread, printable
from ignis_server.workflow.formats.yaml_tree import ListNode, MappingNode, Node

__all__ = ["check_all_repetition", "check_repetition"]


def check_repetition(node: MappingNode, place: str, reading: Reading) -> None:
    """Say which keys of a mapping stand in it again.

    Raises:
        Unread: Some do.
    """
    repeated = list(node.repeated())
    for entry in repeated:
        where = f" in {place}" if place else ""
        fact = f"the key {printable(entry.key)} stands{where} again"
        reading.error(entry.line, "duplicate-key", fact, "remove one of the two")
    if repeated:
        raise Unread


def check_all_repetition(node: Node, place: str, reading: Reading) -> None:
    """Do the same for a value of any depth."""
    if isinstance(node, MappingNode):
        check_repetition(node, place, reading)
        for entry in node.entries:
            check_all_repetition(entry.value, f"{place}.{entry.key}", reading)
    elif isinstance(node, ListNode):
        for item in node.items:
            check_all_repetition(item, place, reading)
