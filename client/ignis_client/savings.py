"""What a load saves, against other ways of loading the same agents."""

from dataclasses import dataclass

__all__ = ["Baseline", "Savings", "TokenPrices"]


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Prices of prompt-cached tokens, relative to an input token that no cache is involved in.

    Attributes:
        cache_read: Price of a token read from the provider's prompt cache, 0 to 10. None: the server's, 0.1.
        cache_write: Price of a token written to it, 0 to 10. None: the server's, 1.25.
    """

    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """One comparison, in tokens; in weighted tokens where prices are involved.

    Attributes:
        baseline_tokens: What the other way costs.
        bundle_tokens: What the bundle costs on the same scale.
        saved_tokens: The difference; negative where the bundle costs more.
        saved_ratio: The share of the baseline that is saved; 0 where the baseline is 0.
    """

    baseline_tokens: float
    bundle_tokens: float
    saved_tokens: float
    saved_ratio: float


@dataclass(frozen=True, slots=True)
class Savings:
    """A bundle against three other ways of loading the agents that the request considered.

    Attributes:
        loaded_tokens: Tokens of the bundle.
        load_all: Against loading every agent whole.
        index_only: Against loading the cards of all agents, and no body.
        cached_load_all: Against reading every agent whole from the provider's prompt cache, while the bundle
            is written to it: the harshest comparison, weighted by TokenPrices.
    """

    loaded_tokens: int
    load_all: Baseline
    index_only: Baseline
    cached_load_all: Baseline
