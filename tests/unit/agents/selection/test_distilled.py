"""What a table was taught: the differences that ship, and how they are added."""

from pathlib import Path

import numpy as np
import pytest

from ignis_server.agents.selection.distilled import STEP, Distilled
from ignis_server.agents.selection.embedding import StaticEmbedder, load_wordllama

TABLE = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


def taught_table() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    taught = TABLE.copy()
    taught[[3, 40]] += np.linspace(-2, 2, 8, dtype=np.float32)
    return taught


def test_differences_bring_a_table_to_what_it_was_taught(tmp_path: Path) -> None:
    Distilled.between(TABLE, taught_table()).write(tmp_path / "distilled.npz")

    distilled = Distilled.read(tmp_path / "distilled.npz")

    assert distilled.rows.tolist() == [3, 40]
    np.testing.assert_allclose(distilled.added_to(TABLE), taught_table(), atol=STEP / 2 + 1e-6)


def test_the_table_itself_stays_as_it_was() -> None:
    before = TABLE.copy()

    Distilled.between(TABLE, taught_table()).added_to(TABLE)

    np.testing.assert_array_equal(TABLE, before)


def test_a_difference_beyond_the_bound_is_cut_off_and_not_wrapped() -> None:
    far = TABLE.copy()
    far[0] += 100

    moved = Distilled.between(TABLE, far).added_to(TABLE) - TABLE

    np.testing.assert_allclose(moved[0], 127 * STEP, rtol=1e-5)


def test_another_table_is_refused_with_the_remedy() -> None:
    distilled = Distilled.between(TABLE, taught_table())

    with pytest.raises(ValueError, match=r"checksum .* install the version of wordllama that pyproject\.toml names"):
        distilled.added_to(taught_table())


def test_what_ships_belongs_to_the_table_that_is_installed(embedder: StaticEmbedder) -> None:
    plain = load_wordllama()

    differing = (embedder.table != plain.table).any(axis=1)

    assert 10_000 < differing.sum() < len(plain.table)
    assert embedder.name == f"distilled-1+{plain.name}"
