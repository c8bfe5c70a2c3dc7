"""Requests that no agent of a catalog answers: how many are answered with nothing, and what that loses of the others.

Foreign requests are those of one set, asked of the catalog of another, where the two have no subject in common.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Abstention", "abstention_of", "is_foreign"]

DOMAINS: Mapping[str, frozenset[str]] = {
    "software development": frozenset({"subagents-davila7", "voltagent-guide"}),
    "everyday services": frozenset({"metatool-single", "metatool-multi"}),
}
# Its tools have to do with everything, so no request is surely foreign to it, nor one of its to another.
OF_EVERYTHING = frozenset({"sealtools"})
LOSS_ALLOWED = 0.01


def is_foreign(asked: str, home: str) -> bool:
    """Return whether the requests of one set are none that the agents of another could answer, by the sets' names."""
    if {asked, home} & OF_EVERYTHING:
        return False
    return _domain(asked) != _domain(home)


def _domain(name: str) -> str:
    return next((domain for domain, names in DOMAINS.items() if name in names), name)


@dataclass(frozen=True, slots=True)
class Abstention:
    """What one catalog does with requests of its own and of others.

    Attributes:
        answered: The share of foreign requests that get any agent, by the set that they are from: the false-positive rate.
        answered_at_loss: The same for all of them where besides so many of the least answerable requests get nobody as lose
            a hundredth of the recall at home.
        area: The chance that a request of the set is thought more answerable than a foreign one (area under the ROC
            curve).
    """

    answered: dict[str, float]
    answered_at_loss: float
    area: float


def abstention_of(
    own: NDArray[np.float64],
    recall: NDArray[np.float64],
    foreign: Mapping[str, NDArray[np.float64]],
    answered: Mapping[str, NDArray[np.bool_]],
) -> Abstention:
    """Measure abstention.

    Args:
        own: For each request of the set the chance that the catalog answers it.
        recall: For each of these what is found where it is answered.
        foreign: For each foreign set the same chances of its requests.
        answered: For each foreign set which of its requests get any agent.
    """
    others = np.concatenate([*foreign.values()])
    threshold = _threshold(own, recall)
    order = np.sort(others)
    below = (np.searchsorted(order, own, "left") + np.searchsorted(order, own, "right")) / 2
    return Abstention(
        answered={name: float(each.mean()) for name, each in answered.items()},
        answered_at_loss=float((np.concatenate([*answered.values()]) & (others >= threshold)).mean()),
        area=float(below.mean() / len(others)),
    )


def _threshold(own: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """Return the highest threshold below which no more than the allowed recall is lost; infinite if all may be lost."""
    order = np.argsort(own, kind="stable")
    lost = np.cumsum(recall[order]) / len(recall)
    return float(np.append(own[order], np.inf)[np.searchsorted(lost, LOSS_ALLOWED, "right")])
