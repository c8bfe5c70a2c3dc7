"""Lexical evidence: BM25F over an agent's name, labels, description, headings and body.

BM25F adds up the weighted term frequencies of all fields before it saturates them (Robertson, Zaragoza
and Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004), so that a word in both the
name and the body counts as one strong occurrence and not as two. As neither the weights nor the catalog
change after compilation, the score of each term in each agent is computed once; a query adds up rows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Postings, Scores
from ignis_server.agents.selection.words import terms_of

__all__ = ["TextIndex", "fields_of"]

HEADING = re.compile(r"^#{1,6}\s+(.*)$", re.MULTILINE)


class TextIndex:
    """An immutable inverted index of an agent's words.

    Scores are counted in units of the best that a word of only one agent could add, so that they mean the
    same in catalogs of every size.
    """

    def __init__(
        self, postings: Postings, rows: Mapping[str, int], rarities: NDArray[np.float64], knobs: SelectionKnobs
    ) -> None:
        self._postings = postings
        self._rows = rows
        self._rarities = rarities
        self._most_occurrences = knobs.saturation + 1

    @classmethod
    def build(cls, definitions: Sequence[AgentDefinition], knobs: SelectionKnobs) -> "TextIndex":
        """Index agents; places in results are places in `definitions`."""
        frequencies = _weighted_frequencies(definitions, knobs)
        rows = {term: row for row, term in enumerate(sorted(frequencies))}
        counts = np.array([len(frequencies[term]) for term in rows], np.int64)
        places = np.array([place for term in rows for place in frequencies[term]], np.int64)
        weighted = np.array([value for term in rows for value in frequencies[term].values()], np.float64)
        saturated = weighted * (knobs.saturation + 1) / (weighted + knobs.saturation)
        rarities = _rarity(counts, len(definitions)) / _rarity(np.ones(1), len(definitions))
        return cls(
            Postings.of(
                np.repeat(np.arange(len(counts)), counts),
                places,
                saturated * np.repeat(rarities, counts),
                size=len(definitions),
            ),
            rows,
            rarities,
            knobs,
        )

    @property
    def size(self) -> int:
        """How many agents are indexed."""
        return self._postings.size

    def scores(self, texts: Sequence[str]) -> Scores:
        """Return the score of every agent (column) for every text (row); a repeated word counts once."""
        queries = [np.array(sorted(self._rows_of(terms_of(text))), np.int64) for text in texts]
        return self._postings.scores([(rows, np.ones(len(rows))) for rows in queries])

    def ceiling(self, text: str) -> float:
        """Return what an agent would score that had every word of a text as often as could be; at least 1."""
        terms = set(terms_of(text))
        known = sorted(self._rows[term] for term in terms if term in self._rows)
        unknown = len(terms) - len(known)
        return self._most_occurrences * max(1.0, float(self._rarities[known].sum()) + unknown)

    def best_term_score(self, terms: Iterable[str], place: int) -> float:
        """Return the most that one of some terms adds to the score of an agent; 0 where it has none."""
        return max((self._postings.weight(row, place) for row in self._rows_of(terms)), default=0.0)

    def _rows_of(self, terms: Iterable[str]) -> set[int]:
        return {self._rows[term] for term in terms if term in self._rows}


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


def _weighted_frequencies(definitions: Sequence[AgentDefinition], knobs: SelectionKnobs) -> dict[str, dict[int, float]]:
    """Return for each term the weighted, length-normalised frequency in each agent that has it."""
    counts = [
        {name: Counter(terms_of(text)) for name, text in fields_of(definition).items()} for definition in definitions
    ]
    frequencies: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for name, weight in knobs.field_weights.items():
        lengths = np.array([fields[name].total() for fields in counts], np.float64)
        mean = lengths[lengths > 0].mean() if lengths.any() else 1.0
        norms = 1 - knobs.length_normalisation + knobs.length_normalisation * lengths / mean
        for place, fields in enumerate(counts):
            scale = weight / norms[place]
            for term, count in fields[name].items():
                found = frequencies[term]
                found[place] = found.get(place, 0.0) + scale * count
    return frequencies


def _rarity(counts: NDArray[np.number], size: int) -> NDArray[np.float64]:
    """Return Robertson and Sparck Jones' inverse document frequency, kept above zero as Lucene does."""
    rarities: NDArray[np.float64] = np.log1p((size - counts + 0.5) / (counts + 0.5))
    return rarities
