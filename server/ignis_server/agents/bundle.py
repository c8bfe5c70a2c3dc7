"""A bundle: the chosen agents' text in canonical order, with its digest, and what it saves."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ignis_server.agents.catalog import CatalogAgent
from ignis_server.agents.model import DetailLevel, TokenPrices
from ignis_server.agents.selection.cover import Exclusion, Inclusion

__all__ = [
    "Baseline",
    "Bundle",
    "Evidence",
    "LeftOutAgent",
    "LoadedAgent",
    "NeedAnswer",
    "Savings",
    "Unbounded",
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What spoke for an agent; the fields are those of the API."""

    score: float
    lexical: float
    semantic: float
    spelling: float
    matched_terms: tuple[str, ...] = ()
    need_indexes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedAgent:
    """An agent of a bundle: what is sent of it, and why. `rank` counts from 1."""

    agent: CatalogAgent
    detail: DetailLevel
    inclusion: Inclusion
    evidence: Evidence
    rank: int

    @property
    def content(self) -> str:
        """The text that is sent."""
        return self.agent.at(self.detail).text

    @property
    def tokens(self) -> int:
        """Tokens of `content`."""
        return self.agent.at(self.detail).tokens

    @property
    def omitted_sections(self) -> tuple[str, ...]:
        """Headings of the sections that `content` leaves out of the agent's body."""
        return self.agent.at(self.detail).omitted_sections


@dataclass(frozen=True, slots=True)
class LeftOutAgent:
    """An agent that had evidence, why it is not in the bundle, and what it would have cost."""

    agent: CatalogAgent
    evidence: Evidence
    exclusion: Exclusion
    tokens: int


@dataclass(frozen=True, slots=True)
class NeedAnswer:
    """One thing that a brief asks for, and the ids of the loaded agents that answer it, best first.

    `answerable` is the chance that the catalog holds anybody for it, 0 to 1.
    """

    text: str
    agent_ids: tuple[str, ...]
    answerable: float


@dataclass(frozen=True, slots=True)
class Unbounded:
    """What the same request would get without a budget: the cost, and the ids of the agents that it would add."""

    tokens: int
    added: tuple[str, ...]
    expected_recall: float | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Loaded agents ordered by id: the same set has the same bytes, whatever it was asked for with."""

    agents: tuple[LoadedAgent, ...]
    digest: str
    tokens: int
    size_bytes: int

    @classmethod
    def of(cls, agents: Iterable[LoadedAgent]) -> Self:
        """Put agents in canonical order and take the digest of their concatenated text."""
        ordered = tuple(sorted(agents, key=lambda loaded: loaded.agent.agent_id))
        content = "".join(loaded.content for loaded in ordered).encode()
        return cls(
            agents=ordered,
            digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
            tokens=sum(loaded.tokens for loaded in ordered),
            size_bytes=len(content),
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """Another way of loading, and the bundle on the same scale: tokens, weighted where prices are in it."""

    baseline_tokens: float
    bundle_tokens: float

    @property
    def saved_tokens(self) -> float:
        """What the bundle saves; negative where it costs more."""
        return self.baseline_tokens - self.bundle_tokens

    @property
    def saved_ratio(self) -> float:
        """Share of the baseline that is saved; 0 where the baseline is 0."""
        return self.saved_tokens / self.baseline_tokens if self.baseline_tokens else 0.0


@dataclass(frozen=True, slots=True)
class Savings:
    """A bundle's tokens against three other ways of loading the same catalog."""

    loaded_tokens: int
    load_all: Baseline
    index_only: Baseline
    cached_load_all: Baseline

    @classmethod
    def of(cls, new_tokens: int, held_tokens: int, considered: Iterable[CatalogAgent], prices: TokenPrices) -> Self:
        """Compare what a caller holds and is sent with loading all agents considered, their cards, or all from a cache.

        The last is the harshest: everything lies in the provider's prompt cache already and is only read, while what is
        sent is new and must be written to it. What is held lies in that cache too.
        """
        loaded_tokens = held_tokens + new_tokens
        full = card = 0
        for agent in considered:
            full += agent.full.tokens
            card += agent.card.tokens
        return cls(
            loaded_tokens=loaded_tokens,
            load_all=Baseline(full, loaded_tokens),
            index_only=Baseline(card, loaded_tokens),
            cached_load_all=Baseline(
                full * prices.cache_read, held_tokens * prices.cache_read + new_tokens * prices.cache_write
            ),
        )
