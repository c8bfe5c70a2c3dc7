"""Semantic evidence: an agent is as near to a need as its description and its best passage are."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.embedding import Embedder, Vectors
from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.sections import lines_of

__all__ = ["PassageIndex", "passages_of"]

# With 32 vectors of 1 KiB an agent costs 32 KiB at most; longer bodies get longer passages.
MAX_PASSAGES = 32
MIN_WORDS = 3

# Collections copy agents from pack to pack and change a word or two. In four public catalogs of 1,185 agents, the
# most alike pair with different bodies has a cosine of 0.936; of the copies, all but a few lie above 0.94.
ALIKE = 0.94

MARKUP = re.compile(r"^[\s>#*+-]+|^\s*\d+[.)]\s+|[*_`]{1,3}|\|")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


class PassageIndex:
    """Immutable vectors of agents: one for the description, several for the body and examples."""

    def __init__(self, descriptions: Vectors, passages: Vectors, starts: NDArray[np.int64]) -> None:
        self._descriptions = descriptions
        self._passages = passages
        self._starts = starts

    @classmethod
    def build(cls, definitions: Sequence[AgentDefinition], embedder: Embedder) -> "PassageIndex":
        """Embed agents; places in results are places in `definitions`."""
        passages = [passages_of(definition) for definition in definitions]
        starts = np.zeros(len(definitions) + 1, np.int64)
        starts[1:] = np.cumsum([len(each) for each in passages])
        heads = [f"{each.name} {each.title}. {each.description}" for each in definitions]
        return cls(
            embedder.embed(heads),
            embedder.embed([text for each in passages for text in each]),
            starts,
        )

    def head_similarities(self, needs: Vectors) -> Vectors:
        """Return the cosine of each need (row) with each agent's name and description (column)."""
        return needs @ self._descriptions.T

    def alike(self, place: int) -> NDArray[np.bool_]:
        """Return which agents say of themselves what one agent says; itself among them."""
        return np.asarray(self._descriptions @ self._descriptions[place] >= ALIKE)

    def passage_similarities(self, need: Vectors, places: NDArray[np.int64]) -> Vectors:
        """Return the cosine of one need with the best passage of each of some agents, -1 for none."""
        starts, lengths = self._starts[places], self._starts[places + 1] - self._starts[places]
        best = np.full(len(places), -1.0, np.float32)
        filled = lengths > 0
        if not filled.any():
            return best
        starts, lengths = starts[filled], lengths[filled]
        bounds = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        rows = np.arange(lengths.sum()) + np.repeat(starts - bounds, lengths)
        best[filled] = np.maximum.reduceat(self._passages[rows] @ need, bounds)
        return best


def passages_of(definition: AgentDefinition) -> list[str]:
    """Return an agent's sentences and list items, joined evenly where there are more than 32."""
    prose = (line for line, is_code in lines_of(definition.body) if not is_code)
    lines = (" ".join(MARKUP.sub(" ", line).split()) for line in (*definition.examples, *prose))
    sentences = [
        sentence for line in lines for sentence in SENTENCE_END.split(line) if len(sentence.split()) >= MIN_WORDS
    ]
    size = -(-len(sentences) // MAX_PASSAGES)
    if size <= 1:
        return sentences
    return [" ".join(sentences[start : start + size]) for start in range(0, len(sentences), size)]
