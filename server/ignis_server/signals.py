"""What the domain reports to whoever operates it: typed signals, and the port that takes them.

A signal is a fact, not a metric: which instruments it moves is decided in `telemetry/`. No signal
carries free text of a caller or of a catalog.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = [
    "AgentsLoaded",
    "AgentsSearched",
    "AttemptEnded",
    "BackgroundFailed",
    "BatchDelivered",
    "BundleCounts",
    "CacheFailed",
    "CacheWarmed",
    "CatalogCompiled",
    "CatalogReloaded",
    "DestinationChanged",
    "LoadAnswered",
    "LossReason",
    "NoSignals",
    "OutboxChanged",
    "OutboxMeasured",
    "RunEnded",
    "RunReached",
    "SharedStoreChanged",
    "Signal",
    "Signals",
    "TelemetryLost",
    "TokensUsed",
]

# "shed" was given up at a bound, "corrupt" is no longer what was written, "removed" was deleted by somebody else, "too-large" is
# more than can be kept, "closed" came too late.
LossReason = Literal["shed", "corrupt", "removed", "too-large", "closed"]


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


@dataclass(frozen=True, slots=True)
class BatchDelivered:
    """A destination of telemetry has taken a batch, or rejected items of it for good; it will not be sent there again.

    `signal` is "traces", "metrics" or "logs", and the numbers count spans, metric points or log records. The lag is the time
    from the capture of the first of them to the answer of the destination.
    """

    destination: str
    signal: str
    delivered: int
    rejected: int
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class DestinationChanged:
    """A destination of telemetry takes a signal no more, for a reason, or takes it again, where that is empty.

    Reasons are "unreachable", "timeout", "tls", "auth", "throttled", "unavailable" and "redirected", in which what there is
    waits, and "refused", in which it is rejected for good.
    """

    destination: str
    signal: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxChanged:
    """The disk of the telemetry outbox is in trouble from now on, for a reason, or well again, where that is empty.

    Reasons are "full", "read-only" and "broken". What is captured meanwhile is kept in memory, as far as there is room.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class OutboxMeasured:
    """How much telemetry waits, how much may, and how long ago the oldest of it was captured; 0 where nothing waits."""

    size_bytes: int
    limit_bytes: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class TelemetryLost:
    """Telemetry is gone that no destination has, or not all of them.

    `signal` is "traces", "metrics", "logs", or "unknown" where that can no longer be told; `items` is 0 then, and `size_bytes`
    says how much was unreadable. `size_bytes` is 0 where items were lost before they were written.
    """

    signal: str
    items: int
    size_bytes: int
    reason: LossReason


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """Tokens of a model, as whoever used them told."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RunReached:
    """A run of a workflow came to a state: "submitted", "working", "input-required", or one of those that end it."""

    state: str


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """A worker's attempt of a step is over.

    `outcome` is "completed", "held" for a person, "failed", "lost" where its lease ran out, or "canceled". Times are in
    nanoseconds since the epoch by the store's clock. `traceparent` is that of the call that began the run; empty where there is none.
    """

    run_id: str
    traceparent: str
    outcome: str
    attempt: int
    began_ns: int
    ended_ns: int
    tokens: TokensUsed


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run of a workflow is over: "completed", "failed" or "canceled". Its fields mean what they do of an attempt."""

    run_id: str
    traceparent: str
    state: str
    began_ns: int
    ended_ns: int
    steps: int
    tokens: TokensUsed


Signal = (
    LoadAnswered
    | AgentsLoaded
    | AgentsSearched
    | AttemptEnded
    | BackgroundFailed
    | BatchDelivered
    | CacheFailed
    | CacheWarmed
    | CatalogCompiled
    | CatalogReloaded
    | DestinationChanged
    | OutboxChanged
    | OutboxMeasured
    | RunEnded
    | RunReached
    | SharedStoreChanged
    | TelemetryLost
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
