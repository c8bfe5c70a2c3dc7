"""Lexical evidence: BM25F over an agent's name, labels, description, headings and body.

BM25F adds up the weighted term frequencies of all fields before it saturates them (Robertson, Zaragoza
and Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004), so that a word in both the
name and the body counts as one strong occurrence and not as two. As neither the weights nor the catalog
change after compilation, the score of each term in each agent is computed once; a query adds up rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.postings import Postings, Scores
from ignis_server.agents.selection.words import terms_of, terms_of_word, word_counts

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
        found = _Occurrences.of(definitions)
        rows, places, weighted = found.weighted(knobs)
        saturated = weighted * (knobs.saturation + 1) / (weighted + knobs.saturation)
        counts = np.bincount(rows, minlength=len(found.rows))
        rarities = _rarity(counts, len(definitions)) / _rarity(np.ones(1), len(definitions))
        return cls(
            Postings.of(rows, places, saturated * rarities[rows], size=len(definitions)), found.rows, rarities, knobs
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


@dataclass(frozen=True, slots=True)
class _Occurrences:
    """Every term of every field of every agent.

    Attributes:
        rows: A number for each term.
        size: How many agents there are.
        fields: For each field, in parallel: the row of a term, the place of an agent, and how often the one
            occurs in the other.
    """

    rows: Mapping[str, int]
    size: int
    fields: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]

    @classmethod
    def of(cls, definitions: Sequence[AgentDefinition]) -> Self:
        rows: dict[str, int] = {}
        rows_of_word: dict[str, tuple[int, ...]] = {}
        entries: defaultdict[str, tuple[list[int], list[int], list[int]]] = defaultdict(lambda: ([], [], []))
        for place, definition in enumerate(definitions):
            for name, text in fields_of(definition).items():
                field_rows, field_places, field_counts = entries[name]
                for word, count in word_counts(text).items():
                    found = rows_of_word.get(word)
                    if found is None:
                        found = tuple(rows.setdefault(term, len(rows)) for term in terms_of_word(word))
                        rows_of_word[word] = found
                    for row in found:
                        field_rows.append(row)
                        field_counts.append(count)
                field_places += [place] * (len(field_rows) - len(field_places))
        arrays = {
            name: (np.array(rows_, np.int64), np.array(places, np.int64), np.array(counts, np.float64))
            for name, (rows_, places, counts) in entries.items()
        }
        return cls(rows, len(definitions), arrays)

    def weighted(self, knobs: SelectionKnobs) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows and places of all pairs of term and agent, and the frequency of each.

        It is the sum over the fields, each weighted and normalised by its length.
        """
        cells, frequencies = [np.zeros(0, np.int64)], [np.zeros(0)]
        for name, (rows, places, counts) in self.fields.items():
            lengths = np.bincount(places, weights=counts, minlength=self.size)
            mean = lengths[lengths > 0].mean() if lengths.any() else 1.0
            norms = 1 - knobs.length_normalisation + knobs.length_normalisation * lengths / mean
            cells.append(rows * self.size + places)
            frequencies.append(knobs.field_weights[name] * counts / norms[places])
        pairs, entries = np.unique(np.concatenate(cells), return_inverse=True)
        summed = np.bincount(entries, weights=np.concatenate(frequencies), minlength=len(pairs))
        return pairs // max(self.size, 1), pairs % max(self.size, 1), summed.astype(np.float64)


def _rarity(counts: NDArray[np.number], size: int) -> NDArray[np.float64]:
    """Return Robertson and Sparck Jones' inverse document frequency, kept above zero as Lucene does."""
    rarities: NDArray[np.float64] = np.log1p((size - counts + 0.5) / (counts + 0.5))
    return rarities
