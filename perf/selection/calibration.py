"""Fits the numbers of `SelectionKnobs` that are measured and not chosen: chances, and what a recall costs.

    python -m perf.selection.calibration [--dataset DIR …]

Prints the fitted knobs, and what each promise holds on every set when it is fitted on the others: first without that
set, then without any set that shares its catalog. The knobs are written into the source by hand, so that a change of
them is a change somebody read.

The promises. For each set the cut-off is taken that holds the recall there, half the way nearer to 1; of these
the lowest is shipped. Were catalogs drawn like the sets, the recall of the next one would fall below the promise about
as rarely as the worst of them all is drawn last: one time in six. Within a set the error of 500 requests is below 1.4
points. Nothing is said of catalogs unlike all of these, nor of a single request: recall is a mean over requests.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.hybrid import LEAST_SHARE, HybridEvidence, HybridIndex, HybridSelector
from ignis_server.agents.selection.knobs import Promise, SelectionKnobs
from ignis_server.agents.selection.selector import Relevance
from perf.selection.abstention import is_foreign
from perf.selection.datasets import add_options, read_sets
from perf.selection.labelled import LabelledSet
from perf.selection.measures import cut_off_for
from perf.selection.methods import embedder, needs_in

__all__ = ["main"]

QUERIES = 500
RECALLS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
# How much nearer to 1 than what is promised the calibration aims.
CAUTION = 0.5
# The part of the recall that may be lost by giving up needs.
GIVEN_UP = 0.1
# Of each request so many agents, the best, are looked at: the odds of the others are not in doubt.
CANDIDATES = 50
UNREACHABLE = -1e9


@dataclass(frozen=True, slots=True)
class Asked:
    """A set, its index, and what speaks for each agent on each of its requests."""

    labelled: LabelledSet
    index: HybridIndex
    evidence: tuple[HybridEvidence, ...]
    relevance: tuple[Relevance, ...]

    @classmethod
    def of(cls, labelled: LabelledSet, knobs: SelectionKnobs) -> "Asked":
        """Ask a set all its requests."""
        index = HybridSelector(embedder(), knobs).compile(labelled.catalog)
        needs = [needs_in(query) for query in labelled.queries]
        return cls(labelled, index, tuple(map(index.evidence, needs)), tuple(map(index.relevance, needs)))

    def highest_standing(self, least_answerable: float) -> NDArray[np.float32]:
        """Return for each request (row) the highest standing of each agent in needs that are not given up."""
        rows = [
            each.standing.max(axis=0, where=(each.answerable >= least_answerable)[:, None], initial=UNREACHABLE)
            for each in self.relevance
        ]
        return np.stack(rows)

    def recall_at(self, promise: Promise) -> float:
        """Return the mean recall that a promise holds here."""
        loaded = self.highest_standing(promise.least_answerable) >= promise.cut_off
        relevant = self.labelled.relevant
        return float(((loaded & relevant).sum(axis=1) / relevant.sum(axis=1)).mean())


def usual(rows: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Return the mean over requests of the mean and of the standard deviation over agents."""
    return float(np.mean([each.mean() for each in rows])), float(np.mean([each.std(axis=1).mean() for each in rows]))


def answerable_fit(sets: Sequence[Asked]) -> tuple[float, float, float]:
    """Fit what tells requests of a catalog from foreign ones; each set has the same weight on both sides."""
    features, labels, weights = [], [], []
    for home in sets:
        foreign = [other for other in sets if is_foreign(other.labelled.name, home.labelled.name)]
        if not foreign:
            continue
        asked = [home.index.evidence(needs_in(query)) for other in foreign for query in other.labelled.queries[::3]]
        for label, evidence in ((1, home.evidence), (0, asked)):
            rows = np.concatenate(
                [np.c_[each.best_meaning, np.log(each.best_share + LEAST_SHARE)] for each in evidence]
            )
            features.append(rows)
            labels.append(np.full(len(rows), label))
            weights.append(np.full(len(rows), QUERIES / len(rows)))
    offset, per_cosine, per_log_share = _logistic(features, labels, weights)
    return offset, per_cosine, per_log_share


