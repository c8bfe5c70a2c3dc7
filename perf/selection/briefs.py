"""Briefs of several needs, composed of labelled requests: how much of what they mean is found for the tokens."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perf.selection.labelled import LabelledSet

__all__ = ["Brief", "briefs_of"]

FEWEST_REQUESTS = 2
MOST_REQUESTS = 6
ENDS = (".", "!", "?")


@dataclass(frozen=True, slots=True)
class Brief:
    """Requests as running text, one paragraph, and which agents any of them means."""

    text: str
    relevant: NDArray[np.bool_]


def briefs_of(labelled: LabelledSet, count: int, *, seed: int = 0) -> Iterator[Brief]:
    """Compose briefs of 2 to 6 requests each, or of all if there are fewer, drawn without repetition.

    Equal seeds give equal briefs.
    """
    drawn = random.Random(seed)  # noqa: S311 - no secret
    for number in range(count):
        size = FEWEST_REQUESTS + number % (MOST_REQUESTS - FEWEST_REQUESTS + 1)
        rows = drawn.sample(range(len(labelled.queries)), min(size, len(labelled.queries)))
        yield Brief(_joined([labelled.queries[row] for row in rows]), np.logical_or.reduce(labelled.relevant[rows]))


def _joined(requests: Sequence[str]) -> str:
    return " ".join(text if text.endswith(ENDS) else f"{text}." for text in map(str.strip, requests))
