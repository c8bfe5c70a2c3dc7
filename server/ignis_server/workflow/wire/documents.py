"""Values: google.protobuf.Struct and Value from and to what a run keeps.

A double is all that Protobuf has for numbers: whole ones come in as whole numbers where that is exact, and go out as doubles.
"""

import math
from collections.abc import Mapping
from typing import Final

from google.protobuf.struct_pb2 import NULL_VALUE, Struct
from google.protobuf.struct_pb2 import Value as ValueMessage

from ignis_server.rpc.checks import Checks
from ignis_server.workflow.values import MAX_WHOLE_NUMBER, Json, Value, ValueFault, decode

__all__ = ["MAX_WIRE_DEPTH", "from_document", "from_value", "to_document", "to_value"]

# Protobuf reads 100 messages within each other, and an object is three of them: an output of 34 levels still comes in, and
# one of 32 cannot go out any more within the inputs of a claimed step, where 10 more stand around it. 3 x 24 are 72; what the
# lists of an expression put around has the rest. It is also the depth to which workflows are read, and below MAX_VALUE_DEPTH.
MAX_WIRE_DEPTH: Final = 24


def to_document(checks: Checks, field: str, message: Struct) -> dict[str, Value]:
    """Read an object; what of it cannot be kept is added to the checks by its name."""
    return {name: to_value(checks, f"{field}.{name}", each, levels=1) for name, each in sorted(message.fields.items())}


def to_value(checks: Checks, field: str, message: ValueMessage, *, levels: int = 0) -> Value:
    """Read a value that stands so many levels deep; what cannot be kept is added to the checks."""
    try:
        return _read(message, MAX_WIRE_DEPTH - levels)
    except ValueFault as fault:
        checks.add(field, f"cannot be kept: {fault}")
        return None


def from_document(json: Json) -> Struct:
    """Write an object."""
    value = decode(json)
    if not isinstance(value, Mapping):
        raise TypeError("an output or a document of inputs is an object")
    message = Struct()
    _write_fields(message, value)
    return message


def from_value(json: Json) -> ValueMessage:
    """Write a value."""
    message = ValueMessage()
    _write(message, decode(json))
    return message


def _read(message: ValueMessage, levels: int) -> Value:
    match message.WhichOneof("kind"):
        case "string_value":
            return message.string_value
        case "number_value":
            return _number(message.number_value)
        case "bool_value":
            return message.bool_value
        case "null_value":
            return None
        case None:
            raise ValueFault("a value is not set; send null_value for null")
    if not levels:
        raise ValueFault(f"it nests deeper than {MAX_WIRE_DEPTH} levels; send what is inside as a text of JSON")
    if message.HasField("list_value"):
        return [_read(each, levels - 1) for each in message.list_value.values]
    return {name: _read(each, levels - 1) for name, each in message.struct_value.fields.items()}


def _number(number: float) -> int | float:
    if number.is_integer() and abs(number) <= MAX_WHOLE_NUMBER:
        return int(number)
    if not math.isfinite(number):
        raise ValueFault(f"{number} is no number that JSON can say; send null or a text")
    return number


def _write(message: ValueMessage, value: Value) -> None:
    # The order in which values are frequent; a boolean is an int to Python.
    if isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int | float):
        message.number_value = value
    elif value is None:
        message.null_value = NULL_VALUE
    elif isinstance(value, Mapping):
        # An empty one must be there all the same.
        message.struct_value.SetInParent()
        _write_fields(message.struct_value, value)
    else:
        message.list_value.SetInParent()
        for each in value:
            _write(message.list_value.values.add(), each)


def _write_fields(message: Struct, value: Mapping[str, Value]) -> None:
    for name, each in value.items():
        _write(message.fields[name], each)
