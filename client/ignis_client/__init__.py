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
from ignis_client.claims import AgentBundle, ClaimedStep, Heartbeat, Lease, OutputReference, Reported
from ignis_client.client import IgnisClient
from ignis_client.delivery import DeliveryLedger, EgressBatch, LedgerRow, TelemetrySignal, Verification
from ignis_client.diagnostics import Diagnostic, Severity
from ignis_client.epoch import Epoch, EpochReason, HeldAgent, HeldBundle
from ignis_client.errors import IgnisError
from ignis_client.loaded import CacheOutcome, ExclusionReason, LeftOutAgent, Loaded, Need, UnboundedBundle
from ignis_client.people import Answer, Approval, Decision, InputAnswer, InputKind, InputRequest, Rejection
from ignis_client.run import Artifact, Progress, Run, RunState, Step, StepFailure, StepState, TokenUsage
from ignis_client.run_events import RunChange, RunEvent, RunStateChanged, StepExpanded, StepProgress
from ignis_client.savings import Baseline, Savings, TokenPrices
from ignis_client.session import Session
from ignis_client.values import JsonValue
from ignis_client.worker import Worker
from ignis_client.worker_step import Handler, StepFailed, WorkerStep
from ignis_client.workflow import (
    Effect,
    Guidance,
    InputDefinition,
    InputType,
    Question,
    RetryPolicy,
    StepDefinition,
    WorkflowDefinition,
)
from ignis_client.workflows import Workflows

__all__ = [
    "Agent",
    "AgentBundle",
    "AgentFormat",
    "AgentSummary",
    "Answer",
    "Approval",
    "Artifact",
    "Baseline",
    "Bundle",
    "CacheOutcome",
    "Catalog",
    "CatalogChange",
    "CategoryCount",
    "ClaimedStep",
    "Decision",
    "DeliveryLedger",
    "DetailLevel",
    "Diagnostic",
    "Effect",
    "EgressBatch",
    "Epoch",
    "EpochReason",
    "Evidence",
    "ExclusionReason",
    "FormatCount",
    "Guidance",
    "Handler",
    "Heartbeat",
    "HeldAgent",
    "HeldBundle",
    "IgnisClient",
    "IgnisError",
    "InclusionReason",
    "InputAnswer",
    "InputDefinition",
    "InputKind",
    "InputRequest",
    "InputType",
    "JsonValue",
    "Lease",
    "LedgerRow",
    "LeftOutAgent",
    "Loaded",
    "LoadedAgent",
    "Need",
    "OutputReference",
    "Progress",
    "Question",
    "Rejection",
    "Reported",
    "RetryPolicy",
    "Run",
    "RunChange",
    "RunEvent",
    "RunState",
    "RunStateChanged",
    "Savings",
    "SearchResult",
    "Session",
    "Severity",
    "SeverityCount",
    "Step",
    "StepDefinition",
    "StepExpanded",
    "StepFailed",
    "StepFailure",
    "StepProgress",
    "StepState",
    "Team",
    "TelemetrySignal",
    "TokenPrices",
    "TokenUsage",
    "UnboundedBundle",
    "Verification",
    "Worker",
    "WorkerStep",
    "WorkflowDefinition",
    "Workflows",
    "errors",
]
