"""Kinds of agents: collections copy agents from pack to pack, and copies count as one where agents are compared."""

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.postings import Scores

__all__ = ["Kinds"]

# Copies differ in a word or two. In four public catalogs of 1,185 agents, the most alike pair with different bodies
# has a cosine of 0.936; of the copies, all but a few lie above 0.94.
ALIKE = 0.94
# So many rows of ten thousand cosines are 10 MB.
ROWS_AT_ONCE = 256


class Kinds:
    """The kind of each agent, counted from 0 in the order of first agents."""

    def __init__(self, labels: NDArray[np.int64]) -> None:
        self._labels = labels

    @classmethod
    def of(cls, heads: Scores) -> Self:
        """Tell kinds apart by the vectors of what agents say of themselves.

        An agent is of the kind of the first agent that it is like, or of one of its own.
        """
        labels = np.full(len(heads), -1, np.int64)
        count = 0
        for start in range(0, len(heads), ROWS_AT_ONCE):
            alike = heads[start : start + ROWS_AT_ONCE] @ heads.T >= ALIKE
            for place, row in enumerate(alike, start):
                if labels[place] < 0:
                    labels[row & (labels < 0)] = count
                    labels[place] = count  # What says nothing of itself is not even like itself.
                    count += 1
        return cls(labels)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The kind of each agent, by its place in the catalog."""
        return self._labels

    def best(self, scores: Scores) -> Scores:
        """Return for each kind (column) the best score of its agents (columns of `scores`)."""
        if len(self._starts) == len(self._labels):
            return scores
        return np.maximum.reduceat(scores[:, self._order], self._starts, axis=1)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self._labels, kind="stable")

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.unique(self._labels[self._order], return_index=True)[1]
