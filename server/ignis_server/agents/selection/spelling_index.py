"""Spelling as evidence: patterns of characters, which words written together or in another form still share.

"getWeatherForecast" and "weather forecasts", "k8s" and "k8s-operator", a misspelt name: stems miss them, short
stretches of characters do not (McNamee and Mayfield, "Character N-Gram Tokenization for European Language Text
Retrieval", Information Retrieval 7, 2004). The score is the cosine of TF-IDF vectors of such stretches, of the
name and description only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Postings, Scores
from ignis_server.agents.selection.words import spelled_out

__all__ = ["SpellingIndex", "grams_of"]

SPACE = ord(" ")
# Knuth's multiplier for 64 bits, from "The Art of Computer Programming", vol. 2: spreads code points evenly.
MULTIPLIER = np.uint64(6_364_136_223_846_793_005)
# No query needs more; what comes after is left out.
MAX_CHARACTERS = 4_096


class SpellingIndex:
    """An immutable inverted index of the patterns in names and descriptions."""

    def __init__(
        self, postings: Postings, grams: NDArray[np.uint64], rarities: NDArray[np.float64], knobs: SelectionKnobs
    ) -> None:
        self._postings = postings
        self._grams = grams
        self._rarities = rarities
        self._knobs = knobs

    @classmethod
    def build(cls, definitions: Sequence[AgentDefinition], knobs: SelectionKnobs) -> "SpellingIndex":
        """Index agents; places in results are places in `definitions`."""
        counted = [
            np.unique(grams_of(f"{spelled_out(each.name)} {each.description}", knobs), return_counts=True)
            for each in definitions
        ]
        none = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
        places = np.repeat(np.arange(len(counted)), [len(found) for found, _ in counted])
        grams, rows = np.unique(np.concatenate([none[0], *(found for found, _ in counted)]), return_inverse=True)
        rarities = np.log((1 + len(definitions)) / (1 + np.bincount(rows, minlength=len(grams)))) + 1
        weights = (1 + np.log(np.concatenate([none[1], *(counts for _, counts in counted)]))) * rarities[rows]
        lengths = np.sqrt(np.bincount(places, weights=np.square(weights), minlength=len(counted)))
        return cls(Postings.of(rows, places, weights / lengths[places], size=len(counted)), grams, rarities, knobs)

    def scores(self, texts: Sequence[str]) -> Scores:
        """Return the cosine, 0 to 1, of each text (row) with each agent (column)."""
        return self._postings.scores([self._query(text) for text in texts])

    def _query(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        found, counts = np.unique(grams_of(text[:MAX_CHARACTERS], self._knobs), return_counts=True)
        rows = np.searchsorted(self._grams, found)
        known = rows < len(self._grams)
        known[known] = self._grams[rows[known]] == found[known]
        rows = rows[known]
        weights = (1 + np.log(counts[known])) * self._rarities[rows]
        length = float(np.linalg.norm(weights))
        return rows, weights / length if length else weights


def grams_of(text: str, knobs: SelectionKnobs) -> NDArray[np.uint64]:
    """Return the hashes of all stretches of characters within a text's words, with repetitions.

    A word has a space on each side, which a stretch may begin or end with. Equal stretches have equal
    hashes on every platform; of different ones, two in 2^64 are alike.
    """
    spaced = f" {' '.join(text.lower().split())} "
    points = np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_space = points == SPACE
    found = []
    hashes = np.zeros(len(points), np.uint64)
    is_inside = np.ones(len(points), bool)
    for length in range(1, knobs.longest_gram + 1):
        count = len(points) - length + 1
        if count <= 0:
            break
        # The hash of one more character, from that of all before it; arithmetic is modulo 2^64.
        hashes = (hashes[:count] + points[length - 1 :] + np.uint64(1)) * MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
        if length > 2:  # noqa: PLR2004 - the first and the last may be spaces
            is_inside = is_inside[:count] & ~is_space[length - 2 : length - 2 + count]
        if length >= knobs.shortest_gram:
            found.append(hashes[is_inside[:count]])
    return np.concatenate(found) if found else np.zeros(0, np.uint64)
