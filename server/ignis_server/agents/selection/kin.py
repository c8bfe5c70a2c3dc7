"""Kin: an agent that describes itself like those that score well is likelier to be meant than its own score says.

Regularisation of scores by the cluster hypothesis (Diaz, "Regularizing ad hoc retrieval scores", 2005). It finds the agents that a
request does not speak of in their own words, and so tells better where to stop; the first few it orders no better.
"""

import numpy as np

from ignis_server.agents.selection.embedding import Vectors
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Scores

__all__ = ["Kin"]

# Agents beyond have no chance in so large a catalog; they count as the least near of these. A catalog of so many agents
# has all likenesses worked out beforehand, 2 KiB for an agent at most.
CANDIDATES = 512
# Keeps distances finite where all are equally near.
LEAST_SPREAD = 1e-6


class Kin:
    """Who is like whom among the agents of a catalog; immutable."""

    def __init__(self, heads: Vectors, knobs: SelectionKnobs) -> None:
        """Take the vectors of the agents' names and descriptions, one in each row."""
        self._heads = heads
        self._knobs = knobs
        self._likenesses = self._likeness(heads, heads) if len(heads) <= CANDIDATES else None

    def distances(self, scores: Scores) -> Scores:
        """Return how near each agent is to those that score best, in standard deviations from the mean.

        Of the best, the better count more, and the nearer.
        """
        order = np.argsort(-scores, kind="stable")
        best = order[: self._knobs.kin_agents]
        weights = np.exp((scores[best] - scores[best[0]]) / self._knobs.kin_temperature)
        weights /= weights.sum()
        if self._likenesses is not None:
            return _distances(weights @ self._likenesses[best])
        likely = order[:CANDIDATES]
        distances = _distances(weights @ self._likeness(self._heads[best], self._heads[likely]))
        kin = np.full(len(scores), distances.min(), np.float32)
        kin[likely] = distances
        return kin

    def _likeness(self, some: Vectors, others: Vectors) -> Scores:
        likeness: Scores = np.exp((some @ others.T - 1) / self._knobs.kin_width)
        return likeness


def _distances(near: Scores) -> Scores:
    logarithms = np.log(near)
    distances: Scores = (logarithms - logarithms.mean()) / max(float(logarithms.std()), LEAST_SPREAD)
    return distances
