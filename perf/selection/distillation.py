"""Teaches the static table to see texts as alike as a larger encoder does, and writes the differences that ship.

    python -m perf.selection.distillation --texts texts.txt --vectors vectors.npy [--out FILE]

`texts.txt` has a text in each line, `vectors.npy` the larger encoder's vector for each, for instance:

    encoder = SentenceTransformer("sentence-transformers/all-mpnet-base-v2")
    np.save("vectors.npy", encoder.encode(open("texts.txt").read().splitlines(), normalize_embeddings=True))

What is taught is not the vectors, of which the table has fewer dimensions, but who is like whom: in each batch the
cosines of a text with all others, as a softmax, are to be those of the larger encoder (relational distillation; Park et
al., "Relational knowledge distillation", 2019; Tung and Mori, "Similarity-preserving knowledge distillation", 2019).
Rows whose subwords stand in no text stay as they were. Equal inputs give equal tables on one machine.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ignis_server.agents.selection.distilled import DISTILLED, Distilled
from ignis_server.agents.selection.embedding import StaticEmbedder, load_wordllama

__all__ = ["Lesson", "divergence_gradient", "main", "taught"]

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Lesson:
    """How it is taught; docs/decisions/0007-distilled-meaning.md has what else was tried.

    Attributes:
        epochs: How often each text is seen.
        batch: With how many others a text is compared.
        rate: The greatest step of Adam, in units of the table; reached after a tenth of the way, then falling as a cosine.
        temperature: By what cosines are divided before the softmax.
    """

    epochs: int = 8
    batch: int = 1_024
    rate: float = 0.01
    temperature: float = 0.15


class _Adam:
    """Adam (Kingma and Ba, 2015), which leaves rows alone that a batch does not touch."""

    def __init__(self, table: Floats) -> None:
        self._mean = np.zeros_like(table)
        self._square = np.zeros_like(table)
        self._count = 0

    def step(self, table: Floats, rows: NDArray[np.int64], gradient: Floats, rate: float) -> None:
        self._count += 1
        self._mean[rows] += 0.1 * (gradient - self._mean[rows])
        self._square[rows] += 0.001 * (np.square(gradient) - self._square[rows])
        mean = self._mean[rows] / (1 - 0.9**self._count)
        square = self._square[rows] / (1 - 0.999**self._count)
        table[rows] -= rate * mean / (np.sqrt(square) + 1e-8)


def taught(embedder: StaticEmbedder, texts: list[str], vectors: Floats, lesson: Lesson | None = None) -> Floats:
    """Return the embedder's table, taught by the vectors of a larger encoder; each has length 1."""
    lesson = lesson or Lesson()
    shares = _shares(embedder, texts)
    table = embedder.table.copy()
    adam = _Adam(table)
    for rows, rate in _batches(np.flatnonzero(np.diff(shares.indptr)), lesson):
        batch = shares[rows]
        touched, gradient = divergence_gradient(batch, table, vectors[rows], lesson.temperature)
        adam.step(table, touched, gradient, rate)
    return table


def _shares(embedder: StaticEmbedder, texts: list[str]) -> csr_matrix:
    """Return what share each subword (column) has of each text (row)."""
    subwords = embedder.subwords(texts)
    lengths = np.diff(subwords.starts)
    shares = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    return csr_matrix((shares, subwords.ids, subwords.starts), shape=(len(texts), embedder.vocabulary_size))


def _batches(texts: NDArray[np.int64], lesson: Lesson) -> Iterator[tuple[NDArray[np.int64], float]]:
    """Yield the texts of each step and its rate, with the progress on standard error."""
    order = np.random.default_rng(0)
    starts = range(0, len(texts) - lesson.batch + 1, lesson.batch)
    steps = lesson.epochs * len(starts)
    for epoch in range(lesson.epochs):
        shuffled = order.permutation(texts)
        print(f"epoch {epoch + 1} of {lesson.epochs}", file=sys.stderr)
        for number, start in enumerate(starts, 1 + epoch * len(starts)):
            yield np.sort(shuffled[start : start + lesson.batch]), lesson.rate * _warmth(number / steps)


def _warmth(share: float, warm_up: float = 0.1) -> float:
    if share < warm_up:
        return share / warm_up
    return float(1 + np.cos(np.pi * (share - warm_up) / (1 - warm_up))) / 2


def divergence_gradient(
    shares: csr_matrix, table: Floats, vectors: Floats, temperature: float
) -> tuple[NDArray[np.int64], Floats]:
    """Return the rows that a batch touches, and the gradient of the mean Kullback-Leibler divergence for them."""
    pooled = shares @ table
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True) + 1e-9
    units = pooled / lengths
    errors = _alike(units, temperature) - _alike(vectors, temperature)
    errors /= len(vectors) * temperature
    of_units = (errors + errors.T) @ units
    of_pooled = (of_units - units * (of_units * units).sum(axis=1, keepdims=True)) / lengths
    by_subword = shares.T.tocsr()
    touched = np.flatnonzero(np.diff(by_subword.indptr))
    return touched, by_subword[touched] @ of_pooled


def _alike(units: Floats, temperature: float) -> Floats:
    """Return for each text the softmax of its cosines with all others."""
    cosines = units @ units.T / temperature
    np.fill_diagonal(cosines, -np.inf)
    shares = np.exp(cosines - cosines.max(axis=1, keepdims=True))
    likeness: Floats = shares / shares.sum(axis=1, keepdims=True)
    return likeness


def main() -> None:
    """Teach, and write the differences."""
    parser = argparse.ArgumentParser(
        prog="python -m perf.selection.distillation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--texts", type=Path, required=True, metavar="FILE", help="a text in each line")
    parser.add_argument("--vectors", type=Path, required=True, metavar="FILE", help="a vector for each, by numpy.save")
    parser.add_argument("--out", type=Path, default=DISTILLED, metavar="FILE", help="default: the file that ships")
    options = parser.parse_args()
    texts = options.texts.read_text(encoding="utf-8").splitlines()
    vectors = np.load(options.vectors).astype(np.float32)
    if len(texts) != len(vectors):
        parser.error(f"{len(texts):,} texts and {len(vectors):,} vectors: there has to be one for each")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embedder = load_wordllama()
    distilled = Distilled.between(embedder.table, taught(embedder, texts, vectors))
    distilled.write(options.out)
    print(f"{len(distilled.rows):,} rows of {embedder.vocabulary_size:,} in {options.out}")


if __name__ == "__main__":
    main()
