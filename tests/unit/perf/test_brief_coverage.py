"""Composed briefs: what a share of the tokens holds."""

from pathlib import Path

import numpy as np
import pytest

from perf.selection.brief_coverage import BUDGETS, by_need, coverage, in_one
from perf.selection.briefs import Brief
from perf.selection.labelled import LabelledSet
from perf.selection.operating_points import Service
from support.fakes import WordTokenizer


@pytest.fixture
def labelled(labelled_folder: Path) -> LabelledSet:
    return LabelledSet.read(labelled_folder, WordTokenizer())


def test_what_fits_is_loaded_in_order_and_what_does_not_is_passed_over(labelled: LabelledSet) -> None:
    shares = labelled.tokens / labelled.tokens.sum()
    briefs = [Brief("x", np.array([True, False, False, True]))]

    found = coverage(labelled, briefs, lambda _: np.array([3, 2, 1, 0]))

    assert set(found) == set(BUDGETS)
    assert max(BUDGETS) < shares[3] + shares[2]
    assert found[0.30] == (0.5 if shares[3] <= 0.30 else 0.0)
    assert found[0.02] == 0.0


def test_both_needs_of_a_brief_come_first_where_it_is_taken_apart(labelled: LabelledSet) -> None:
    index = Service(labelled).index
    brief = "Bake bread. Refund a Stripe payment."

    first = [labelled.catalog.agents[int(place)].agent_id for place in by_need(index)(brief)[:2]]

    assert sorted(first) == ["bread", "stripe"]
    assert sorted(by_need(index)(brief).tolist()) == [0, 1, 2, 3]
    assert sorted(in_one(index)(brief).tolist()) == [0, 1, 2, 3]
