"""Foreign requests: which they are, and what turning them away costs."""

import numpy as np
import pytest

from perf.selection.abstention import abstention_of, is_foreign

BOTH = {"a": np.ones(2, bool)}


@pytest.mark.parametrize(
    ("asked", "home", "is_so"),
    [
        ("metatool-single", "voltagent-guide", True),
        ("subagents-davila7", "metatool-multi", True),
        ("subagents-davila7", "voltagent-guide", False),
        ("metatool-multi", "metatool-single", False),
        ("sealtools", "voltagent-guide", False),
        ("metatool-single", "sealtools", False),
        ("recipes", "gardens", True),
        ("recipes", "recipes", False),
        ("recipes", "voltagent-guide", True),
    ],
)
def test_requests_are_foreign_where_subjects_differ(asked: str, home: str, is_so: bool) -> None:  # noqa: FBT001 - a column
    assert is_foreign(asked, home) is is_so


def test_a_point_of_recall_pays_for_the_least_answerable_requests() -> None:
    own = np.linspace(0.2, 1.0, 200)  # Each is worth half a point, so two may be lost.
    recall = np.ones(200)
    foreign = {"a": np.array([own[0], own[1], own[2] - 1e-9]), "b": np.array([own[2], 0.9])}

    everybody = {"a": np.ones(3, bool), "b": np.ones(2, bool)}
    not_all = {"a": np.array([True, True, False]), "b": np.array([False, True])}

    assert abstention_of(own, recall, foreign, everybody).answered_at_loss == pytest.approx(2 / 5)
    measured = abstention_of(own, recall, foreign, not_all)
    assert measured.answered == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 2)}
    assert measured.answered_at_loss == pytest.approx(1 / 5)


def test_requests_that_find_nothing_cost_nothing_to_turn_away() -> None:
    own = np.array([0.1, 0.2, 0.3, 0.9])

    measured = abstention_of(own, np.array([0.0, 0.0, 0.0, 1.0]), {"a": np.array([0.35, 0.95])}, BOTH)

    assert measured.answered_at_loss == pytest.approx(0.5)


def test_a_catalog_that_finds_nothing_can_turn_everybody_away() -> None:
    measured = abstention_of(np.array([0.1, 0.2]), np.zeros(2), {"a": np.array([0.15, 0.9])}, BOTH)

    assert measured.answered_at_loss == 0.0


def test_the_area_is_the_chance_of_telling_a_pair_apart_and_ties_are_halves() -> None:
    own, foreign = np.array([0.3, 0.5, 0.5, 0.8]), np.array([0.1, 0.5, 0.6])
    pairs = [(0.5 if mine == other else float(mine > other)) for mine in own for other in foreign]

    measured = abstention_of(own, np.ones(4), {"a": foreign}, {"a": np.ones(3, bool)})

    assert measured.area == pytest.approx(np.mean(pairs))
