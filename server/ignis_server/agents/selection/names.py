"""Agents called by name: a brief that says "ask the postgres-dba" means that agent and no other."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from ignis_server.agents.catalog import Catalog

__all__ = ["NameIndex"]

PIECE = re.compile(r"[^\W_]+")

# Names do not reach over the end of a clause: "… from Python. Pro users …" calls nobody.
CLAUSE_END = re.compile(r"[!?;:,()\n]+|\.(?=\s|$)")

# A name of one word ("dev", "design") is also just a word; it calls an agent only where it is marked, and what
# stands in an address (ops@design.io) is no mark.
MARKED = re.compile(r"(?<![\w.])[@`]([^\W_]+)`?(?!\.?\w)")

# Longer names are found by requiring their agents, not in the words of a brief.
MAX_PIECES = 8


@dataclass(frozen=True, slots=True)
class NameIndex:
    """The names of a catalog's agents, split into pieces so that hyphens and spaces do not matter."""

    _places: Mapping[tuple[str, ...], tuple[int, ...]]
    _lengths: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, catalog: Catalog) -> Self:
        """Index the names of all agents."""
        places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for place, agent in enumerate(catalog.agents):
            name = _pieces(agent.definition.name)
            if 0 < len(name) <= MAX_PIECES:
                places[name].append(place)
                lengths[name[0]].add(len(name))
        return cls(
            MappingProxyType({name: tuple(found) for name, found in places.items()}),
            MappingProxyType({first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}),
        )

    def mentions_in(self, text: str) -> tuple[tuple[int, ...], ...]:
        """Return for each name of several words, and each marked name of one, the places of all agents called so.

        In the order of the text, each name once. Of names that begin with each other the longest is meant.
        """
        names = [name for clause in CLAUSE_END.split(text) for name in self._names_in(_pieces(clause))]
        names += [(marked.lower(),) for marked in MARKED.findall(text)]
        return tuple(self._places[name] for name in dict.fromkeys(names) if name in self._places)

    def _names_in(self, pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        start = 0
        while start < len(pieces) - 1:
            spans = (pieces[start : start + length] for length in self._lengths.get(pieces[start], ()) if length > 1)
            name = next((span for span in spans if span in self._places), None)
            if name is not None:
                yield name
            start += len(name) if name else 1


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(piece.lower() for piece in PIECE.findall(text))
