"""The client of ignis-agents: which agents a project needs, and exactly which bytes to give a model.

    async with IgnisClient("localhost:50051") as ignis:
        loaded = await ignis.load_agents("Next.js storefront with Stripe payments", budget_tokens=20_000)
        print(loaded.text)

Every exception of a call is an IgnisError; `ignis_client.errors` has them all.
"""

from ignis_client import errors
from ignis_client.agents import Agent, AgentFormat, AgentSummary, Evidence, SearchResult
from ignis_client.bundle import Bundle, DetailLevel, InclusionReason, LoadedAgent
from ignis_client.catalog import Catalog, CatalogChange, CategoryCount, FormatCount, SeverityCount, Team
from ignis_client.client import IgnisClient
from ignis_client.delivery import DeliveryLedger, EgressBatch, LedgerRow, TelemetrySignal, Verification
from ignis_client.diagnostics import Diagnostic, Severity
from ignis_client.epoch import Epoch, EpochReason, HeldAgent, HeldBundle
from ignis_client.errors import IgnisError
from ignis_client.loaded import CacheOutcome, ExclusionReason, LeftOutAgent, Loaded, Need, UnboundedBundle
from ignis_client.savings import Baseline, Savings, TokenPrices
from ignis_client.session import Session

__all__ = [
    "Agent",
    "AgentFormat",
    "AgentSummary",
    "Baseline",
    "Bundle",
    "CacheOutcome",
    "Catalog",
    "CatalogChange",
    "CategoryCount",
    "DeliveryLedger",
    "DetailLevel",
    "Diagnostic",
    "EgressBatch",
    "Epoch",
    "EpochReason",
    "Evidence",
    "ExclusionReason",
    "FormatCount",
    "HeldAgent",
    "HeldBundle",
    "IgnisClient",
    "IgnisError",
    "InclusionReason",
    "LedgerRow",
    "LeftOutAgent",
    "Loaded",
    "LoadedAgent",
    "Need",
    "Savings",
    "SearchResult",
    "Session",
    "Severity",
    "SeverityCount",
    "Team",
    "TelemetrySignal",
    "TokenPrices",
    "UnboundedBundle",
    "Verification",
    "errors",
]
