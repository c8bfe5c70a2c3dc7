"""LoadAgents: its request validated, its answer encoded."""

from collections.abc import Iterable
from typing import Final

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.answers import Outcome
from ignis_server.agents.bundle import (
    Baseline,
    Bundle,
    LeftOutAgent,
    LoadedAgent,
    NeedAnswer,
    Savings,
    Unbounded,
)
from ignis_server.agents.epoch import Epoch, EpochReason
from ignis_server.agents.loaded import Loaded
from ignis_server.agents.model import DetailLevel, HeldAgent, HeldBundle, Project, TokenPrices
from ignis_server.agents.selection.cover import Exclusion, Inclusion
from ignis_server.agents.wire.parts import (
    EVIDENCE_DIGITS,
    MAX_LABEL_CHARACTERS,
    MAX_REFERENCE_CHARACTERS,
    from_evidence,
    from_summary,
    to_filter,
)
from ignis_server.rpc.checks import Checks

__all__ = ["from_loaded", "to_project", "with_outcome"]

MAX_BRIEF_BYTES: Final = 65_536
MAX_TASK_BYTES: Final = 8_192
MAX_TAGS: Final = 64
MAX_REQUIRED_AGENTS: Final = 128
MAX_REQUIRED_TEAMS: Final = 16
MAX_FORBIDDEN_AGENTS: Final = 1_024
MAX_HELD_AGENTS: Final = 1_024
MAX_EPOCH_ID_BYTES: Final = 64
MAX_BUDGET_TOKENS: Final = 10_000_000
MAX_PRICE: Final = 10.0
MAX_ADDED_AGENTS: Final = 20
RECALLS: Final = (0.90, 0.95, 0.99)
# A recall that was a number of 32 bits on its way is that far from the one that was meant.
RECALL_TOLERANCE: Final = 1e-6
DETAIL_LEVELS: Final = {
    DetailLevel.CARD: pb.DETAIL_LEVEL_CARD,
    DetailLevel.CORE: pb.DETAIL_LEVEL_CORE,
    DetailLevel.FULL: pb.DETAIL_LEVEL_FULL,
}
INCLUSIONS: Final = {
    Inclusion.REQUIRED: pb.INCLUSION_REASON_REQUIRED,
    Inclusion.TEAM: pb.INCLUSION_REASON_TEAM,
    Inclusion.NAMED: pb.INCLUSION_REASON_NAMED,
    Inclusion.SELECTED: pb.INCLUSION_REASON_SELECTED,
}
EXCLUSIONS: Final = {
    Exclusion.FORBIDDEN: pb.EXCLUSION_REASON_FORBIDDEN,
    Exclusion.OVER_BUDGET: pb.EXCLUSION_REASON_OVER_BUDGET,
    Exclusion.REDUNDANT: pb.EXCLUSION_REASON_REDUNDANT,
    Exclusion.WEAK_EVIDENCE: pb.EXCLUSION_REASON_WEAK_EVIDENCE,
}
EPOCH_REASONS: Final = {
    EpochReason.INITIAL: pb.EPOCH_REASON_INITIAL,
    EpochReason.CONTINUED: pb.EPOCH_REASON_CONTINUED,
    EpochReason.AGENT_CHANGED: pb.EPOCH_REASON_AGENT_CHANGED,
    EpochReason.AGENT_FORBIDDEN: pb.EPOCH_REASON_AGENT_FORBIDDEN,
    EpochReason.BUDGET_SPENT: pb.EPOCH_REASON_BUDGET_SPENT,
    EpochReason.UNKNOWN_EPOCH: pb.EPOCH_REASON_UNKNOWN_EPOCH,
}
HELD_DETAIL_OF_NUMBER: Final = {int(number): meaning for meaning, number in DETAIL_LEVELS.items()}
DETAIL_OF_NUMBER: Final = HELD_DETAIL_OF_NUMBER | {int(pb.DETAIL_LEVEL_UNSPECIFIED): DetailLevel.FULL}
# All that differs between two callers who get the same answer. It is put behind the answer, where it counts: of several
# values of a field that holds one, the last does.
OUTCOMES: Final = {
    outcome: pb.LoadAgentsResponse(cache_outcome=number).SerializeToString()
    for outcome, number in (
        (Outcome.COMPUTED, pb.CACHE_OUTCOME_COMPUTED),
        (Outcome.SHARED_HIT, pb.CACHE_OUTCOME_SHARED_HIT),
        (Outcome.COALESCED, pb.CACHE_OUTCOME_COALESCED),
    )
}


