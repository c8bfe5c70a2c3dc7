"""YAML of strangers: read only as far as it is no bomb, with the line of whatever is wrong."""

import yaml

__all__ = ["YamlFault", "compose"]

# In C where libyaml is there.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFault(Exception):
    """The text is not the YAML that is wanted; `line` counts from 1, `problem` says what is wrong in a few words."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


def compose(text: str, *, max_depth: int, tags_are_ignored: bool) -> yaml.Node | None:
    """Return the nodes of a document; None where it is empty.

    Args:
        text: One document.
        max_depth: How deep lists and mappings may nest; far below where PyYAML's recursion would end.
        tags_are_ignored: Whether tags (`!!int`) may stand there; nothing is ever made of them.

    Raises:
        YamlFault: The text is not YAML, or several documents, or uses aliases or tags, or nests deeper.
    """
    try:
        # Before composing, which recurses: a bomb must not get so far.
        _check_events(text, max_depth, tags_are_ignored=tags_are_ignored)
        node: yaml.Node | None = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise YamlFault(mark.line + 1 if mark else 1, getattr(error, "problem", None) or "unreadable") from error
    except (ValueError, OverflowError) as error:
        # An escape such as "\U00110000" or "\UFFFFFFFF", to the parser in Python; libyaml has an error of its own for both.
        raise YamlFault(1, "an escape stands for no character") from error
    return node


def _check_events(text: str, max_depth: int, *, tags_are_ignored: bool) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.AliasEvent):
            raise YamlFault(_line_of(event), "it uses an alias (*name), which this service does not expand")
        if not tags_are_ignored and (tag := getattr(event, "tag", None)):
            raise YamlFault(_line_of(event), f"it uses a tag ({tag}), which is not needed here")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > max_depth:
                raise YamlFault(_line_of(event), f"it nests deeper than {max_depth} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
