"""Spelling as evidence: patterns of characters, which words written together or in another form still share.

"getWeatherForecast" and "weather forecasts", "k8s" and "k8s-operator", a misspelt name: stems miss them, short
stretches of characters do not (McNamee and Mayfield, "Character N-Gram Tokenization for European Language Text
Retrieval", Information Retrieval 7, 2004). The score is the cosine of TF-IDF vectors of such stretches, of the
name and description only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.analysis import Analysis
from ignis_server.agents.selection.grams import grams_of
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Postings, Scores

__all__ = ["SpellingIndex"]

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
    def build(cls, analyses: Sequence[Analysis], knobs: SelectionKnobs) -> "SpellingIndex":
        """Index agents; places in results are places in `analyses`."""
        size = len(analyses)
        places = np.repeat(np.arange(size), [len(each.grams.hashes) for each in analyses])
        grams, rows = np.unique(
            np.concatenate([np.zeros(0, np.uint64), *(each.grams.hashes for each in analyses)]), return_inverse=True
        )
        counts = np.concatenate([np.zeros(0, np.uint32), *(each.grams.counts for each in analyses)])
        rarities = np.log((1 + size) / (1 + np.bincount(rows, minlength=len(grams)))) + 1
        weights = (1 + np.log(counts.astype(np.float64))) * rarities[rows]
        lengths = np.sqrt(np.bincount(places, weights=np.square(weights), minlength=size))
        return cls(Postings.of(rows, places, weights / lengths[places], size=size), grams, rarities, knobs)

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
