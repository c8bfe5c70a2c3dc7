"""Postings: for each term the agents that have it, and what it tells of each; a query adds up rows.

One flat array of places and one of weights, with a row of both for each term (compressed sparse rows), so that
scoring is a gather and a histogram in numpy whatever the number of terms.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Postings", "Scores"]

Scores = NDArray[np.float32]


class Postings:
    """An immutable sparse matrix of terms (rows) and agents (columns, by their places in the catalog)."""

    def __init__(self, starts: NDArray[np.int64], places: NDArray[np.int32], weights: Scores, size: int) -> None:
        self._starts = starts
        self._places = places
        self._weights = weights
        self._size = size

    @classmethod
    def of(cls, rows: NDArray[np.int64], places: NDArray[np.int64], weights: NDArray[np.float64], *, size: int) -> Self:
        """Put entries in order; each pair of row and place occurs once, and rows are numbered without gaps."""
        order = np.lexsort((places, rows))
        counts = np.bincount(rows) if len(rows) else np.zeros(0, np.int64)
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        return cls(starts, places[order].astype(np.int32), weights[order].astype(np.float32), size)

    @property
    def size(self) -> int:
        """How many agents there are."""
        return self._size

    def count(self, row: int) -> int:
        """Return how many agents have a term."""
        return int(self._starts[row + 1] - self._starts[row])

    def weight(self, row: int, place: int) -> float:
        """Return what a term tells of an agent; 0 where the agent does not have it."""
        span = slice(self._starts[row], self._starts[row + 1])
        position = int(np.searchsorted(self._places[span], place))
        found = position < span.stop - span.start and self._places[span][position] == place
        return float(self._weights[span][position]) if found else 0.0

    def scores(self, queries: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]) -> Scores:
        """Return for each query (row) what its terms tell of each agent (column).

        A query is a pair of arrays: the terms' rows, and the factor of each.
        """
        rows = np.concatenate([rows for rows, _ in queries]) if queries else np.zeros(0, np.int64)
        if not len(rows):
            return np.zeros((len(queries), self._size), np.float32)
        factors = np.concatenate([factors for _, factors in queries])
        numbers = np.repeat(np.arange(len(queries)), [len(rows) for rows, _ in queries])
        lengths = self._starts[rows + 1] - self._starts[rows]
        ends = np.cumsum(lengths)
        entries = np.arange(ends[-1]) + np.repeat(self._starts[rows] - ends + lengths, lengths)
        cells = self._places[entries] + np.repeat(numbers * self._size, lengths)
        added = np.bincount(
            cells, weights=self._weights[entries] * np.repeat(factors, lengths), minlength=len(queries) * self._size
        )
        return added.reshape(len(queries), self._size).astype(np.float32)
