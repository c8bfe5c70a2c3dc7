"""The outline of a BMAD file: its header, its sequences of steps, and the sections beside them."""

from dataclasses import dataclass

from ignis_server.workflow.formats.bmad.words import listed, rendered
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.yaml_tree import Entry, ListNode, MappingNode, Node, Scalar
from ignis_server.workflow.limits import MAX_NAME_CHARACTERS, MAX_TAGS

__all__ = ["Outline", "Sequence", "outline_of"]

HEADER = ("id", "name", "description", "type", "project_types")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A named list of steps, with those that stand after it under keys of their own, such as `workflow_end`."""

    name: str
    entries: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file consists of. `sections` are neither header nor steps."""

    line: int
    id: str
    name: str
    description: str
    tags: tuple[str, ...]
    sequences: tuple[Sequence, ...]
    sections: tuple[Entry, ...]


def outline_of(tree: MappingNode, reading: Reading) -> Outline:
    """Take a file apart."""
    entry = tree.get("workflow")
    workflow = entry.value if entry else tree
    if not isinstance(workflow, MappingNode):
        workflow = MappingNode((), tree.line)
    for each in (*tree.repeated(), *workflow.repeated()):
        fact = f"the key {each.key} stands here again; this one replaces the one above"
        reading.warning(each.line, "duplicate-key", fact, "remove one of the two")
    header = {each.key: each.value for each in workflow.entries if each.key in HEADER}
    sequences, sections = _divided(workflow)
    return Outline(
        line=workflow.line,
        id=_text(header, "id"),
        name=_text(header, "name"),
        description=" ".join(_text(header, "description").split()),
        tags=_tags(header),
        sequences=sequences,
        sections=(*sections, *(each for each in tree.entries if each.key != "workflow")),
    )


def _text(header: dict[str, Node], key: str) -> str:
    return rendered(header[key]) if key in header else ""


def _tags(header: dict[str, Node]) -> tuple[str, ...]:
    words = (*(listed(header[key]) for key in ("type", "project_types") if key in header),)
    return tuple(dict.fromkeys(word[:MAX_NAME_CHARACTERS] for each in words for word in each))[:MAX_TAGS]


def _divided(workflow: MappingNode) -> tuple[tuple[Sequence, ...], tuple[Entry, ...]]:
    """Tell steps from sections. A mapping with an action that stands after a sequence is the last step of that one."""
    sequences: list[Sequence] = []
    sections: list[Entry] = []
    for entry in workflow.entries:
        if entry.key in HEADER:
            continue
        if _is_sequence(entry) and isinstance(entry.value, ListNode):
            sequences.append(Sequence(_name_of(entry.key), entry.value.items))
        elif sequences and isinstance(entry.value, MappingNode) and entry.value.get("action"):
            named = Entry(entry.key, Scalar("", entry.line, is_text=False), entry.line)
            step = MappingNode((named, *entry.value.entries), entry.line)
            sequences[-1] = Sequence(sequences[-1].name, (*sequences[-1].entries, step))
        else:
            sections.append(entry)
    return tuple(sequences), tuple(sections)


def _is_sequence(entry: Entry) -> bool:
    return entry.key == "sequence" or entry.key.endswith("_sequence")


def _name_of(key: str) -> str:
    return key.removesuffix("_sequence")
