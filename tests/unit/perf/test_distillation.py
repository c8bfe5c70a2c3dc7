"""Distillation: the gradient is that of the divergence, and what is taught is learnt."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ignis_server.agents.selection.embedding import StaticEmbedder
from perf.selection.distillation import Lesson, divergence_gradient, taught

Floats = NDArray[np.floating]
TEMPERATURE = 0.5


def units(rows: Floats) -> Floats:
    lengths: Floats = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def divergence(shares: Floats, table: Floats, vectors: Floats) -> float:
    """Return the mean Kullback-Leibler divergence, worked out text by text."""
    pooled = units(shares @ table)
    total = 0.0
    for text in range(len(shares)):
        others = [other for other in range(len(shares)) if other != text]
        mine = np.exp([pooled[text] @ pooled[other] / TEMPERATURE for other in others])
        wanted = np.exp([vectors[text] @ vectors[other] / TEMPERATURE for other in others])
        mine, wanted = mine / mine.sum(), wanted / wanted.sum()
        total += float((wanted * np.log(wanted / mine)).sum())
    return total / len(shares)


def test_the_gradient_is_that_of_the_divergence() -> None:
    random = np.random.default_rng(1)
    shares = random.random((5, 4))
    shares[:, 2] = 0
    table, vectors = random.normal(size=(4, 3)), units(random.normal(size=(5, 6)))

    touched, gradient = divergence_gradient(csr_matrix(shares), table, vectors, TEMPERATURE)

    assert touched.tolist() == [0, 1, 3]
    for number, row in enumerate(touched):
        for column in range(3):
            step = np.zeros_like(table)
            step[row, column] = 1e-5
            slope = (divergence(shares, table + step, vectors) - divergence(shares, table - step, vectors)) / 2e-5
            assert gradient[number, column] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_texts_become_alike_that_a_larger_encoder_finds_alike(embedder: StaticEmbedder) -> None:
    texts = ["cobbler", "shoe repair", "bakery", "sourdough bread"] * 4
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1] * 4]

    table = taught(embedder, texts, vectors, Lesson(epochs=60, batch=16))

    def gap(taught_table: Floats) -> float:
        cosines = StaticEmbedder(taught_table, embedder.tokenizer, name="taught")
        subwords = cosines.subwords(texts[:4])
        rows = cosines.embed(subwords, np.ones(cosines.vocabulary_size, np.float32))
        return float(rows[0] @ rows[1] + rows[2] @ rows[3] - rows[0] @ rows[2] - rows[1] @ rows[3])

    assert gap(table) > gap(embedder.table) + 0.1
    np.testing.assert_array_equal(table, taught(embedder, texts, vectors, Lesson(epochs=60, batch=16)))
