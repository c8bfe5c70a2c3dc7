"""The published schema and our own reader: what the one accepts, the other does too."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ignis_server.workflow.formats import TextFile, import_file, json_schema
from ignis_server.workflow.formats.yaml_tree import plain, read_tree
from ignis_server.workflow.validation import check

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "workflows").glob("*.yaml"))
VALIDATOR = Draft202012Validator(json_schema())

# What JSON Schema cannot say: bounds of spans, and that a default is of the type or among the choices beside it.
UNSAID = ("which is not from", "has a default of type", "has a default that is none")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_there_are_examples() -> None:
    assert [path.name for path in EXAMPLES] == ["launch.yaml", "release-notes.yaml", "storefront-feature.yaml"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid_both_ways(path: Path) -> None:
    read = import_file(TextFile(path.name, path.read_bytes()))

    assert [error.message for error in VALIDATOR.iter_errors(plain(read_tree(path.read_text(encoding="utf-8"))))] == []
    assert read.diagnostics == ()
    assert [check(each, path.name) for each in read.definitions] == [()]


DOCUMENT: dict[str, object] = {
    "version": 1,
    "name": "A",
    "tags": ["a", "b"],
    "inputs": {"wish": "text", "level": {"type": "text", "choices": ["a", "b"], "default": "a"}},
    "steps": [
        {"id": "a", "agent": "x", "approval": True, "outputs": ["o"], "effect": "once"},
        {
            "id": "b",
            "select": True,
            "executor": "e",
            "instruction": "i",
            "needs": ["a"],
            "when": "true",
            "for_each": "[1]",
            "inputs": {"item": "item"},
            "optional": False,
            "effect": "none",
            "retry": {"max_attempts": 2, "initial_backoff": "1s", "max_backoff": "1m", "backoff_multiplier": 2},
            "timeout": "1h",
            "capabilities": ["git"],
            "approval": {"prompt": "p", "timeout": "1d"},
        },
        {"id": "c", "needs": "b", "ask": {"prompt": "p", "choices": ["y"], "timeout": "1d", "default": "y"}},
        {"id": "d", "ask": "p"},
        {"id": "e", "milestone": True, "instruction": "i"},
        {"id": "f", "executor": "e"},
    ],
    "guidance": {"g": "t"},
}
KEYS = st.sampled_from(
    [
        "id",
        "agent",
        "select",
        "executor",
        "ask",
        "milestone",
        "instruction",
        "needs",
        "when",
        "for_each",
        "inputs",
        "outputs",
        "approval",
        "optional",
        "effect",
        "retry",
        "timeout",
        "capabilities",
        "prompt",
        "choices",
        "default",
        "type",
        "max_attempts",
        "colour",
    ]
)
VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        1.5,
        2.0,
        101,
        "",
        "a",
        "text",
        "once",
        "9d",
        "90s",
        "x y",
        "x" * 200,
        [],
        ["a"],
        ["a", "a"],
        [1],
        {},
        {"a": "text"},
        {"prompt": "p"},
        {"type": "number"},
    ]
)


def places(node: object) -> list[tuple[object, object]]:
    """Every container in a document with each of its keys."""
    inner: list[tuple[object, object]] = []
    if isinstance(node, dict):
        inner = [(node, key) for key in node]
        inner += [place for value in node.values() for place in places(value)]
    elif isinstance(node, list):
        inner = [(node, number) for number in range(len(node))]
        inner += [place for value in node for place in places(value)]
    return inner


@st.composite
def changed_documents(draw: st.DrawFn) -> dict[str, object]:
    """A valid document after one to three changes: a value replaced, removed, or added under some key."""
    document = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(document)))
        kind = draw(st.sampled_from(["replace", "remove", "add"]))
        if isinstance(container, dict):
            if kind == "remove":
                del container[key]
            else:
                container[key if kind == "replace" else draw(KEYS)] = copy.deepcopy(draw(VALUES))
        elif isinstance(container, list) and isinstance(key, int):
            if kind == "remove":
                del container[key]
            else:
                container[key : key + (kind == "replace")] = [copy.deepcopy(draw(VALUES))]
    return document


@given(changed_documents())
def test_the_schema_and_the_reader_agree(document: dict[str, object]) -> None:
    read = import_file(TextFile("a.yaml", json.dumps(document).encode()))
    unsaid = [each for each in read.diagnostics if any(words in each.message for words in UNSAID)]

    if "steps" not in document:
        assert not read.is_workflow
    elif VALIDATOR.is_valid(document):
        assert len(read.diagnostics) == len(unsaid)
    else:
        assert len(read.diagnostics) > len(unsaid)
        assert read.definitions == ()
