"""Agents called by name: a brief that says "ask the postgres-dba" means that agent and no other."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from ignis_server.agents.catalog import Catalog

__all__ = ["NameIndex"]

PIECE = re.compile(r"[^\W_]+")

# A name of one word ("dev", "design") is also just a word; it calls an agent only where it is marked.
MARKED = re.compile(r"[@`]([^\W_]+)`?(?!\w)")


@dataclass(frozen=True, slots=True)
class NameIndex:
    """The names of a catalog's agents, split into pieces so that hyphens and spaces do not matter."""

    _places: Mapping[tuple[str, ...], tuple[int, ...]]
    _longest: int

    @classmethod
    def of(cls, catalog: Catalog) -> Self:
        """Index the names of all agents."""
        places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, agent in enumerate(catalog.agents):
            places[_pieces(agent.definition.name)].append(place)
        places.pop((), None)
        return cls(
            MappingProxyType({name: tuple(found) for name, found in places.items()}),
            max((len(name) for name in places), default=0),
        )

    def mentions_in(self, text: str) -> tuple[tuple[int, ...], ...]:
        """Return for each name of several words, and each marked name of one, the places of all agents called so.

        In the order of the text, each name once.
        """
        pieces = _pieces(text)
        names = [
            pieces[start : start + length]
            for start in range(len(pieces))
            for length in range(2, min(self._longest, len(pieces) - start) + 1)
        ]
        names += [(marked.lower(),) for marked in MARKED.findall(text)]
        return tuple(self._places[name] for name in dict.fromkeys(names) if name in self._places)


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(piece.lower() for piece in PIECE.findall(text))