def relevant_fit(sets: Sequence[Asked]) -> tuple[float, float]:
    """Fit what tells relevant agents from others, in requests of one need."""
    features, labels, weights = [], [], []
    for asked in sets:
        for evidence, relevant in zip(asked.evidence, asked.labelled.relevant, strict=True):
            if len(evidence.score) > 1:
                continue
            scores = evidence.score[0].astype(np.float64)
            shares = np.exp(scores - scores.max())
            odds = scores - scores.max() - np.log(np.maximum(shares.sum() - shares, np.finfo(np.float32).eps))
            best = np.argsort(-scores, kind="stable")[:CANDIDATES]
            features.append(odds[best][:, None])
            labels.append(relevant[best].astype(int))
            weights.append(np.full(len(best), 1 / len(asked.evidence)))
    offset, slope = _logistic(features, labels, weights)
    return offset, slope


def promise_for(sets: Sequence[Asked], recall: float) -> Promise:
    """Return what holds a recall on each of some sets."""
    lost = (1 - recall) * GIVEN_UP
    least = min(
        float(np.quantile([each.answerable.max() for each in asked.relevance], lost, method="lower")) for asked in sets
    )
    aim = 1 - (1 - recall) * (1 - CAUTION)
    cut_off = min(cut_off_for(asked.highest_standing(least), asked.labelled.relevant, aim) for asked in sets)
    return Promise(recall, round(least - 5e-5, 4), round(cut_off - 5e-3, 2))


def report(sets: Sequence[Asked]) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"usual_meaning = {_rounded(np.mean([usual([e.meaning for e in asked.evidence]) for asked in sets], axis=0))}"
    yield f"usual_spelling = {_rounded(np.mean([usual([e.spelling for e in asked.evidence]) for asked in sets], axis=0))}"
    yield f"answerable (offset, per_cosine, per_log_share) = {_rounded(answerable_fit(sets))}"
    yield f"relevant (offset, per_log_odds) = {_rounded(relevant_fit(sets))}"
    promises = [promise_for(sets, recall) for recall in RECALLS]
    yield "promises = ("
    yield from (f"    {promise}," for promise in promises)
    yield ")"
    yield ""
    yield f"{'recall held, by promise':36}" + "".join(f"{promise.recall:>8.2f}" for promise in promises)
    for asked in sets:
        others = [other for other in sets if other is not asked]
        unlike = [other for other in others if not _share_a_catalog(other, asked)]
        for name, chosen in (("shipped", None), ("fitted without it", others), ("… nor its catalog", unlike)):
            if chosen is not None and not chosen:
                continue
            held = [
                asked.recall_at(promise if chosen is None else promise_for(chosen, promise.recall))
                for promise in promises
            ]
            yield f"{asked.labelled.name:18}{name:18}" + "".join(f"{recall:>8.3f}" for recall in held)


def _share_a_catalog(one: Asked, other: Asked) -> bool:
    return one.labelled.catalog.revision == other.labelled.catalog.revision


def _logistic(
    features: Sequence[NDArray[np.floating]],
    labels: Sequence[NDArray[np.int64]],
    weights: Sequence[NDArray[np.float64]],
) -> tuple[float, ...]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only there with the extra `bench`

    model = LogisticRegression(C=1e4).fit(
        np.concatenate(features), np.concatenate(labels), sample_weight=np.concatenate(weights)
    )
    return float(model.intercept_[0]), *map(float, model.coef_[0])


def _rounded(numbers: Sequence[float] | NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(number), 3) for number in numbers)


def main() -> None:
    """Calibrate and print."""
    parser = argparse.ArgumentParser(prog="python -m perf.selection.calibration", description=__doc__.split("\n")[0])
    add_options(parser, queries=QUERIES)
    options = parser.parse_args()
    knobs = replace(SelectionKnobs(), promises=())
    sets = [Asked.of(labelled, knobs) for labelled in read_sets(parser, options)]
    print("\n".join(report(sets)))


if __name__ == "__main__":
    main()
