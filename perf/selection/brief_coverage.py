"""How much of what composed briefs mean is found for a share of the catalog's tokens, with and without their needs."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.needs import Need, needs_of_text
from ignis_server.agents.selection.selector import SelectionIndex
from perf.selection.briefs import Brief
from perf.selection.labelled import LabelledSet
from perf.selection.methods import Rank

__all__ = ["BUDGETS", "Order", "by_need", "by_rank", "coverage", "in_one"]

# Shares of the catalog's tokens that may be loaded.
BUDGETS = (0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
# With less to gain from any agent, the rest is ordered by chance.
LEAST_GAIN = 1e-6

# From the text of a brief to all places, the most useful first.
Order: TypeAlias = Callable[[str], NDArray[np.int64]]


def coverage(labelled: LabelledSet, briefs: Sequence[Brief], order: Order) -> dict[float, float]:
    """Return the mean recall by budget; of each order is loaded what still fits, in full."""
    recalls: dict[float, list[float]] = {budget: [] for budget in BUDGETS}
    for brief in briefs:
        places = order(brief.text)
        for budget, found in recalls.items():
            held = _fitting(places, labelled.tokens, budget * labelled.tokens.sum())
            found.append(brief.relevant[held].sum() / brief.relevant.sum())
    return {budget: float(np.mean(found)) for budget, found in recalls.items()}


def by_need(index: SelectionIndex) -> Order:
    """Order as `LoadAgents` does: by what an agent adds to the needs that others leave open."""

    def order(text: str) -> NDArray[np.int64]:
        return _by_gain(index.relevance(needs_of_text(text)).answers)

    return order


def in_one(index: SelectionIndex) -> Order:
    """Order by the chances of a brief that is taken as a single need."""
    return lambda text: np.argsort(-index.relevance([Need.alone(text)]).chances, kind="stable")


def by_rank(rank: Rank) -> Order:
    """Order as a method ranks."""
    return lambda text: np.argsort(-rank(text).ranking, kind="stable")


def _by_gain(answers: NDArray[np.float32]) -> NDArray[np.int64]:
    unanswered = np.ones(len(answers), np.float32)
    left = np.ones(answers.shape[1], bool)
    first = []
    while left.any():
        gains = np.where(left, unanswered @ answers, -1.0)
        place = int(np.argmax(gains))
        if gains[place] < LEAST_GAIN:
            break
        left[place] = False
        first.append(place)
        unanswered *= 1 - answers[:, place]
    best = answers.max(axis=0, initial=0.0)
    rest = np.flatnonzero(left)
    return np.concatenate([np.array(first, np.int64), rest[np.argsort(-best[rest], kind="stable")]])


def _fitting(places: NDArray[np.int64], tokens: NDArray[np.float64], budget: float) -> list[int]:
    held = []
    for place in places:
        if tokens[place] <= budget:
            budget -= tokens[place]
            held.append(int(place))
    return held
