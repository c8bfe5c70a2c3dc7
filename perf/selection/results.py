"""Everything that is measured in one run, in the order in which it is."""

import os
import platform
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from perf.selection.abstention import Abstention, abstention_of, is_foreign
from perf.selection.brief_coverage import by_need, by_rank, coverage, in_one
from perf.selection.briefs import briefs_of
from perf.selection.evaluation import Evaluation, evaluate
from perf.selection.labelled import LabelledSet
from perf.selection.methods import METHODS, OURS
from perf.selection.one_core import one_core
from perf.selection.operating_points import PROMISES, Answer, OperatingPoint, Service, operating_point, recalls_of
from perf.selection.scale import SIZES, Scale, scale_of

__all__ = ["BriefCoverage", "Results", "measure"]

BRIEFS = 100
# With what briefs are compared where it is measured, beside ours with its needs and without.
BRIEF_PEERS = ("BM25 (bm25s)", "wordllama")
WITH_NEEDS = "ignis, need by need"
WITHOUT_NEEDS = "ignis, the brief as one need"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BriefCoverage:
    """The mean recall of a set's briefs, by the share of the catalog's tokens that may be loaded."""

    dataset: str
    method: str
    recall_by_budget: dict[float, float]


@dataclass(frozen=True, slots=True)
class Results:
    """What one run measured.

    Attributes:
        machine: Where.
        evaluations: Each method on each set.
        missing: By method, why it could not be measured.
        operating_points: What the service does by default and for each promise, by set.
        abstentions: By set, what its catalog does with requests of others; sets without foreign ones are not there.
        briefs: Coverage of composed briefs.
        scales: What catalogs of some sizes take.
    """

    machine: str
    evaluations: tuple[Evaluation, ...]
    missing: dict[str, str]
    operating_points: tuple[OperatingPoint, ...]
    abstentions: dict[str, Abstention]
    briefs: tuple[BriefCoverage, ...]
    scales: tuple[Scale, ...]


def measure(sets: Sequence[LabelledSet], methods: Sequence[str], report: Report) -> Results:
    """Measure methods on sets, on one core; what only our own can do is measured where it is among them."""
    with one_core():
        evaluations, missing = _evaluations(sets, methods, report)
        points: list[OperatingPoint] = []
        abstentions: dict[str, Abstention] = {}
        briefs: list[BriefCoverage] = []
        scales: list[Scale] = []
        if OURS in methods:
            services = {labelled.name: Service(labelled) for labelled in sets}
            for labelled in sets:
                report(f"{labelled.name}: defaults, promises, briefs")
                service = services[labelled.name]
                answers = {promise: service.ask(labelled.queries, promise) for promise in PROMISES}
                points += [operating_point(labelled, answers[promise], promise) for promise in PROMISES]
                briefs += _briefs(labelled, service, {each.method for each in evaluations})
                foreign = [other for other in sets if is_foreign(other.name, labelled.name)]
                if foreign:
                    report(f"{labelled.name}: foreign requests")
                    abstentions[labelled.name] = _abstention(labelled, service, answers[None], foreign)
            for size in SIZES:
                report(f"a catalog of {size:,} agents")
                scales.append(scale_of(sets, size))
    return Results(_machine(), tuple(evaluations), missing, tuple(points), abstentions, tuple(briefs), tuple(scales))


def _evaluations(
    sets: Sequence[LabelledSet], methods: Sequence[str], report: Report
) -> tuple[list[Evaluation], dict[str, str]]:
    evaluations, missing = [], {}
    for name in methods:
        try:
            for labelled in sets:
                report(f"{name}: {labelled.name}")
                evaluations.append(evaluate(name, METHODS[name], labelled))
        except ImportError as error:
            missing[name] = f"{error}: pip install 'ignis-agents[bench]'"
            report(f"{name}: left out, as {missing[name]}")
    return evaluations, missing


def _briefs(labelled: LabelledSet, service: Service, measured: AbstractSet[str]) -> list[BriefCoverage]:
    briefs = list(briefs_of(labelled, BRIEFS))
    orders = {WITH_NEEDS: by_need(service.index), WITHOUT_NEEDS: in_one(service.index)}
    for name in BRIEF_PEERS:
        if name in measured:
            orders[name] = by_rank(METHODS[name](labelled.catalog))
    return [BriefCoverage(labelled.name, name, coverage(labelled, briefs, order)) for name, order in orders.items()]


def _abstention(
    labelled: LabelledSet, service: Service, own: Sequence[Answer], foreign: Sequence[LabelledSet]
) -> Abstention:
    others = {other.name: service.ask(other.queries) for other in foreign}
    return abstention_of(
        own=np.array([answer.answerable for answer in own]),
        recall=recalls_of(labelled, own),
        foreign={name: np.array([answer.answerable for answer in answers]) for name, answers in others.items()},
        answered={name: np.array([bool(answer.places) for answer in answers]) for name, answers in others.items()},
    )


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), one used; Python {platform.python_version()}"
