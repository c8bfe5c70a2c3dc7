"""Why an agent was chosen or not: its evidence, gathered from what the selector weighed."""

from collections.abc import Sequence

import numpy as np

from ignis_server.agents.bundle import Evidence
from ignis_server.agents.selection.cover import CoverKnobs
from ignis_server.agents.selection.selector import Relevance, SelectionIndex
from ignis_server.agents.selection.words import Word, words_of

__all__ = ["ANSWERS", "Explainer"]

MAX_MATCHED_TERMS = 12

# Of a need of more words than any clause has (the tail of a very long brief), the first so many are looked at.
MAX_WORDS = 256

# From this chance on, an agent is said to answer a need: the same from which it is considered at all, so
# that whatever was chosen for a need also answers it.
ANSWERS = CoverKnobs().min_answer


class Explainer:
    """Explains the agents of one answer; what a need says is worked out once for all of them."""

    def __init__(self, index: SelectionIndex, relevance: Relevance) -> None:
        self._index = index
        self._relevance = relevance
        self._words: dict[int, tuple[Word, ...]] = {}

    def evidence_for(self, place: int) -> Evidence:
        """Gather what speaks for one agent: its best scores, and the words it shares with what it answers.

        Of a pinned version it is what speaks for its successor, of an agent that the catalog no longer holds nothing.
        """
        relevance = self._relevance
        is_guest = place >= len(self._index.kinds)
        if not relevance.needs or is_guest:
            return Evidence(score=0.0, lexical=0.0, semantic=0.0, spelling=0.0)
        column = relevance.answers[:, place]
        order = [int(row) for row in np.argsort(-column, kind="stable")]
        rows = tuple(row for row in order if column[row] >= ANSWERS)
        return Evidence(
            score=float(column.max()),
            lexical=float(relevance.lexical[:, place].max()),
            semantic=float(relevance.semantic[:, place].max()),
            spelling=float(relevance.spelling[:, place].max()),
            matched_terms=self._matched_terms(rows or (order[0],), place),
            need_indexes=rows,
        )

    def _matched_terms(self, rows: Sequence[int], place: int) -> tuple[str, ...]:
        weights: dict[str, float] = {}
        for row in rows:
            for word in self._index.matched_words(self._words_of(row), place):
                weights[word.text] = max(word.weight, weights.get(word.text, 0.0))
        ordered = sorted(weights, key=lambda text: (-weights[text], text))
        return tuple(ordered[:MAX_MATCHED_TERMS])

    def _words_of(self, row: int) -> tuple[Word, ...]:
        words = self._words.get(row)
        if words is None:
            unique = {word.text: word for word in words_of(self._relevance.needs[row].text)}
            words = self._words[row] = tuple(unique.values())[:MAX_WORDS]
        return words
