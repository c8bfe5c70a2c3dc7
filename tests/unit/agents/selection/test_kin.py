"""Kin: who is near to those that score best."""

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.kin import CANDIDATES, kinship
from ignis_server.agents.selection.knobs import SelectionKnobs

KNOBS = SelectionKnobs(kin_agents=2)


def directions(*degrees: float) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_who_is_like_the_best_is_kin_and_who_is_not_is_none() -> None:
    heads = directions(0, 10, 20, 90, 100)

    kin = kinship(heads, scores(5, 0, 0, 0, 0.1), SelectionKnobs(kin_agents=1))

    assert np.argsort(-kin).tolist() == [0, 1, 2, 3, 4]
    assert abs(float(kin.mean())) < 1e-5
    assert abs(float(kin.std()) - 1) < 1e-5


def test_of_the_best_the_better_count_more() -> None:
    heads = directions(0, 90, 10, 80)

    kin = kinship(heads, scores(9, 6, 0, 0), KNOBS)
    swapped = kinship(heads, scores(6, 9, 0, 0), KNOBS)

    assert kin[2] > kin[3]
    np.testing.assert_allclose(swapped, kin[[1, 0, 3, 2]], atol=1e-4)


def test_a_catalog_of_equals_has_no_kin() -> None:
    assert kinship(directions(30, 30, 30), scores(1, 2, 3), KNOBS).tolist() == [0, 0, 0]
    assert kinship(directions(30), scores(1), KNOBS).tolist() == [0]


def test_agents_without_a_chance_count_as_the_least_near_of_those_with_one() -> None:
    size = CANDIDATES + 50
    heads = directions(*np.linspace(0, 90, size))

    kin = kinship(heads, np.linspace(9, 0, size).astype(np.float32), KNOBS)

    assert (kin[CANDIDATES:] == kin[:CANDIDATES].min()).all()
    assert np.isfinite(kin).all()
