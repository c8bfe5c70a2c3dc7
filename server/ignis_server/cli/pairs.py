"""`name=value` as the command line is given it: labels, answers, and inputs of workflows by their types."""

import json
from collections.abc import Iterable, Mapping

import typer

from ignis_client import InputDefinition, InputType, JsonValue, WorkflowDefinition

__all__ = ["read_inputs", "read_labels", "split_pair"]

TRUTHS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}

JSON_TYPES: Mapping[InputType, tuple[tuple[type, ...], str]] = {
    InputType.NUMBER: ((int, float), "a number"),
    InputType.LIST: ((list,), 'a list as JSON has it, such as ["a", "b"]'),
    InputType.OBJECT: ((dict,), 'an object as JSON has it, such as {"a": 1}'),
}


def split_pair(option: str, text: str) -> tuple[str, str]:
    """Return a name and a value.

    Raises:
        typer.BadParameter: There is no name, or nothing that parts it from a value.
    """
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise typer.BadParameter(f"{option} {text!r} is not name=value")
    return name, value


def read_labels(texts: Iterable[str]) -> dict[str, str]:
    """Return labels.

    Raises:
        typer.BadParameter: One is not name=value, or a name is there twice.
    """
    labels: dict[str, str] = {}
    for text in texts:
        name, value = split_pair("--label", text)
        if name in labels:
            raise typer.BadParameter(f"--label {name} is given twice")
        labels[name] = value
    return labels


def read_inputs(texts: Iterable[str], definition: WorkflowDefinition) -> dict[str, JsonValue]:
    """Return the values that a workflow is to be given, each as its type wants it.

    Raises:
        typer.BadParameter: A value is not what the workflow takes, or one that it must have is missing.
    """
    takes = {each.name: each for each in definition.inputs}
    values: dict[str, JsonValue] = {}
    for text in texts:
        name, value = split_pair("--input", text)
        if name not in takes:
            known = f"it takes {', '.join(takes)}" if takes else "it takes none"
            raise typer.BadParameter(f"--input {name}: the workflow {definition.id} has no such input; {known}")
        if name in values:
            raise typer.BadParameter(f"--input {name} is given twice")
        values[name] = _read(value, takes[name])
    missing = [name for name in definition.required_inputs if name not in values]
    if missing:
        told = "; ".join(f"--input {name}={_example(takes[name])}" for name in missing)
        raise typer.BadParameter(f"the workflow {definition.id} needs more: {told}")
    return values


def _read(text: str, definition: InputDefinition) -> JsonValue:
    match definition.type:
        case InputType.TEXT:
            if definition.choices and text not in definition.choices:
                raise _refused(text, definition, f"one of {', '.join(definition.choices)}")
            return text
        case InputType.BOOLEAN:
            if text.lower() not in TRUTHS:
                raise _refused(text, definition, "true or false")
            return TRUTHS[text.lower()]
        case InputType.ANY | InputType.UNKNOWN:
            value = _parsed(text)
            return text if value is None and text != "null" else value
        case structured:
            return _structured(text, definition, *JSON_TYPES[structured])


def _structured(text: str, definition: InputDefinition, types: tuple[type, ...], wanted: str) -> JsonValue:
    value = _parsed(text)
    if not isinstance(value, types) or isinstance(value, bool):
        raise _refused(text, definition, wanted)
    return value


def _parsed(text: str) -> JsonValue:
    """Return what a text says in JSON; None where it says nothing."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value


def _no_constant(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")


def _refused(text: str, definition: InputDefinition, wanted: str) -> typer.BadParameter:
    return typer.BadParameter(f"--input {definition.name}={text!r} is not {wanted}")


def _example(definition: InputDefinition) -> str:
    """Return what stands for a value in the words of a command line."""
    of = f": {definition.description}" if definition.description else ""
    return f"{definition.type.value.upper()}{of.rstrip('.')}"
