"""One method on one labelled set: how it ranks, what it saves at a recall, and what it costs."""

import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perf.selection.labelled import LabelledSet
from perf.selection.measures import Curve, Ranked, curve_of, fixed_curve_of, ranked
from perf.selection.methods import Method, Scored

__all__ = ["RECALLS", "SHARES", "Cost", "Evaluation", "cost_of", "evaluate"]

RECALLS = (0.90, 0.95, 0.99)
# Where curves are read off for tables and plots: shares of the catalog's tokens, from a thousandth to all.
SHARES = tuple(float(share) for share in np.geomspace(0.001, 1.0, 61))
WARM_UP_QUERIES = 5
# What takes longer to build is not built once more to see its memory.
MOST_BUILD_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a method takes on one core of this machine.

    Attributes:
        build_seconds: To build the index.
        kb_per_agent: Memory of the index for each agent, in units of 1,024 bytes, without what all catalogs share; None
            where building takes too long to be repeated under the tracer.
        p50_ms, p99_ms: For a request.
    """

    build_seconds: float
    kb_per_agent: float | None
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a method does on a set.

    Attributes:
        ranked: Measures of its order.
        saved_fixed: By recall, the share of the catalog's tokens that is not loaded where each request gets as many
            agents as every other, and as few as hold that mean recall.
        saved_adaptive: The same where one cut-off of scores serves all requests.
        recall_by_share: The mean recall for each of SHARES that is loaded on average, by one cut-off of scores.
        cost: What it takes.
    """

    method: str
    dataset: str
    agents: int
    queries: int
    ranked: Ranked
    saved_fixed: dict[float, float]
    saved_adaptive: dict[float, float]
    recall_by_share: tuple[float, ...]
    cost: Cost


def evaluate(name: str, method: Method, labelled: LabelledSet) -> Evaluation:
    """Build, ask and measure.

    Raises:
        ImportError: A package that the method needs is not installed.
    """
    cost, answers = cost_of(method, labelled)
    ranking = np.stack([answer.ranking for answer in answers])
    adaptive = curve_of(np.stack([answer.cut_off for answer in answers]), labelled.relevant, labelled.tokens)
    return Evaluation(
        method=name,
        dataset=labelled.name,
        agents=len(labelled.catalog.agents),
        queries=len(labelled.queries),
        ranked=ranked(ranking, labelled.relevant),
        saved_fixed=_saved(fixed_curve_of(ranking, labelled.relevant, labelled.tokens)),
        saved_adaptive=_saved(adaptive),
        recall_by_share=tuple(adaptive.recall_at(share) for share in SHARES),
        cost=cost,
    )


def cost_of(method: Method, labelled: LabelledSet) -> tuple[Cost, Sequence[Scored]]:
    """Measure what a method takes, and return what it answers."""
    began = time.perf_counter()
    rank = method(labelled.catalog)
    build_seconds = time.perf_counter() - began
    for query in labelled.queries[:WARM_UP_QUERIES]:
        rank(query)
    answers, milliseconds = [], []
    for query in labelled.queries:
        began = time.perf_counter()
        answers.append(rank(query))
        milliseconds.append((time.perf_counter() - began) * 1e3)
    p50, p99 = np.percentile(milliseconds, [50, 99])
    kb = _kb(method, labelled) / len(labelled.catalog.agents) if build_seconds <= MOST_BUILD_SECONDS else None
    return Cost(build_seconds, kb, float(p50), float(p99)), answers


def _kb(method: Method, labelled: LabelledSet) -> float:
    """Build once more under the tracer, which would have spoilt the time."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = method(labelled.catalog)
        after, _ = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return (after - before) / 1_024


def _saved(curve: Curve) -> dict[float, float]:
    return {recall: max(0.0, 1 - curve.loaded_at(recall)) for recall in RECALLS}
