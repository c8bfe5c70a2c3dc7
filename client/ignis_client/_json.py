"""Between JSON values of the API and Python's: Struct and Value hold every number as a double."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from ignis_client.values import JsonValue

__all__ = ["from_object", "from_value", "to_object", "to_value"]

# What a double holds exactly; a greater whole number would arrive as another one.
MAX_WHOLE_NUMBER: Final = 2**53

# Protobuf reads 100 levels of messages, and an object within an object is three of them. An output must still fit where it is
# found next: three levels of JSON deeper, in the inputs of the step that needs it.
MAX_DEPTH: Final = 28


def from_object(field: str, value: Mapping[str, JsonValue]) -> Struct:
    """Encode an object.

    Raises:
        TypeError: It holds something that JSON has no word for.
        ValueError: It holds a number that does not survive the way, or nests deeper than MAX_DEPTH.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{field}: {type(value).__name__} is no mapping")
    struct = Struct()
    _fill_struct(struct, field, value, 1)
    return struct


def from_value(field: str, value: JsonValue) -> Value:
    """Encode a value. Raises what `from_object` raises."""
    message = Value()
    _fill(message, field, value, 1)
    return message


def to_object(struct: Struct) -> dict[str, JsonValue]:
    """Decode an object. Whole numbers become int."""
    return {key: to_value(value) for key, value in struct.fields.items()}


def to_value(value: Value) -> JsonValue:
    """Decode a value. Whole numbers become int."""
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= MAX_WHOLE_NUMBER else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [to_value(each) for each in value.list_value.values]
        case "struct_value":
            return to_object(value.struct_value)
        case _:
            return None


def _fill(message: Value, path: str, value: object, depth: int) -> None:
    """Put a value into its place in a message: to make it first and put it in later would copy it once a level."""
    match value:
        case None:
            message.null_value = NULL_VALUE
        case bool():
            message.bool_value = value
        case int() | float():
            message.number_value = _number(path, value)
        case str():
            message.string_value = value
        case Mapping():
            message.struct_value.SetInParent()
            _fill_struct(message.struct_value, path, value, depth)
        case bytes() | bytearray() | memoryview():
            raise TypeError(f"{path}: JSON has no bytes; decode them, or make an artefact")
        case Sequence():
            _check_depth(path, depth)
            message.list_value.SetInParent()
            for index, each in enumerate(value):
                _fill(message.list_value.values.add(), f"{path}[{index}]", each, depth + 1)
        case _:
            raise TypeError(f"{path}: JSON has no {type(value).__name__}")


def _fill_struct(struct: Struct, path: str, value: Mapping[Any, object], depth: int) -> None:
    _check_depth(path, depth)
    for key, each in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{path}: the key {key!r} is no text")
        _fill(struct.fields[key], f"{path}.{key}", each, depth + 1)


def _check_depth(path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"{path}: nests deeper than {MAX_DEPTH} levels")


def _number(path: str, number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{path}: JSON has no {number}")
    if isinstance(number, int) and abs(number) > MAX_WHOLE_NUMBER:
        raise ValueError(f"{path}: {number} is beyond 2**53, which numbers of JSON hold exactly: send it as text")
    return float(number)
