"""Between JSON values of the API and Python's: Struct and Value hold every number as a double."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from ignis_client.values import JsonValue

__all__ = ["from_object", "from_value", "to_object", "to_value"]

# What a double holds exactly; a greater whole number would arrive as another one.
MAX_WHOLE_NUMBER: Final = 2**53

# The server's own bound, short of the 100 levels at which Protobuf cannot read a message any more.
MAX_DEPTH: Final = 64


def from_object(field: str, value: Mapping[str, JsonValue]) -> Struct:
    """Encode an object.

    Raises:
        TypeError: It holds something that JSON has no word for.
        ValueError: It holds a number that does not survive the way, or nests deeper than 64 levels.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{field}: {type(value).__name__} is no mapping")
    return _struct(field, value, 0)


def from_value(field: str, value: JsonValue) -> Value:
    """Encode a value. Raises what `from_object` raises."""
    return _value(field, value, 0)


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


def _value(path: str, value: object, depth: int) -> Value:
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=_number(path, value))
        case str():
            return Value(string_value=value)
        case Mapping():
            return Value(struct_value=_struct(path, value, depth))
        case bytes() | bytearray() | memoryview():
            raise TypeError(f"{path}: JSON has no bytes; decode them, or make an artefact")
        case Sequence():
            _check_depth(path, depth)
            items = [_value(f"{path}[{index}]", each, depth + 1) for index, each in enumerate(value)]
            return Value(list_value=ListValue(values=items))
        case _:
            raise TypeError(f"{path}: JSON has no {type(value).__name__}")


def _struct(path: str, value: Mapping[Any, object], depth: int) -> Struct:
    _check_depth(path, depth)
    fields: dict[str, Value] = {}
    for key, each in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{path}: the key {key!r} is no text")
        fields[key] = _value(f"{path}.{key}", each, depth + 1)
    return Struct(fields=fields)


def _check_depth(path: str, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise ValueError(f"{path}: nests deeper than {MAX_DEPTH} levels")


def _number(path: str, number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{path}: JSON has no {number}")
    if isinstance(number, int) and abs(number) > MAX_WHOLE_NUMBER:
        raise ValueError(f"{path}: {number} is beyond 2**53, which numbers of JSON hold exactly: send it as text")
    return float(number)
