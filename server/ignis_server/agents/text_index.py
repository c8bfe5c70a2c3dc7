"""Lexical evidence: BM25F over an agent's name, labels, description, headings and body.

BM25F adds up the weighted term frequencies of all fields before it saturates them (Robertson, Zaragoza
and Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004), so that a word in both the
name and the body counts as one strong occurrence and not as two. As neither the weights nor the catalog
change after compilation, the score of each term in each agent is computed once; a query adds up rows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.words import terms_of

__all__ = ["Bm25fKnobs", "TextIndex"]

Scores = NDArray[np.float32]

HEADING = re.compile(r"^#{1,6}\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bm25fKnobs:
    """What BM25F can be told; the values are those of docs/decisions/0004-first-selector.md."""

    field_weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "name": 2.0,
            "labels": 1.0,
            "description": 1.0,
            "examples": 1.0,
            "headings": 0.5,
            "body": 0.3,
        }
    )
    saturation: float = 3.0
    length_normalisation: float = 0.75


class TextIndex:
    """An immutable inverted index: for each term the agents that have it, with their final scores."""

    def __init__(
        self, starts: NDArray[np.int64], places: NDArray[np.int32], scores: Scores, rows: dict[str, int], size: int
    ) -> None:
        self._starts = starts
        self._places = places
        self._scores = scores
        self._rows = rows
        self._size = size

    @property
    def size(self) -> int:
        """How many agents are indexed."""
        return self._size

    @classmethod
    def build(cls, definitions: Sequence[AgentDefinition], knobs: Bm25fKnobs | None = None) -> "TextIndex":
        """Index agents; places in results are places in `definitions`."""
        knobs = knobs or Bm25fKnobs()
        postings = _weighted_postings(definitions, knobs)
        terms = sorted(postings)
        starts = np.zeros(len(terms) + 1, np.int64)
        starts[1:] = np.cumsum([len(postings[term]) for term in terms])
        places = np.empty(starts[-1], np.int32)
        scores = np.empty(starts[-1], np.float32)
        for row, term in enumerate(terms):
            posting = postings[term]
            span = slice(starts[row], starts[row + 1])
            frequencies = np.fromiter(posting.values(), np.float64, len(posting))
            places[span] = np.fromiter(posting.keys(), np.int32, len(posting))
            scores[span] = _rarity(len(posting), len(definitions)) * (
                frequencies * (knobs.saturation + 1) / (frequencies + knobs.saturation)
            )
        return cls(starts, places, scores, {term: row for row, term in enumerate(terms)}, len(definitions))

    def scores(self, terms: Iterable[str]) -> Scores:
        """Return the score of every agent for a bag of terms; a repeated term counts once."""
        rows = sorted({self._rows[term] for term in terms if term in self._rows})
        if not rows:
            return np.zeros(self._size, np.float32)
        spans = [slice(self._starts[row], self._starts[row + 1]) for row in rows]
        places = np.concatenate([self._places[span] for span in spans])
        scores = np.concatenate([self._scores[span] for span in spans])
        return np.bincount(places, weights=scores, minlength=self._size).astype(np.float32)

    def term_scores(self, terms: Iterable[str], place: int) -> dict[str, float]:
        """Return what each of the terms adds to the score of one agent; absent terms are left out."""
        found: dict[str, float] = {}
        for term in terms:
            row = self._rows.get(term)
            if row is None:
                continue
            span = slice(self._starts[row], self._starts[row + 1])
            position = int(np.searchsorted(self._places[span], place))
            if position < span.stop - span.start and self._places[span][position] == place:
                found[term] = float(self._scores[span][position])
        return found

    def rarity(self, term: str) -> float:
        """Return the inverse document frequency of a term, or that of a word never seen."""
        row = self._rows.get(term)
        count = 0 if row is None else int(self._starts[row + 1] - self._starts[row])
        return _rarity(count, self._size)


def fields_of(definition: AgentDefinition) -> dict[str, str]:
    """Return the text of each field that is indexed."""
    return {
        "name": f"{definition.name} {definition.title}",
        "labels": " ".join((definition.category, *definition.tags)),
        "description": definition.description,
        "examples": "\n".join(definition.examples),
        "headings": "\n".join(HEADING.findall(definition.body)),
        "body": definition.body,
    }


def _weighted_postings(definitions: Sequence[AgentDefinition], knobs: Bm25fKnobs) -> dict[str, dict[int, float]]:
    """Return for each term the weighted, length-normalised frequency in each agent that has it."""
    counts = [
        {name: Counter(terms_of(text)) for name, text in fields_of(definition).items()} for definition in definitions
    ]
    postings: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for name, weight in knobs.field_weights.items():
        lengths = np.array([fields[name].total() for fields in counts], np.float64)
        mean = lengths[lengths > 0].mean() if lengths.any() else 1.0
        norms = 1 - knobs.length_normalisation + knobs.length_normalisation * lengths / mean
        for place, fields in enumerate(counts):
            scale = weight / norms[place]
            for term, count in fields[name].items():
                posting = postings[term]
                posting[place] = posting.get(place, 0.0) + scale * count
    # Fields are visited one after the other, so places must be put in order again for bisection.
    return {term: dict(sorted(posting.items())) for term, posting in postings.items()}


def _rarity(count: int, size: int) -> float:
    """Return Robertson and Sparck Jones' inverse document frequency, kept above zero as Lucene does."""
    return float(np.log1p((size - count + 0.5) / (count + 0.5)))
