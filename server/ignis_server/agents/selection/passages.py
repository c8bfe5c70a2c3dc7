"""Semantic evidence: an agent is as near to a text as its description and its best passage are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.analysis import Analysis
from ignis_server.agents.selection.embedding import Embedder, Subwords, Vectors, pack_vectors, unpack_vectors
from ignis_server.agents.selection.knobs import SelectionKnobs

__all__ = ["PassageIndex"]


class PassageIndex:
    """Immutable vectors of agents: one for name and description, several for the body and examples.

    A subword weighs by its rarity in this catalog: where every agent is an "expert", the word says nothing.
    """

    def __init__(
        self,
        embedder: Embedder,
        weights: NDArray[np.float32],
        heads: Vectors,
        passages: Vectors,
        starts: NDArray[np.int64],
    ) -> None:
        self._embedder = embedder
        self._weights = weights
        self._heads = heads
        self._passages = passages
        self._starts = starts

    @classmethod
    def build(
        cls, analyses: Sequence[Analysis], embedder: Embedder, knobs: SelectionKnobs, packed: bytes | None = None
    ) -> "PassageIndex":
        """Embed agents; places in results are places in `analyses`.

        Args:
            analyses: The agents.
            embedder: Gives vectors.
            knobs: How much rarity counts.
            packed: What `packed` of an index of the same agents gave, which spares most of the time.
        """
        starts = np.zeros(len(analyses) + 1, np.int64)
        starts[1:] = np.cumsum([len(each.passages) for each in analyses])
        heads = Subwords.joined([each.head for each in analyses])
        bodies = Subwords.joined([each.passages for each in analyses])
        counts = _agents_with(embedder.vocabulary_size, analyses)
        rarities = np.log1p((len(analyses) + 0.5) / (counts + 0.5)) ** knobs.rarity_exponent
        weights = rarities.astype(np.float32)
        vectors = _unpacked(packed, len(heads) + len(bodies), embedder.dimensions)
        if vectors is None:
            vectors = np.concatenate((embedder.embed(heads, weights), embedder.embed(bodies, weights)))
        return cls(embedder, weights, vectors[: len(heads)], vectors[len(heads) :], starts)

    def packed(self) -> bytes:
        """Return all vectors as bytes."""
        return pack_vectors(self._heads) + pack_vectors(self._passages)

    @property
    def heads(self) -> Vectors:
        """The vectors of the agents' names and descriptions."""
        return self._heads

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts as this catalog weighs their words."""
        return self._embedder.embed(self._embedder.subwords(texts), self._weights)

    def head_similarities(self, texts: Vectors) -> Vectors:
        """Return the cosine of each text (row) with each agent's name and description (column)."""
        return texts @ self._heads.T

    def passage_similarities(self, texts: Vectors, places: NDArray[np.int64]) -> Vectors:
        """Return the cosine of each text (row) with the best passage of each of some agents, -1 for none."""
        best = np.full((len(places), len(texts)), -1.0, np.float32)
        lengths = self._starts[places + 1] - self._starts[places]
        filled = lengths > 0
        if filled.any():
            lengths = lengths[filled]
            starts = np.cumsum(lengths) - lengths
            rows = np.arange(lengths.sum()) + np.repeat(self._starts[places][filled] - starts, lengths)
            best[filled] = np.maximum.reduceat(self._passages[rows] @ texts.T, starts, axis=0)
        return best.T


def _unpacked(packed: bytes | None, rows: int, dimensions: int) -> Vectors | None:
    if packed is None:
        return None
    try:
        vectors = unpack_vectors(packed, dimensions)
    except ValueError:
        return None
    return vectors if len(vectors) == rows else None


def _agents_with(vocabulary_size: int, analyses: Sequence[Analysis]) -> NDArray[np.int64]:
    """Return for each subword how many agents have it, in their head or in any passage."""
    counts = np.zeros(vocabulary_size, np.int64)
    for each in analyses:
        counts[np.concatenate((each.head.ids, each.passages.ids))] += 1  # What occurs twice counts once here.
    return counts
