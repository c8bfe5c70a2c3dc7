"""Why an agent was chosen or not: its evidence, gathered from what the selector weighed."""

import numpy as np

from ignis_server.agents.bundle import Evidence
from ignis_server.agents.cover import CoverKnobs
from ignis_server.agents.selector import Relevance, SelectionIndex

__all__ = ["ANSWERS", "answered_needs", "evidence_for"]

MAX_MATCHED_TERMS = 12

# From this chance on, an agent is said to answer a need: the same from which it is considered at all, so
# that whatever was chosen for a need also answers it.
ANSWERS = CoverKnobs().min_answer


def answered_needs(relevance: Relevance, place: int) -> tuple[int, ...]:
    """Return the rows of the needs that an agent answers, most strongly answered first."""
    column = relevance.answers[:, place]
    order = np.argsort(-column, kind="stable")
    return tuple(int(row) for row in order if column[row] >= ANSWERS)


def evidence_for(index: SelectionIndex, relevance: Relevance, place: int) -> Evidence:
    """Gather what speaks for one agent: its best scores, and the words it shares with what it answers."""
    rows = answered_needs(relevance, place)
    if not relevance.needs:
        return Evidence(score=0.0, lexical=0.0, semantic=0.0)
    weights: dict[str, float] = {}
    for row in rows or (int(np.argmax(relevance.answers[:, place])),):
        for word in index.matched_words(relevance.needs[row], place):
            weights[word.text] = max(word.weight, weights.get(word.text, 0.0))
    ordered = sorted(weights, key=lambda text: (-weights[text], text))
    return Evidence(
        score=float(relevance.answers[:, place].max()),
        lexical=float(relevance.lexical[:, place].max()),
        semantic=float(relevance.semantic[:, place].max()),
        matched_terms=tuple(ordered[:MAX_MATCHED_TERMS]),
        need_indexes=rows,
    )
