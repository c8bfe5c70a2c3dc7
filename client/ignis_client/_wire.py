"""Between the API's messages and the client's types: `from_…` encodes a request, `to_…` decodes an answer.

Requests are not checked here but for what cannot be sent at all: the server checks them, and names every
violation at once. Answers may hold
enum values of servers that are newer than this client; those become UNKNOWN.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Final

from grpc import StatusCode

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client._texts import listed
from ignis_client.agents import Agent, AgentFormat, AgentSummary, Evidence, SearchResult
from ignis_client.bundle import Bundle, DetailLevel, InclusionReason, LoadedAgent
from ignis_client.catalog import Catalog, CatalogChange, CategoryCount, FormatCount, SeverityCount, Team
from ignis_client.diagnostics import Diagnostic, Severity
from ignis_client.epoch import Epoch, EpochReason, HeldBundle
from ignis_client.errors import Failure, InvalidRequest, Violation
from ignis_client.loaded import CacheOutcome, ExclusionReason, LeftOutAgent, Loaded, Need, UnboundedBundle
from ignis_client.savings import Baseline, Savings, TokenPrices

__all__ = [
    "from_agent_listing",
    "from_diagnostic_listing",
    "from_load",
    "from_search",
    "to_agent",
    "to_agent_summaries",
    "to_catalog",
    "to_catalog_change",
    "to_diagnostics",
    "to_loaded",
    "to_search_results",
]

NUMBER_OF_FORMAT: Final[Mapping[AgentFormat, pb.AgentFormat.ValueType]] = MappingProxyType(
    {
        AgentFormat.UNKNOWN: pb.AGENT_FORMAT_UNSPECIFIED,
        AgentFormat.CLAUDE_SUBAGENT: pb.AGENT_FORMAT_CLAUDE_SUBAGENT,
        AgentFormat.AGENT_SKILL: pb.AGENT_FORMAT_AGENT_SKILL,
        AgentFormat.BMAD_AGENT: pb.AGENT_FORMAT_BMAD_AGENT,
        AgentFormat.COPILOT_AGENT: pb.AGENT_FORMAT_COPILOT_AGENT,
        AgentFormat.COPILOT_CHAT_MODE: pb.AGENT_FORMAT_COPILOT_CHAT_MODE,
        AgentFormat.CREWAI_AGENT: pb.AGENT_FORMAT_CREWAI_AGENT,
        AgentFormat.A2A_CARD: pb.AGENT_FORMAT_A2A_CARD,
        AgentFormat.PLAIN_MARKDOWN: pb.AGENT_FORMAT_PLAIN_MARKDOWN,
    }
)
NUMBER_OF_DETAIL: Final[Mapping[DetailLevel, pb.DetailLevel.ValueType]] = MappingProxyType(
    {
        DetailLevel.UNKNOWN: pb.DETAIL_LEVEL_UNSPECIFIED,
        DetailLevel.CARD: pb.DETAIL_LEVEL_CARD,
        DetailLevel.CORE: pb.DETAIL_LEVEL_CORE,
        DetailLevel.FULL: pb.DETAIL_LEVEL_FULL,
    }
)
NUMBER_OF_SEVERITY: Final[Mapping[Severity, pb.Severity.ValueType]] = MappingProxyType(
    {
        Severity.UNKNOWN: pb.SEVERITY_UNSPECIFIED,
        Severity.NOTE: pb.SEVERITY_NOTE,
        Severity.WARNING: pb.SEVERITY_WARNING,
        Severity.ERROR: pb.SEVERITY_ERROR,
    }
)
FORMAT_OF_NUMBER: Final = {int(number): meaning for meaning, number in NUMBER_OF_FORMAT.items()}
DETAIL_OF_NUMBER: Final = {int(number): meaning for meaning, number in NUMBER_OF_DETAIL.items()}
SEVERITY_OF_NUMBER: Final = {int(number): meaning for meaning, number in NUMBER_OF_SEVERITY.items()}
INCLUSION_OF_NUMBER: Final = {
    int(pb.INCLUSION_REASON_REQUIRED): InclusionReason.REQUIRED,
    int(pb.INCLUSION_REASON_TEAM): InclusionReason.TEAM,
    int(pb.INCLUSION_REASON_NAMED): InclusionReason.NAMED,
    int(pb.INCLUSION_REASON_SELECTED): InclusionReason.SELECTED,
}
EPOCH_REASON_OF_NUMBER: Final = {
    int(pb.EPOCH_REASON_INITIAL): EpochReason.INITIAL,
    int(pb.EPOCH_REASON_CONTINUED): EpochReason.CONTINUED,
    int(pb.EPOCH_REASON_AGENT_CHANGED): EpochReason.AGENT_CHANGED,
    int(pb.EPOCH_REASON_BUDGET_SPENT): EpochReason.BUDGET_SPENT,
    int(pb.EPOCH_REASON_UNKNOWN_EPOCH): EpochReason.UNKNOWN_EPOCH,
    int(pb.EPOCH_REASON_AGENT_FORBIDDEN): EpochReason.AGENT_FORBIDDEN,
}
EXCLUSION_OF_NUMBER: Final = {
    int(pb.EXCLUSION_REASON_FORBIDDEN): ExclusionReason.FORBIDDEN,
    int(pb.EXCLUSION_REASON_OVER_BUDGET): ExclusionReason.OVER_BUDGET,
    int(pb.EXCLUSION_REASON_REDUNDANT): ExclusionReason.REDUNDANT,
    int(pb.EXCLUSION_REASON_WEAK_EVIDENCE): ExclusionReason.WEAK_EVIDENCE,
}
CACHE_OUTCOME_OF_NUMBER: Final = {
    int(pb.CACHE_OUTCOME_COMPUTED): CacheOutcome.COMPUTED,
    int(pb.CACHE_OUTCOME_PROCESS_HIT): CacheOutcome.PROCESS_HIT,
    int(pb.CACHE_OUTCOME_SHARED_HIT): CacheOutcome.SHARED_HIT,
    int(pb.CACHE_OUTCOME_COALESCED): CacheOutcome.COALESCED,
}


def from_load(  # noqa: PLR0913 - as many as the request has fields
    *,
    brief: str,
    task: str,
    tags: Iterable[str],
    required_agents: Iterable[str],
    required_teams: Iterable[str],
    forbidden_agents: Iterable[str],
    formats: Iterable[AgentFormat],
    categories: Iterable[str],
    budget_tokens: int | None,
    min_recall: float | None,
    max_detail: DetailLevel,
    prices: TokenPrices | None,
    held: HeldBundle | None,
) -> pb.LoadAgentsRequest:
    """Encode what LoadAgents is asked.

    Raises:
        InvalidRequest: The budget is no number of 64 bits, which is the one thing that cannot be sent.
    """
    return pb.LoadAgentsRequest(
        brief=brief,
        task=task,
        tags=listed("tags", tags),
        required_agents=listed("required_agents", required_agents),
        required_teams=listed("required_teams", required_teams),
        forbidden_agents=listed("forbidden_agents", forbidden_agents),
        filter=_from_filter(formats, categories),
        budget_tokens=None if budget_tokens is None else _whole("budget_tokens", budget_tokens, bits=64),
        min_recall=min_recall,
        max_detail=NUMBER_OF_DETAIL[max_detail],
        prices=_from_prices(prices) if prices else None,
        held=_from_held(held) if held else None,
    )


def to_loaded(response: pb.LoadAgentsResponse) -> Loaded:
    """Decode what LoadAgents answers."""
    return Loaded(
        catalog_revision=response.catalog_revision,
        selector_version=response.selector_version,
        bundle=_to_bundle(response.bundle),
        epoch=Epoch(
            id=response.epoch.id,
            reason=EPOCH_REASON_OF_NUMBER.get(response.epoch.reason, EpochReason.UNKNOWN),
            digest=response.epoch.digest,
            tokens=response.epoch.tokens,
            size_bytes=response.epoch.size_bytes,
        ),
        needs=tuple(map(_to_need, response.needs)),
        left_out=tuple(map(_to_left_out_agent, response.left_out)),
        left_out_more_count=response.left_out_more_count,
        budget_tokens=response.budget_tokens,
        savings=_to_savings(response.savings),
        cache_outcome=CACHE_OUTCOME_OF_NUMBER.get(response.cache_outcome, CacheOutcome.UNKNOWN),
        expected_recall=response.expected_recall if response.HasField("expected_recall") else None,
        least_score=response.least_score if response.HasField("least_score") else None,
        unbounded=_to_unbounded(response.unbounded) if response.HasField("unbounded") else None,
    )


def _from_held(held: HeldBundle) -> pb.HeldBundle:
    return pb.HeldBundle(
        epoch_id=held.epoch_id,
        agents=[
            pb.HeldAgent(id=each.id, digest=each.digest, detail=NUMBER_OF_DETAIL[each.detail]) for each in held.agents
        ],
    )


def from_search(
    query: str, *, formats: Iterable[AgentFormat], categories: Iterable[str], page_size: int
) -> pb.SearchAgentsRequest:
    """Encode what SearchAgents is asked."""
    return pb.SearchAgentsRequest(
        query=query, filter=_from_filter(formats, categories), page_size=_whole("page_size", page_size, bits=32)
    )


def to_search_results(response: pb.SearchAgentsResponse) -> tuple[SearchResult, ...]:
    """Decode a page of a ranking."""
    return tuple(
        SearchResult(agent=_to_summary(each.agent), rank=each.rank, evidence=_to_evidence(each.evidence))
        for each in response.results
    )


def to_agent(response: pb.GetAgentResponse) -> Agent:
    """Decode an agent."""
    agent = response.agent
    return Agent(
        summary=_to_summary(agent.summary),
        body=agent.body,
        title=agent.title,
        tags=tuple(agent.tags),
        tools=tuple(agent.tools),
        model=agent.model,
        examples=tuple(agent.examples),
        path=agent.path,
        line=agent.line,
        team_ids=tuple(agent.team_ids),
        card_content=agent.card_content,
        core_content=agent.core_content,
        full_content=agent.full_content,
        core_omitted_sections=tuple(agent.core_omitted_sections),
        diagnostics=tuple(map(_to_diagnostic, agent.diagnostics)),
    )


def from_agent_listing(
    *, formats: Iterable[AgentFormat], categories: Iterable[str], page_size: int
) -> pb.ListAgentsRequest:
    """Encode what ListAgents is asked."""
    return pb.ListAgentsRequest(
        filter=_from_filter(formats, categories), page_size=_whole("page_size", page_size, bits=32)
    )


def to_agent_summaries(response: pb.ListAgentsResponse) -> tuple[AgentSummary, ...]:
    """Decode a page of a catalog's agents."""
    return tuple(map(_to_summary, response.agents))


