"""Inputs of workflows as a command line gives them."""

import pytest
import typer

from ignis_client import InputDefinition, InputType, JsonValue, WorkflowDefinition
from ignis_server.cli.pairs import read_inputs, read_labels

TYPES = {
    "text": InputType.TEXT,
    "size": InputType.NUMBER,
    "flag": InputType.BOOLEAN,
    "items": InputType.LIST,
    "facts": InputType.OBJECT,
    "any": InputType.ANY,
}
INPUTS = (
    *(InputDefinition(name, kind, "", None, ()) for name, kind in TYPES.items()),
    InputDefinition("colour", InputType.TEXT, "What it is painted with.", None, ("red", "blue")),
)


def a_workflow(*required: str) -> WorkflowDefinition:
    return WorkflowDefinition("shop", "sha256:0", "Shop", "", (), required, INPUTS, (), ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("text=5", "5"),
        ("text=a=b", "a=b"),
        ("text=", ""),
        ("size=5", 5),
        ("size=0.5", 0.5),
        ("flag=TRUE", True),
        ("flag=no", False),
        ('items=["a", 1]', ["a", 1]),
        ('facts={"a": null}', {"a": None}),
        ("any=[1]", [1]),
        ("any=null", None),
        ("any=words", "words"),
        ("colour=red", "red"),
    ],
)
def test_a_value_is_read_as_its_type_wants_it(text: str, value: JsonValue) -> None:
    assert read_inputs([text], a_workflow()) == {text.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("text", "--input 'text' is not name=value"),
        ("=x", "--input '=x' is not name=value"),
        ("size=true", "--input size='true' is not a number"),
        ("size=NaN", "--input size='NaN' is not a number"),
        ("flag=1", "--input flag='1' is not true or false"),
        ("items=a,b", "--input items='a,b' is not a list as JSON has it"),
        ("facts=[]", "--input facts='[]' is not an object as JSON has it"),
        ("colour=green", "--input colour='green' is not one of red, blue"),
        ("wish=x", "--input wish: the workflow shop has no such input; it takes text, size"),
    ],
)
def test_a_value_that_cannot_be_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_inputs([text], a_workflow())

    assert caught.value.message.startswith(complaint)


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_inputs(["text=x"], a_workflow("text", "colour", "size"))

    assert caught.value.message == (
        "the workflow shop needs more: --input colour=TEXT: What it is painted with; --input size=NUMBER"
    )


@pytest.mark.parametrize("texts", [["a=1", "a=2"], ["a"]])
def test_labels_that_cannot_be_are_refused(texts: list[str]) -> None:
    with pytest.raises(typer.BadParameter, match="--label"):
        read_labels(texts)
