"""Selection on labelled public sets: the figures that are claimed, as floors.

The sets are no part of this project. Where IGNIS_BENCHMARKS names the folder that holds them, they are measured;
elsewhere conftest.py leaves this file out, and small cases stand in tests/unit/perf/ and tests/unit/agents/selection/.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from ignis_server.agents.tokenizer import TiktokenTokenizer
from perf.selection.brief_coverage import by_need, coverage, in_one
from perf.selection.briefs import briefs_of
from perf.selection.labelled import LabelledSet
from perf.selection.measures import curve_of, ranked
from perf.selection.methods import METHODS, OURS
from perf.selection.operating_points import Service, operating_point

FOLDER = Path(os.environ["IGNIS_BENCHMARKS"])
NAMES = ("metatool-multi", "metatool-single", "sealtools", "subagents-davila7", "voltagent-guide")
QUERIES = 500
BRIEFS = 60


@pytest.fixture(scope="module")
def sets(tokenizer: TiktokenTokenizer) -> list[LabelledSet]:
    return [LabelledSet.read(FOLDER / name, tokenizer, most_queries=QUERIES) for name in NAMES]


@pytest.fixture(scope="module")
def services(sets: list[LabelledSet]) -> list[Service]:
    return [Service(labelled) for labelled in sets]


def test_rankings_and_savings_are_those_claimed(sets: list[LabelledSet]) -> None:
    figures = []
    for labelled in sets:
        rank = METHODS[OURS](labelled.catalog)
        answers = [rank(query) for query in labelled.queries]
        worth = ranked(np.stack([answer.ranking for answer in answers]), labelled.relevant)
        cut_offs = np.stack([answer.cut_off for answer in answers])
        saved = 1 - curve_of(cut_offs, labelled.relevant, labelled.tokens).loaded_at(0.95)
        figures.append((worth.recall_at[5], worth.ndcg, saved))

    recall, ndcg, saved = np.mean(figures, axis=0)

    assert recall >= 0.86
    assert ndcg >= 0.805
    assert saved >= 0.905


@pytest.mark.parametrize("promise", [0.90, 0.95, 0.99])
def test_promises_hold_on_every_set(sets: list[LabelledSet], services: list[Service], promise: float) -> None:
    for labelled, service in zip(sets, services, strict=True):
        point = operating_point(labelled, service.ask(labelled.queries, promise), promise)
        assert point.recall >= promise, labelled.name
        assert point.expected_recall >= promise - 1e-9


def test_briefs_of_several_needs_are_covered(sets: list[LabelledSet], services: list[Service]) -> None:
    apart, whole = [], []
    for labelled, service in zip(sets, services, strict=True):
        briefs = list(briefs_of(labelled, BRIEFS))
        apart.append(coverage(labelled, briefs, by_need(service.index))[0.15])
        whole.append(coverage(labelled, briefs, in_one(service.index))[0.15])

    assert np.mean(apart) >= 0.90
    assert np.mean(apart) > np.mean(whole) + 0.03