def to_catalog(response: pb.GetCatalogResponse) -> Catalog:
    """Decode a catalog's description."""
    catalog = response.catalog
    return Catalog(
        revision=catalog.revision,
        agent_count=catalog.agent_count,
        full_tokens=catalog.full_tokens,
        card_tokens=catalog.card_tokens,
        tokenizer=catalog.tokenizer,
        selector_version=catalog.selector_version,
        formats=tuple(FormatCount(_to_format(each.format), each.agent_count) for each in catalog.formats),
        categories=tuple(CategoryCount(each.category, each.agent_count) for each in catalog.categories),
        teams=tuple(
            Team(id=each.id, name=each.name, description=each.description, agent_ids=tuple(each.agent_ids))
            for each in catalog.teams
        ),
        diagnostics=tuple(
            SeverityCount(_to_severity(each.severity), each.diagnostic_count) for each in catalog.diagnostics
        ),
        file_count=catalog.file_count,
        compile_time=catalog.compile_time.ToDatetime(tzinfo=UTC),
        compile_duration=catalog.compile_duration.ToTimedelta(),
        default_budget_tokens=catalog.default_budget_tokens,
    )


def to_catalog_change(parts: Sequence[pb.CatalogChange]) -> CatalogChange:
    """Decode the step to a revision, which came in one message or several."""
    last = parts[-1]
    return CatalogChange(
        revision=last.revision,
        previous_revision=last.previous_revision,
        added=tuple(_to_summary(each) for part in parts for each in part.added),
        changed=tuple(_to_summary(each) for part in parts for each in part.changed),
        removed_ids=tuple(each for part in parts for each in part.removed_ids),
        time=last.change_time.ToDatetime(tzinfo=UTC),
    )


