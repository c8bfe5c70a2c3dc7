"""What is counted of one agent, apart from the catalog it stands in.

Most of the time that a catalog takes to compile goes into this: splitting words, stemming, taking passages apart into
subwords. None of it depends on any other agent, so it can be kept under a digest of the agent's file and used again; what
does depend on the others (how rare a word is) is worked out from it in a fraction of the time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.embedding import Embedder, Subwords
from ignis_server.agents.selection.fields import fields_of
from ignis_server.agents.selection.grams import grams_of
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.sentences import passages_of
from ignis_server.agents.selection.words import hashed_terms, spelled_out, word_counts

__all__ = ["Analysis", "Counted", "analyse"]


@dataclass(frozen=True, slots=True)
class Counted:
    """Different things by their hashes, in order, and how often each occurs."""

    hashes: NDArray[np.uint64]
    counts: NDArray[np.uint32]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> Self:
        """Count things that stand one after another."""
        found, counts = np.unique(hashes, return_counts=True)
        return cls(found, counts.astype(np.uint32))

    @classmethod
    def of_counter(cls, counter: Mapping[int, int]) -> Self:
        """Take over counts."""
        hashes = np.fromiter(counter.keys(), np.uint64, len(counter))
        order = np.argsort(hashes)
        return cls(hashes[order], np.fromiter(counter.values(), np.uint32, len(counter))[order])


@dataclass(frozen=True, slots=True)
class Analysis:
    """One agent as selection sees it.

    Attributes:
        terms: For each field that has any, its terms.
        head: The subwords of its name, title and description, as one text.
        passages: The subwords of each passage of its body and examples.
        grams: The patterns of characters in its name and description.
    """

    terms: Mapping[str, Counted]
    head: Subwords
    passages: Subwords
    grams: Counted


def analyse(definitions: Sequence[AgentDefinition], embedder: Embedder, knobs: SelectionKnobs) -> list[Analysis]:
    """Analyse agents; many at once take less time, as the embedder takes texts apart on several threads."""
    passages = [passages_of(definition) for definition in definitions]
    heads = embedder.subwords([f"{spelled_out(each.name)} {each.title}. {each.description}" for each in definitions])
    bodies = embedder.subwords([text for each in passages for text in each])
    return [
        Analysis(terms=_terms(definition), head=head, passages=body, grams=Counted.of(_grams(definition, knobs)))
        for definition, head, body in zip(
            definitions,
            _parted(heads, [1] * len(definitions)),
            _parted(bodies, [len(each) for each in passages]),
            strict=True,
        )
    ]


def _terms(definition: AgentDefinition) -> dict[str, Counted]:
    fields = {}
    for name, text in fields_of(definition).items():
        counter: Counter[int] = Counter()
        for word, count in word_counts(text).items():
            for term in hashed_terms(word):
                counter[term] += count
        if counter:
            fields[name] = Counted.of_counter(counter)
    return fields


def _grams(definition: AgentDefinition, knobs: SelectionKnobs) -> NDArray[np.uint64]:
    return grams_of(f"{spelled_out(definition.name)} {definition.description}", knobs)


def _parted(subwords: Subwords, lengths: Sequence[int]) -> Iterator[Subwords]:
    """Give so many texts at a time."""
    first = 0
    for length in lengths:
        starts = subwords.starts[first : first + length + 1]
        yield Subwords(subwords.ids[starts[0] : starts[-1]], starts - starts[0])
        first += length
