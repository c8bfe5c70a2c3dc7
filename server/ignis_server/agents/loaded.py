"""The answer to a load: the bundle, how it continues what is held, the reasons, the savings, and what they rest on."""

from dataclasses import dataclass

from ignis_server.agents.bundle import Bundle, LeftOutAgent, NeedAnswer, Savings, Unbounded
from ignis_server.agents.epoch import Epoch
from ignis_server.signals import BundleCounts

__all__ = ["Loaded"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The answer to a load; `considered` counts the agents that the filter lets through."""

    catalog_revision: str
    selector_version: str
    bundle: Bundle
    epoch: Epoch
    needs: tuple[NeedAnswer, ...]
    left_out: tuple[LeftOutAgent, ...]
    left_out_more: int
    budget_tokens: int
    considered: int
    savings: Savings
    expected_recall: float | None
    least_score: float | None
    unbounded: Unbounded | None

    def counts(self) -> BundleCounts:
        """Return what the ledger takes down of it."""
        savings = self.savings
        return BundleCounts(
            agents=len(self.bundle.agents),
            considered=self.considered,
            needs=len(self.needs),
            unanswered_needs=sum(not need.agent_ids for need in self.needs),
            budget_tokens=self.budget_tokens,
            new_tokens=self.bundle.tokens,
            loaded_tokens=savings.loaded_tokens,
            load_all_tokens=round(savings.load_all.baseline_tokens),
            index_only_tokens=round(savings.index_only.baseline_tokens),
            cached_load_all_tokens=round(savings.cached_load_all.baseline_tokens),
            cached_loaded_tokens=round(savings.cached_load_all.bundle_tokens),
        )