def from_diagnostic_listing(*, min_severity: Severity, page_size: int) -> pb.ListDiagnosticsRequest:
    """Encode what ListDiagnostics is asked."""
    return pb.ListDiagnosticsRequest(
        min_severity=NUMBER_OF_SEVERITY[min_severity], page_size=_whole("page_size", page_size, bits=32)
    )


def to_diagnostics(response: pb.ListDiagnosticsResponse) -> tuple[Diagnostic, ...]:
    """Decode a page of remarks."""
    return tuple(map(_to_diagnostic, response.diagnostics))


def _whole(field: str, value: int, *, bits: int) -> int:
    """Return a number that its field has room for."""
    most = (1 << (bits - 1)) - 1
    if -most - 1 <= value <= most:
        return value
    fact = f"{value} does not fit into {bits} bits: at most {most}"
    failure = Failure(f"{field}: {fact}", StatusCode.INVALID_ARGUMENT, violations=(Violation(field, fact),))
    raise InvalidRequest(failure)


def _from_filter(formats: Iterable[AgentFormat], categories: Iterable[str]) -> pb.AgentFilter:
    return pb.AgentFilter(
        formats=[NUMBER_OF_FORMAT[each] for each in formats], categories=listed("categories", categories)
    )


def _from_prices(prices: TokenPrices) -> pb.TokenPrices:
    return pb.TokenPrices(cache_read=prices.cache_read, cache_write=prices.cache_write)


