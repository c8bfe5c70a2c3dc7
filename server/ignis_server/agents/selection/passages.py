"""Semantic evidence: an agent is as near to a text as its description and its best passage are."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.sections import lines_of
from ignis_server.agents.selection.embedding import Embedder, Subwords, Vectors
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.words import spelled_out

__all__ = ["PassageIndex", "passages_of"]

# With 32 vectors of 1 KiB an agent costs 32 KiB at most; longer bodies get longer passages.
MAX_PASSAGES = 32
MIN_WORDS = 3

LINE_START = re.compile(r"^[ \t>#*+-]+|^[ \t]*\d+[.)][ \t]+", re.MULTILINE)
MARKUP = "*_`|"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


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
    def build(cls, definitions: Sequence[AgentDefinition], embedder: Embedder, knobs: SelectionKnobs) -> "PassageIndex":
        """Embed agents; places in results are places in `definitions`."""
        passages = [passages_of(definition) for definition in definitions]
        starts = np.zeros(len(definitions) + 1, np.int64)
        starts[1:] = np.cumsum([len(each) for each in passages])
        heads = embedder.subwords(
            [f"{spelled_out(each.name)} {each.title}. {each.description}" for each in definitions]
        )
        bodies = embedder.subwords([text for each in passages for text in each])
        counts = _agents_with(embedder.vocabulary_size, heads, bodies, starts)
        rarities = np.log1p((len(definitions) + 0.5) / (counts + 0.5)) ** knobs.rarity_exponent
        weights = rarities.astype(np.float32)
        return cls(embedder, weights, embedder.embed(heads, weights), embedder.embed(bodies, weights), starts)

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


def passages_of(definition: AgentDefinition) -> list[str]:
    """Return an agent's sentences and list items, joined evenly where there are more than 32."""
    prose = "".join(line for line, is_code in lines_of(definition.body) if not is_code)
    text = LINE_START.sub("", "\n".join((*definition.examples, prose)))
    for sign in MARKUP:
        text = text.replace(sign, " ")
    sentences = [
        " ".join(words)
        for line in text.splitlines()
        for sentence in SENTENCE_END.split(line)
        if len(words := sentence.split()) >= MIN_WORDS
    ]
    size = -(-len(sentences) // MAX_PASSAGES)
    if size <= 1:
        return sentences
    return [" ".join(sentences[start : start + size]) for start in range(0, len(sentences), size)]


def _agents_with(
    vocabulary_size: int, heads: Subwords, bodies: Subwords, starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return for each subword how many agents have it, in their head or in any passage."""
    counts = np.zeros(vocabulary_size, np.int64)
    first_subwords = bodies.starts[starts]
    for place in range(len(heads)):
        of_head = heads.ids[heads.starts[place] : heads.starts[place + 1]]
        of_body = bodies.ids[first_subwords[place] : first_subwords[place + 1]]
        counts[np.concatenate((of_head, of_body))] += 1  # A subword that occurs twice counts once here.
    return counts
