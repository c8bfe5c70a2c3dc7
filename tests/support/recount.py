"""Counting tokens a second time, by another implementation: bpe-openai's own tokenizer, in Rust."""

import warnings
from functools import cache

__all__ = ["recount"]


def recount(text: str) -> int:
    """Return the number of o200k_base tokens of a text."""
    return len(_encoding().encode(text))  # type: ignore[attr-defined]  # bpe-openai is imported late


@cache
def _encoding() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It uses a part of importlib that is deprecated.
        import bpe_openai  # noqa: PLC0415

    return bpe_openai.get_encoding("o200k_base")
