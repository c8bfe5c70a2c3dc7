"""What rankings are worth: recall, nDCG and MRR, and the tokens saved at a recall.

All take scores (a request in each row, an agent in each column) and which agents are relevant, in the same shape;
every request has at least one. Equal scores are ordered by place, which is the order of ids.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "Ranked", "curve_of", "cut_off_for", "ranked"]

Scores = NDArray[np.float32]
Relevant = NDArray[np.bool_]
Floats = NDArray[np.float64]

DEPTH = 10


@dataclass(frozen=True, slots=True)
class Ranked:
    """Means over the requests of a set.

    Attributes:
        recall_at: The share of the relevant agents among the first k, by k.
        ndcg: Normalised discounted cumulative gain of the first 10, with binary gains (Järvelin and Kekäläinen,
            "Cumulated gain-based evaluation of IR techniques", 2002).
        mrr: The reciprocal of the place of the first relevant agent.
        all_found_at: The share of requests all of whose relevant agents are among the first k, by k.
    """

    recall_at: dict[int, float]
    ndcg: float
    mrr: float
    all_found_at: dict[int, float]


def ranked(scores: Scores, relevant: Relevant, depths: tuple[int, ...] = (1, 5, 10)) -> Ranked:
    """Measure the order in which agents are ranked."""
    found = np.take_along_axis(relevant, order_of(scores), axis=1)
    wanted = relevant.sum(axis=1)
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    gained = found[:, :DEPTH] @ discounts[: found.shape[1]]
    ideal = np.concatenate(([0.0], np.cumsum(discounts)))[np.minimum(wanted, DEPTH)]
    shares = {depth: found[:, :depth].sum(axis=1) / wanted for depth in depths}
    return Ranked(
        recall_at={depth: float(share.mean()) for depth, share in shares.items()},
        ndcg=float((gained / ideal).mean()),
        mrr=float((1 / (1 + np.argmax(found, axis=1))).mean()),
        all_found_at={depth: float((share == 1).mean()) for depth, share in shares.items()},
    )


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean recall against the mean share of the catalog's tokens that is loaded, both ascending."""

    recall: Floats
    loaded: Floats

    def loaded_at(self, recall: float) -> float:
        """Return the smallest share of tokens that holds a recall."""
        return float(self.loaded[np.searchsorted(self.recall, recall - 1e-9)])

    def recall_at(self, loaded: float) -> float:
        """Return the greatest recall that a share of tokens holds."""
        return float(self.recall[np.searchsorted(self.loaded, loaded + 1e-9) - 1])


def curve_of(scores: Scores, relevant: Relevant, tokens: Floats) -> Curve:
    """Return the curve of one cut-off for all requests: agents are loaded whose score is at least so much."""
    weights = relevant / relevant.sum(axis=1, keepdims=True) / len(relevant)
    costs = np.broadcast_to(tokens / tokens.sum() / len(relevant), scores.shape)
    order = np.argsort(-scores, axis=None, kind="stable")
    lasts = np.append(np.diff(scores.ravel()[order]) < 0, True)  # No cut-off parts what scores the same.
    return Curve(
        np.concatenate(([0.0], np.cumsum(weights.ravel()[order])[lasts])),
        np.concatenate(([0.0], np.cumsum(costs.ravel()[order])[lasts])),
    )


def fixed_curve_of(scores: Scores, relevant: Relevant, tokens: Floats) -> Curve:
    """Return the curve of one number of agents for all requests, whatever their scores."""
    order = order_of(scores)
    return curve_of(-np.argsort(order, axis=1, kind="stable").astype(np.float32), relevant, tokens)


def cut_off_for(scores: Scores, relevant: Relevant, recall: float) -> float:
    """Return the highest score such that all agents from it on hold a mean recall."""
    weights = (relevant / relevant.sum(axis=1, keepdims=True) / len(relevant)).ravel()
    order = np.argsort(-scores, axis=None, kind="stable")
    return float(scores.ravel()[order][np.searchsorted(np.cumsum(weights[order]), recall - 1e-9)])


def order_of(scores: Scores) -> NDArray[np.int64]:
    """Return the places of agents for each request, best first."""
    return np.argsort(-scores, axis=1, kind="stable")
