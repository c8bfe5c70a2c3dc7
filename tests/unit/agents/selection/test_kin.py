"""Kin: who is near to those that score best."""

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.kin import CANDIDATES, Kin
from ignis_server.agents.selection.knobs import SelectionKnobs

KNOBS = SelectionKnobs(kin_agents=2)


def directions(*degrees: float) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_who_is_like_the_best_is_kin_and_who_is_not_is_none() -> None:
    heads = directions(0, 10, 20, 90, 100)

    kin = Kin(heads, SelectionKnobs(kin_agents=1)).distances(scores(5, 0, 0, 0, 0.1))

    assert np.argsort(-kin).tolist() == [0, 1, 2, 3, 4]
    assert abs(float(kin.mean())) < 1e-5
    assert abs(float(kin.std()) - 1) < 1e-5


def test_of_the_best_the_better_count_more() -> None:
    heads = directions(0, 90, 10, 80)

    kin = Kin(heads, KNOBS).distances(scores(9, 6, 0, 0))
    swapped = Kin(heads, KNOBS).distances(scores(6, 9, 0, 0))

    assert kin[2] > kin[3]
    np.testing.assert_allclose(swapped, kin[[1, 0, 3, 2]], atol=1e-4)


def test_a_catalog_of_equals_has_no_kin() -> None:
    assert Kin(directions(30, 30, 30), KNOBS).distances(scores(1, 2, 3)).tolist() == [0, 0, 0]
    assert Kin(directions(30), KNOBS).distances(scores(1)).tolist() == [0]


def test_agents_without_a_chance_count_as_the_least_near_of_those_with_one() -> None:
    size = CANDIDATES + 50
    heads = directions(*np.linspace(0, 90, size))

    kin = Kin(heads, KNOBS).distances(np.linspace(9, 0, size).astype(np.float32))

    assert (kin[CANDIDATES:] == kin[:CANDIDATES].min()).all()
    assert np.isfinite(kin).all()


def test_likenesses_worked_out_beforehand_are_those_worked_out_for_a_request() -> None:
    random = np.random.default_rng(0)
    heads = directions(*random.uniform(0, 90, CANDIDATES))
    few = random.normal(size=CANDIDATES).astype(np.float32)
    one_more = np.append(few, np.float32(-1e6))

    beforehand = Kin(heads, KNOBS).distances(few)
    for_the_request = Kin(np.concatenate([heads, heads[:1]]), KNOBS).distances(one_more)

    np.testing.assert_allclose(for_the_request[:-1], beforehand, atol=1e-4)
