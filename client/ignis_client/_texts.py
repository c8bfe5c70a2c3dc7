"""Lists of texts that callers pass."""

from collections.abc import Iterable

__all__ = ["listed"]


def listed(name: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts as they are.

    Raises:
        TypeError: They are one string: that is an iterable of strings too, and its letters would pass every check.
    """
    if isinstance(texts, str):
        raise TypeError(f"{name} is one string: put it into a list")
    return tuple(texts)
