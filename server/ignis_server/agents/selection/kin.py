"""Kin: an agent that describes itself like those that score well is likelier to be meant than its own score says.

Regularisation of scores by the cluster hypothesis (Diaz, "Regularizing ad hoc retrieval scores", 2005). It finds the agents that a
request does not speak of in their own words, and so tells better where to stop; the first few it orders no better.
"""

import numpy as np

from ignis_server.agents.selection.embedding import Vectors
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Scores

__all__ = ["kinship"]

# Agents beyond have no chance in so large a catalog; they count as the least near of these.
CANDIDATES = 512
# Keeps distances finite where all are equally near.
LEAST_SPREAD = 1e-6


def kinship(heads: Vectors, scores: Scores, knobs: SelectionKnobs) -> Scores:
    """Return how near each agent is to those that score best, in standard deviations from the mean.

    Args:
        heads: The vectors of the agents' names and descriptions, one in each row.
        scores: How well each agent scores.
        knobs: `kin_agents` of the best count, the better the more, and the nearer the more.
    """
    likely = np.argsort(-scores, kind="stable")[:CANDIDATES]
    best = likely[: knobs.kin_agents]
    weights = np.exp((scores[best] - scores[best[0]]) / knobs.kin_temperature)
    likeness = np.exp((heads[likely] @ heads[best].T - 1) / knobs.kin_width)
    near = np.log(likeness @ (weights / weights.sum()))
    distances = (near - near.mean()) / max(float(near.std()), LEAST_SPREAD)
    kin = np.full(len(scores), distances.min(), np.float32)
    kin[likely] = distances
    return kin
