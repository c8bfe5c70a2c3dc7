"""What the domain reports to whoever operates it: typed signals, and the port that takes them.

A signal is a fact, not a metric: which instruments it moves is decided in `telemetry/`. No signal
carries free text of a caller or of a catalog.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = [
    "AgentsLoaded",
    "AgentsSearched",
    "CacheFailed",
    "CatalogCompiled",
    "NoSignals",
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
class AgentsLoaded:
    """A bundle was made: what was chosen out of what, and the tokens it saves against loading all."""

    agents: int
    considered: int
    needs: int
    unanswered_needs: int
    loaded_tokens: int
    load_all_tokens: int
    budget_tokens: int
    seconds: float

    @property
    def saved_tokens(self) -> int:
        """Tokens of loading everything less those of the bundle."""
        return self.load_all_tokens - self.loaded_tokens


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


Signal = CatalogCompiled | AgentsLoaded | AgentsSearched | CacheFailed


class Signals(Protocol):
    """Takes signals. Never blocks, never raises: telemetry does not fail a call."""

    def report(self, signal: Signal) -> None:
        """Take note of a fact."""
        ...


class NoSignals:
    """Takes signals and forgets them: for tools that nobody operates, such as `ignis catalog lint`."""

    def report(self, signal: Signal) -> None:
        """Forget a fact."""
