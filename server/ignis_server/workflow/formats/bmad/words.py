"""Words of BMAD files as ids, names and lists."""

import re
from collections.abc import Container

from ignis_server.workflow.formats.yaml_tree import ListNode, MappingNode, Node, Scalar
from ignis_server.workflow.limits import MAX_STEP_ID_CHARACTERS

__all__ = ["bare", "identifier", "is_nothing", "listed", "rendered", "unique"]

FOREIGN = re.compile(r"[^A-Za-z0-9_]+")
REMARK = re.compile(r"\s*\([^)]*\)\s*$")
# Room for a number that tells one id from another.
ROOM = 8


def identifier(text: str) -> str:
    """Return an id that a step may have and that reads as a text does."""
    word = FOREIGN.sub("-", text).strip("-")
    return (word if word[:1].isalpha() else f"step-{word}")[: MAX_STEP_ID_CHARACTERS - ROOM].rstrip("-")


def unique(wanted: str, taken: Container[str]) -> str:
    """Return an id, with a number where it is taken."""
    number, chosen = 1, wanted
    while chosen in taken:
        number += 1
        chosen = f"{wanted}-{number}"
    return chosen


def bare(text: str) -> str:
    """Return the name of a document without what is remarked in parentheses, as in "prd.md (if needed)"."""
    return REMARK.sub("", text).strip() or text.strip()


def is_nothing(node: Node) -> bool:
    """Tell whether nothing stands under a key."""
    return isinstance(node, Scalar) and node.value is None


def listed(node: Node) -> tuple[str, ...]:
    """Return texts that stand as a list, or in one text between commas."""
    if isinstance(node, ListNode):
        return tuple(text for item in node.items if (text := rendered(item)))
    return tuple(part for each in rendered(node).split(", ") if (part := each.strip()))


def rendered(node: Node) -> str:
    """Return everything that stands in a node as text, with a hyphen before each item and a colon after each key."""
    match node:
        case Scalar(text):
            return "" if is_nothing(node) else text.strip()
        case ListNode(items):
            return "\n".join(f"- {_indented(rendered(item))}" for item in items)
        case MappingNode(entries):
            return "\n".join(_rendered_entry(entry.key, entry.value) for entry in entries)


def _rendered_entry(key: str, node: Node) -> str:
    text = rendered(node)
    return f"{key}: {text}" if isinstance(node, Scalar) else f"{key}:\n  {_indented(text)}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