def to_project(request: pb.LoadAgentsRequest) -> Project:
    """Validate a load.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    tags = checks.labels("tags", request.tags, max_count=MAX_TAGS, max_characters=MAX_LABEL_CHARACTERS)
    project = Project(
        brief=checks.text("brief", request.brief, max_bytes=MAX_BRIEF_BYTES),
        task=checks.text("task", request.task, max_bytes=MAX_TASK_BYTES),
        tags=tuple(sorted({tag.casefold() for tag in tags})),
        required_agents=_references(checks, "required_agents", request.required_agents, MAX_REQUIRED_AGENTS),
        required_teams=_references(checks, "required_teams", request.required_teams, MAX_REQUIRED_TEAMS),
        forbidden_agents=_references(checks, "forbidden_agents", request.forbidden_agents, MAX_FORBIDDEN_AGENTS),
        filter=to_filter(checks, request.filter),
        budget_tokens=request.budget_tokens if request.HasField("budget_tokens") else None,
        min_recall=_to_recall(checks, request.min_recall) if request.HasField("min_recall") else None,
        max_detail=checks.member("max_detail", request.max_detail, pb.DetailLevel.DESCRIPTOR, DETAIL_OF_NUMBER.get)
        or DetailLevel.FULL,
        prices=_to_prices(checks, request.prices),
        held=_to_held(checks, request.held) if request.HasField("held") else None,
    )
    if request.budget_tokens > MAX_BUDGET_TOKENS:
        checks.add("budget_tokens", f"{request.budget_tokens} is more than the {MAX_BUDGET_TOKENS} allowed")
    if not (project.brief.strip() or project.task.strip() or tags or request.required_agents or request.required_teams):
        checks.add("brief", "says nothing, and neither do task, tags, required_agents and required_teams: set one")
    checks.finish()
    return project


def _to_held(checks: Checks, held: pb.HeldBundle) -> HeldBundle:
    if len(held.agents) > MAX_HELD_AGENTS:
        checks.add("held.agents", f"{len(held.agents)} entries are more than the {MAX_HELD_AGENTS} allowed: begin anew")
    return HeldBundle(
        epoch_id=checks.text("held.epoch_id", held.epoch_id, max_bytes=MAX_EPOCH_ID_BYTES),
        agents=tuple(
            _to_held_agent(checks, f"held.agents[{number}]", each)
            for number, each in enumerate(held.agents[:MAX_HELD_AGENTS])
        ),
    )


def _to_held_agent(checks: Checks, field: str, held: pb.HeldAgent) -> HeldAgent:
    return HeldAgent(
        checks.label(f"{field}.id", held.id, max_characters=MAX_REFERENCE_CHARACTERS),
        checks.label(f"{field}.digest", held.digest, max_characters=MAX_LABEL_CHARACTERS),
        checks.member(f"{field}.detail", held.detail, pb.DetailLevel.DESCRIPTOR, HELD_DETAIL_OF_NUMBER.get)
        or DetailLevel.FULL,
    )


def _to_recall(checks: Checks, value: float) -> float | None:
    for recall in RECALLS:
        if abs(value - recall) <= RECALL_TOLERANCE:
            return recall
    checks.add("min_recall", f"{value:g} is none of the recalls that are calibrated: say {_listed(RECALLS)}")
    return None


def _listed(recalls: Iterable[float]) -> str:
    *first, last = (f"{recall:.2f}" for recall in recalls)
    return f"{', '.join(first)} or {last}"


def _references(checks: Checks, field: str, values: Iterable[str], max_count: int) -> tuple[str, ...]:
    labels = checks.labels(field, list(values), max_count=max_count, max_characters=MAX_REFERENCE_CHARACTERS)
    return checks.unique(labels)


def _to_prices(checks: Checks, message: pb.TokenPrices) -> TokenPrices:
    defaults = TokenPrices()
    return TokenPrices(
        cache_read=checks.number("prices.cache_read", message.cache_read, least=0, most=MAX_PRICE)
        if message.HasField("cache_read")
        else defaults.cache_read,
        cache_write=checks.number("prices.cache_write", message.cache_write, least=0, most=MAX_PRICE)
        if message.HasField("cache_write")
        else defaults.cache_write,
    )


def from_loaded(loaded: Loaded) -> bytes:
    """Encode the answer to a load as one that is found in memory, as most are: those are sent as they lie there."""
    response = pb.LoadAgentsResponse(
        catalog_revision=loaded.catalog_revision,
        selector_version=loaded.selector_version,
        bundle=_from_bundle(loaded.bundle),
        needs=map(_from_need, loaded.needs),
        left_out=map(_from_left_out, loaded.left_out),
        left_out_more_count=loaded.left_out_more,
        budget_tokens=loaded.budget_tokens,
        savings=_from_savings(loaded.savings),
        epoch=_from_epoch(loaded.epoch),
        cache_outcome=pb.CACHE_OUTCOME_PROCESS_HIT,
        expected_recall=_rounded(loaded.expected_recall),
        least_score=_rounded(loaded.least_score),
        unbounded=_from_unbounded(loaded.unbounded) if loaded.unbounded else None,
    )
    return response.SerializeToString(deterministic=True)


def with_outcome(body: bytes, outcome: Outcome) -> bytes:
    """Say in an encoded answer where it came from."""
    return body if outcome is Outcome.PROCESS_HIT else body + OUTCOMES[outcome]


def _from_epoch(epoch: Epoch) -> pb.Epoch:
    return pb.Epoch(
        id=epoch.id,
        reason=EPOCH_REASONS[epoch.reason],
        digest=epoch.digest,
        tokens=epoch.tokens,
        size_bytes=epoch.size_bytes,
    )


def _from_unbounded(unbounded: Unbounded) -> pb.UnboundedBundle:
    return pb.UnboundedBundle(
        tokens=unbounded.tokens,
        added_agent_ids=unbounded.added[:MAX_ADDED_AGENTS],
        added_more_count=max(0, len(unbounded.added) - MAX_ADDED_AGENTS),
        expected_recall=_rounded(unbounded.expected_recall),
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, EVIDENCE_DIGITS)


def _from_bundle(bundle: Bundle) -> pb.Bundle:
    return pb.Bundle(
        digest=bundle.digest,
        agents=map(_from_loaded_agent, bundle.agents),
        tokens=bundle.tokens,
        size_bytes=bundle.size_bytes,
    )


def _from_loaded_agent(loaded: LoadedAgent) -> pb.LoadedAgent:
    return pb.LoadedAgent(
        agent=from_summary(loaded.agent),
        detail=DETAIL_LEVELS[loaded.detail],
        content=loaded.content,
        tokens=loaded.tokens,
        reason=INCLUSIONS[loaded.inclusion],
        evidence=from_evidence(loaded.evidence),
        rank=loaded.rank,
        omitted_sections=loaded.omitted_sections,
    )


def _from_need(need: NeedAnswer) -> pb.Need:
    return pb.Need(
        text=need.text,
        answered=bool(need.agent_ids),
        agent_ids=need.agent_ids,
        answerable=round(need.answerable, EVIDENCE_DIGITS),
    )


def _from_left_out(left_out: LeftOutAgent) -> pb.LeftOutAgent:
    return pb.LeftOutAgent(
        agent=from_summary(left_out.agent),
        evidence=from_evidence(left_out.evidence),
        reason=EXCLUSIONS[left_out.exclusion],
        tokens=left_out.tokens,
    )


def _from_savings(savings: Savings) -> pb.Savings:
    return pb.Savings(
        loaded_tokens=savings.loaded_tokens,
        load_all=_from_baseline(savings.load_all),
        index_only=_from_baseline(savings.index_only),
        cached_load_all=_from_baseline(savings.cached_load_all),
    )


def _from_baseline(baseline: Baseline) -> pb.Baseline:
    return pb.Baseline(
        baseline_tokens=baseline.baseline_tokens,
        bundle_tokens=baseline.bundle_tokens,
        saved_tokens=baseline.saved_tokens,
        saved_ratio=baseline.saved_ratio,
    )
