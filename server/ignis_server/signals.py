"""What the domain reports to whoever operates it: typed signals, and the port that takes them.

A signal is a fact, not a metric: which instruments it moves is decided in `telemetry/`. No signal
carries free text of a caller or of a catalog.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = [
    "AgentsLoaded",
    "AgentsSearched",
    "BackgroundFailed",
    "BundleCounts",
    "CacheFailed",
    "CacheWarmed",
    "CatalogCompiled",
    "CatalogReloaded",
    "LoadAnswered",
    "NoSignals",
    "SharedStoreChanged",
    "Signal",
    "Signals",
]


@dataclass(frozen=True, slots=True)
class CatalogCompiled:
    """A catalog was compiled: how large it is, how many of its files were found compiled already, how long it took."""

    revision: str
    files: int
    reused_files: int
    agents: int
    full_tokens: int
    errors: int
    warnings: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CatalogReloaded:
    """The catalog's files changed: another revision is served, or the one before is kept, and why.

    `outcome` is "replaced", or "kept" where the files as they are now cannot be served. The numbers count agents.
    """

    outcome: Literal["replaced", "kept"]
    added: int = 0
    changed: int = 0
    removed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BundleCounts:
    """A bundle in figures: what was chosen out of what, and the tokens of it and of the other ways of loading.

    Attributes:
        agents: Agents that are sent.
        considered: Agents that they were chosen from.
        needs: What the request was understood to ask for.
        unanswered_needs: Those of them that no agent answers.
        budget_tokens: What might be spent.
        new_tokens: Tokens that are sent.
        loaded_tokens: Those and the ones that the caller holds already.
        load_all_tokens: Tokens of all agents in full.
        index_only_tokens: Tokens of all cards.
        cached_load_all_tokens: All agents in full, read from a prompt cache at the caller's prices, in whole tokens.
        cached_loaded_tokens: What is held and sent at the caller's prices, in whole tokens.
    """

    agents: int
    considered: int
    needs: int
    unanswered_needs: int
    budget_tokens: int
    new_tokens: int
    loaded_tokens: int
    load_all_tokens: int
    index_only_tokens: int
    cached_load_all_tokens: int
    cached_loaded_tokens: int


@dataclass(frozen=True, slots=True)
class AgentsLoaded:
    """A bundle was computed: its figures, and how long that took."""

    counts: BundleCounts
    seconds: float


@dataclass(frozen=True, slots=True)
class LoadAnswered:
    """A caller was answered: where the answer came from, and its figures; None where it is an error.

    `outcome` is "computed", "process-hit", "shared-hit" or "coalesced".
    """

    outcome: str
    counts: BundleCounts | None


@dataclass(frozen=True, slots=True)
class AgentsSearched:
    """A ranking was made: how many agents had any evidence, out of how many."""

    results: int
    considered: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CacheFailed:
    """A cache could not be read or written, or what it held was not whole; work goes on without it."""

    store: Literal["disk", "shared"]
    operation: Literal["read", "write"]
    reason: str


@dataclass(frozen=True, slots=True)
class SharedStoreChanged:
    """The cache that replicas share is left alone from now on, for a reason, or asked again, where that is empty.

    Reasons are "unreachable", "timeout", "auth", "read-only", "full", "loading", "failover" and "refused".
    """

    operation: Literal["read", "write"]
    reason: str


@dataclass(frozen=True, slots=True)
class CacheWarmed:
    """Answers were made ready before anybody asked for them.

    `occasion` is "start", where a replica begins, or "revision", where a catalog gives way to another. `ready` counts
    those that were ready by then, `left` those that there was no time for; they are made ready afterwards.
    """

    occasion: Literal["start", "revision"]
    ready: int
    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BackgroundFailed:
    """Work beside the calls failed in a way that nobody foresaw; the log has it, and it begins anew."""

    task: str


Signal = (
    LoadAnswered
    | AgentsLoaded
    | AgentsSearched
    | BackgroundFailed
    | CacheFailed
    | CacheWarmed
    | CatalogCompiled
    | CatalogReloaded
    | SharedStoreChanged
)


class Signals(Protocol):
    """Takes signals. Never blocks, never raises: telemetry does not fail a call."""

    def report(self, signal: Signal) -> None:
        """Take note of a fact."""
        ...


class NoSignals:
    """Takes signals and forgets them: for tools that nobody operates, such as `ignis catalog lint`."""

    def report(self, signal: Signal) -> None:
        """Forget a fact."""
