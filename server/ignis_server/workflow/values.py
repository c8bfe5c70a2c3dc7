"""Values: what inputs, outputs and answers are made of, which is what JSON can say, kept as its bytes.

A run keeps values encoded: bytes cannot be changed by whoever is given them, their size is exact, and they go into the
journal and to workers as they are.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import NewType, TypeAlias

import msgspec

from ignis_server.workflow.limits import MAX_VALUE_DEPTH

__all__ = [
    "EMPTY",
    "NULL",
    "Json",
    "Value",
    "ValueFault",
    "decode",
    "digest_of",
    "encode",
    "is_equal",
    "kind_of",
    "with_article",
]

Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value] | None"

# A value as compact JSON in UTF-8 whose keys are sorted: equal values are equal bytes.
Json = NewType("Json", bytes)

NULL = Json(b"null")
EMPTY = Json(b"{}")

# What a double holds exactly, which is what the wire and most readers of JSON hold.
MAX_WHOLE_NUMBER = 2**53

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[Value] = msgspec.json.Decoder()


class ValueFault(Exception):
    """Something that is no value: its message says what and why."""


def encode(value: Value) -> Json:
    """Return a value as JSON.

    Raises:
        ValueFault: It holds a number that JSON cannot say, half a character, or nests deeper than 64 levels.
    """
    _check(value, MAX_VALUE_DEPTH)
    try:
        return Json(_ENCODER.encode(value))
    except UnicodeEncodeError as error:
        raise ValueFault("a text holds half a character (\\ud800 to \\udfff)") from error


def decode(json: Json) -> Value:
    """Return the value that `encode` was given."""
    return _DECODER.decode(json)


def digest_of(json: Json) -> str:
    """Return "sha256:" and the hexadecimal SHA-256 of a value's bytes."""
    return f"sha256:{hashlib.sha256(json).hexdigest()}"


def is_equal(one: Value, other: Value) -> bool:
    """Tell whether two values are the same; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return one == other


def kind_of(value: Value) -> str:
    """Return what a value is, in the words of a definition's input types."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case Mapping():
            return "object"
        case _:
            return "list"


def with_article(value: Value) -> str:
    """Return what a value is, as it stands in a sentence."""
    kind = kind_of(value)
    return kind if value is None else f"{'an' if kind == 'object' else 'a'} {kind}"


def _check(value: Value, depth: int) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueFault(f"{value} is no number that JSON can say")
    if isinstance(value, int) and abs(value) > MAX_WHOLE_NUMBER:
        raise ValueFault(f"{value:.4g} is beyond 2^53, from where on whole numbers are not exact; send it as text")
    if isinstance(value, str | bool | int | float) or value is None:
        return
    if not depth:
        raise ValueFault(f"it nests deeper than {MAX_VALUE_DEPTH} levels")
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise ValueFault(f"the key {key!r} is no text")
            _check(each, depth - 1)
        return
    for each in value:
        _check(each, depth - 1)
