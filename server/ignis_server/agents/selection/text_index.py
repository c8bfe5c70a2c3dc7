"""Lexical evidence: BM25F over an agent's name, labels, description, headings and body.

BM25F adds up the weighted term frequencies of all fields before it saturates them (Robertson, Zaragoza
and Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004), so that a word in both the
name and the body counts as one strong occurrence and not as two. As neither the weights nor the catalog
change after compilation, the score of each term in each agent is computed once; a query adds up rows.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.analysis import Analysis
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Postings, Scores
from ignis_server.agents.selection.words import hash_of_term, terms_of

__all__ = ["TextIndex"]


class TextIndex:
    """An immutable inverted index of an agent's words.

    Scores are counted in units of the best that a word of only one agent could add, so that they mean the
    same in catalogs of every size.
    """

    def __init__(
        self, postings: Postings, rows: Mapping[int, int], rarities: NDArray[np.float64], knobs: SelectionKnobs
    ) -> None:
        self._postings = postings
        self._rows = rows
        self._rarities = rarities
        self._most_occurrences = knobs.saturation + 1

    @classmethod
    def build(cls, analyses: Sequence[Analysis], knobs: SelectionKnobs) -> "TextIndex":
        """Index agents; places in results are places in `analyses`."""
        terms, rows, places, weighted = _weighted(analyses, knobs)
        saturated = weighted * (knobs.saturation + 1) / (weighted + knobs.saturation)
        counts = np.bincount(rows, minlength=len(terms))
        rarities = _rarity(counts, len(analyses)) / _rarity(np.ones(1), len(analyses))
        postings = Postings.of(rows, places, saturated * rarities[rows], size=len(analyses))
        return cls(postings, {term: row for row, term in enumerate(terms.tolist())}, rarities, knobs)

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
        known = sorted(self._rows_of(terms))
        unknown = len(terms) - len(known)
        return self._most_occurrences * max(1.0, float(self._rarities[known].sum()) + unknown)

    def best_term_score(self, terms: Iterable[str], place: int) -> float:
        """Return the most that one of some terms adds to the score of an agent; 0 where it has none."""
        return max((self._postings.weight(row, place) for row in self._rows_of(terms)), default=0.0)

    def _rows_of(self, terms: Iterable[str]) -> set[int]:
        found = (self._rows.get(hash_of_term(term)) for term in terms)
        return {row for row in found if row is not None}


def _weighted(
    analyses: Sequence[Analysis], knobs: SelectionKnobs
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the hashes of all terms, in order, and for each pair of term and agent its row, place and frequency.

    The frequency is the sum over the fields, each weighted and normalised by its length.
    """
    size = max(len(analyses), 1)
    hashes, places, frequencies = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for name, weight in knobs.field_weights.items():
        having = [(place, found) for place, each in enumerate(analyses) if (found := each.terms.get(name))]
        if not having:
            continue
        of_field = np.repeat([place for place, _ in having], [len(found.hashes) for _, found in having])
        counts = np.concatenate([found.counts for _, found in having]).astype(np.float64)
        lengths = np.bincount(of_field, weights=counts, minlength=size)
        norms = 1 - knobs.length_normalisation + knobs.length_normalisation * lengths / lengths[lengths > 0].mean()
        hashes += [found.hashes for _, found in having]
        places.append(of_field)
        frequencies.append(weight * counts / norms[of_field])
    terms, rows = np.unique(np.concatenate(hashes), return_inverse=True)
    pairs, entries = np.unique(rows * size + np.concatenate(places), return_inverse=True)
    summed = np.bincount(entries, weights=np.concatenate(frequencies), minlength=len(pairs)).astype(np.float64)
    return terms, pairs // size, pairs % size, summed


def _rarity(counts: NDArray[np.number], size: int) -> NDArray[np.float64]:
    """Return Robertson and Sparck Jones' inverse document frequency, kept above zero as Lucene does."""
    rarities: NDArray[np.float64] = np.log1p((size - counts + 0.5) / (counts + 0.5))
    return rarities
