"""Values: what inputs, outputs and answers of workflows are made of, which is what JSON can say."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["JsonValue"]

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""A JSON value. What comes from a server is made of dict, list, str, int, float, bool and None."""