def _to_bundle(bundle: pb.Bundle) -> Bundle:
    return Bundle(
        digest=bundle.digest,
        agents=tuple(map(_to_loaded_agent, bundle.agents)),
        tokens=bundle.tokens,
        size_bytes=bundle.size_bytes,
    )


def _to_loaded_agent(loaded: pb.LoadedAgent) -> LoadedAgent:
    return LoadedAgent(
        agent=_to_summary(loaded.agent),
        detail=DETAIL_OF_NUMBER.get(loaded.detail, DetailLevel.UNKNOWN),
        content=loaded.content,
        tokens=loaded.tokens,
        reason=INCLUSION_OF_NUMBER.get(loaded.reason, InclusionReason.UNKNOWN),
        evidence=_to_evidence(loaded.evidence),
        rank=loaded.rank,
        omitted_sections=tuple(loaded.omitted_sections),
    )


def _to_need(need: pb.Need) -> Need:
    return Need(text=need.text, answered=need.answered, agent_ids=tuple(need.agent_ids), answerable=need.answerable)


def _to_unbounded(unbounded: pb.UnboundedBundle) -> UnboundedBundle:
    return UnboundedBundle(
        tokens=unbounded.tokens,
        added_agent_ids=tuple(unbounded.added_agent_ids),
        added_more_count=unbounded.added_more_count,
        expected_recall=unbounded.expected_recall if unbounded.HasField("expected_recall") else None,
    )


def _to_left_out_agent(left_out: pb.LeftOutAgent) -> LeftOutAgent:
    return LeftOutAgent(
        agent=_to_summary(left_out.agent),
        evidence=_to_evidence(left_out.evidence),
        reason=EXCLUSION_OF_NUMBER.get(left_out.reason, ExclusionReason.UNKNOWN),
        tokens=left_out.tokens,
    )


def _to_savings(savings: pb.Savings) -> Savings:
    return Savings(
        loaded_tokens=savings.loaded_tokens,
        load_all=_to_baseline(savings.load_all),
        index_only=_to_baseline(savings.index_only),
        cached_load_all=_to_baseline(savings.cached_load_all),
    )


def _to_baseline(baseline: pb.Baseline) -> Baseline:
    return Baseline(
        baseline_tokens=baseline.baseline_tokens,
        bundle_tokens=baseline.bundle_tokens,
        saved_tokens=baseline.saved_tokens,
        saved_ratio=baseline.saved_ratio,
    )


def _to_evidence(evidence: pb.Evidence) -> Evidence:
    return Evidence(
        score=evidence.score,
        lexical=evidence.lexical,
        semantic=evidence.semantic,
        spelling=evidence.spelling,
        matched_terms=tuple(evidence.matched_terms),
        need_indexes=tuple(evidence.need_indexes),
    )


def _to_summary(summary: pb.AgentSummary) -> AgentSummary:
    return AgentSummary(
        id=summary.id,
        name=summary.name,
        digest=summary.digest,
        description=summary.description,
        format=_to_format(summary.format),
        category=summary.category,
        card_tokens=summary.card_tokens,
        core_tokens=summary.core_tokens,
        full_tokens=summary.full_tokens,
    )


def _to_diagnostic(diagnostic: pb.Diagnostic) -> Diagnostic:
    return Diagnostic(
        path=diagnostic.path,
        line=diagnostic.line,
        severity=_to_severity(diagnostic.severity),
        code=diagnostic.code,
        message=diagnostic.message,
        remedy=diagnostic.remedy,
    )


def _to_format(number: int) -> AgentFormat:
    return FORMAT_OF_NUMBER.get(number, AgentFormat.UNKNOWN)


def _to_severity(number: int) -> Severity:
    return SEVERITY_OF_NUMBER.get(number, Severity.UNKNOWN)
