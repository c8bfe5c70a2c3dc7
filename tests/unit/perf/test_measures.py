"""What rankings are worth, against the definitions worked out one request at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from perf.selection.measures import curve_of, cut_off_for, fixed_curve_of, ranked

Case = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores with many ties, what is relevant (something for each request), and tokens."""
    requests, agents = draw(st.integers(1, 4)), draw(st.integers(1, 14))
    scores = [[draw(st.integers(0, 5)) for _ in range(agents)] for _ in range(requests)]
    relevant = np.zeros((requests, agents), bool)
    for row in relevant:
        row[list(draw(st.sets(st.integers(0, agents - 1), min_size=1)))] = True
    tokens = [draw(st.integers(1, 50)) for _ in range(agents)]
    return np.array(scores, np.float32), relevant, np.array(tokens, np.float64)


def order(scores: NDArray[np.float32]) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: (-scores[place], place))


@given(cases())
def test_measures_are_what_their_definitions_say(case: Case) -> None:
    scores, relevant, _ = case
    recalls, gains, firsts, whole = [], [], [], []
    for row, wanted in zip(scores, relevant, strict=True):
        found = [bool(wanted[place]) for place in order(row)]
        recalls.append(sum(found[:5]) / sum(found))
        gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(found[:10], 1) if hit)
        gains.append(gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(sum(found), 10) + 1)))
        firsts.append(1 / (1 + found.index(True)))
        whole.append(sum(found[:10]) == sum(found))

    measured = ranked(scores, relevant)

    assert measured.recall_at[5] == pytest.approx(np.mean(recalls))
    assert measured.ndcg == pytest.approx(np.mean(gains))
    assert measured.mrr == pytest.approx(np.mean(firsts))
    assert measured.all_found_at[10] == pytest.approx(np.mean(whole))


def at_cut_off(case: Case, cut_off: float) -> tuple[float, float]:
    """Return the mean recall and share of tokens where all agents from a score on are loaded."""
    scores, relevant, tokens = case
    loaded = scores >= cut_off
    recall = ((loaded & relevant).sum(axis=1) / relevant.sum(axis=1)).mean()
    return float(recall), float((loaded @ tokens).mean() / tokens.sum())


@given(cases(), st.sampled_from([0.5, 0.9, 1.0]))
def test_one_cut_off_loads_the_least_that_holds_the_recall(case: Case, recall: float) -> None:
    scores, relevant, tokens = case
    possible = [at_cut_off(case, cut_off) for cut_off in np.unique(scores)]
    least = min(share for held, share in possible if held >= recall - 1e-9)

    assert curve_of(scores, relevant, tokens).loaded_at(recall) == pytest.approx(least)
    assert at_cut_off(case, cut_off_for(scores, relevant, recall))[1] == pytest.approx(least)


@given(cases(), st.sampled_from([0.5, 0.9, 1.0]))
def test_one_number_of_agents_loads_the_least_that_holds_the_recall(case: Case, recall: float) -> None:
    scores, relevant, tokens = case
    possible = []
    for depth in range(1, len(tokens) + 1):
        held = [order(row)[:depth] for row in scores]
        share = np.mean([tokens[places].sum() / tokens.sum() for places in held])
        found = np.mean([wanted[places].sum() / wanted.sum() for places, wanted in zip(held, relevant, strict=True)])
        possible.append((found, share))

    loaded = fixed_curve_of(scores, relevant, tokens).loaded_at(recall)

    assert loaded == pytest.approx(min(share for found, share in possible if found >= recall - 1e-9))


@given(cases(), st.floats(0, 1))
def test_a_curve_is_read_in_both_directions_alike(case: Case, share: float) -> None:
    curve = curve_of(*case)
    recall = curve.recall_at(share)

    assert curve.loaded_at(recall) <= share + 1e-9
