"""Between the API's messages and the domain's types: validates all that comes in, at once, and encodes answers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.bundle import Baseline, Bundle, Evidence, LeftOutAgent, Loaded, LoadedAgent, Need, Savings
from ignis_server.agents.catalog import Catalog, CatalogAgent, CatalogTeam
from ignis_server.agents.cover import Exclusion, Inclusion
from ignis_server.agents.model import (
    AgentFilter,
    AgentFormat,
    DetailLevel,
    Diagnostic,
    Project,
    Severity,
    TokenPrices,
)
from ignis_server.agents.search import Found, Ranking
from ignis_server.agents.snapshot import Snapshot
from ignis_server.errors import FeatureUnavailable
from ignis_server.rpc.checks import Checks
from ignis_server.rpc.cursor import decode_cursor, encode_cursor

__all__ = [
    "AgentPage",
    "DiagnosticPage",
    "SearchPage",
    "from_agent_page",
    "from_catalog",
    "from_diagnostic_page",
    "from_loaded",
    "from_ranking",
    "from_whole_agent",
    "to_agent_page",
    "to_agent_reference",
    "to_diagnostic_page",
    "to_project",
    "to_search_page",
]

MAX_BRIEF_BYTES: Final = 65_536
MAX_TASK_BYTES: Final = 8_192
MAX_QUERY_BYTES: Final = 8_192
MAX_TAGS: Final = 64
MAX_LABEL_CHARACTERS: Final = 128
MAX_REFERENCE_CHARACTERS: Final = 1_024
MAX_REQUIRED_AGENTS: Final = 128
MAX_REQUIRED_TEAMS: Final = 16
MAX_FORBIDDEN_AGENTS: Final = 1_024
MAX_FORMATS: Final = 16
MAX_CATEGORIES: Final = 64
MAX_BUDGET_TOKENS: Final = 10_000_000
MAX_PRICE: Final = 10.0

FORMATS: Final = {
    AgentFormat.CLAUDE_SUBAGENT: pb.AGENT_FORMAT_CLAUDE_SUBAGENT,
    AgentFormat.AGENT_SKILL: pb.AGENT_FORMAT_AGENT_SKILL,
    AgentFormat.BMAD_AGENT: pb.AGENT_FORMAT_BMAD_AGENT,
    AgentFormat.COPILOT_AGENT: pb.AGENT_FORMAT_COPILOT_AGENT,
    AgentFormat.COPILOT_CHAT_MODE: pb.AGENT_FORMAT_COPILOT_CHAT_MODE,
    AgentFormat.CREWAI_AGENT: pb.AGENT_FORMAT_CREWAI_AGENT,
    AgentFormat.A2A_CARD: pb.AGENT_FORMAT_A2A_CARD,
    AgentFormat.PLAIN_MARKDOWN: pb.AGENT_FORMAT_PLAIN_MARKDOWN,
}
SEVERITIES: Final = {
    Severity.NOTE: pb.SEVERITY_NOTE,
    Severity.WARNING: pb.SEVERITY_WARNING,
    Severity.ERROR: pb.SEVERITY_ERROR,
}
DETAIL_LEVELS: Final = {
    DetailLevel.CARD: pb.DETAIL_LEVEL_CARD,
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
FORMAT_OF_NUMBER: Final = {int(number): meaning for meaning, number in FORMATS.items()}
SEVERITY_OF_NUMBER: Final = {int(number): meaning for meaning, number in SEVERITIES.items()} | {
    int(pb.SEVERITY_UNSPECIFIED): Severity.NOTE
}
DETAIL_OF_NUMBER: Final = {int(number): meaning for meaning, number in DETAIL_LEVELS.items()} | {
    int(pb.DETAIL_LEVEL_UNSPECIFIED): DetailLevel.FULL,
}


def to_project(request: pb.LoadAgentsRequest) -> Project:
    """Validate a load.

    Raises:
        FeatureUnavailable: The request uses a field that this release does not serve.
        InvalidRequest: The request breaks rules; all of them are named.
    """
    _refuse_unserved(request)
    checks = Checks()
    tags = checks.labels("tags", request.tags, max_count=MAX_TAGS, max_characters=MAX_LABEL_CHARACTERS)
    project = Project(
        brief=checks.text("brief", request.brief, max_bytes=MAX_BRIEF_BYTES),
        task=checks.text("task", request.task, max_bytes=MAX_TASK_BYTES),
        tags=tuple(sorted({tag.casefold() for tag in tags})),
        required_agents=_references(checks, "required_agents", request.required_agents, MAX_REQUIRED_AGENTS),
        required_teams=_references(checks, "required_teams", request.required_teams, MAX_REQUIRED_TEAMS),
        forbidden_agents=_references(checks, "forbidden_agents", request.forbidden_agents, MAX_FORBIDDEN_AGENTS),
        filter=_to_filter(checks, request.filter),
        budget_tokens=request.budget_tokens if request.HasField("budget_tokens") else None,
        max_detail=checks.member("max_detail", request.max_detail, pb.DetailLevel.DESCRIPTOR, DETAIL_OF_NUMBER.get)
        or DetailLevel.FULL,
        prices=_to_prices(checks, request.prices),
    )
    if request.budget_tokens > MAX_BUDGET_TOKENS:
        checks.add("budget_tokens", f"{request.budget_tokens} is more than the {MAX_BUDGET_TOKENS} allowed")
    if not (project.brief.strip() or project.task.strip() or tags or request.required_agents or request.required_teams):
        checks.add("brief", "says nothing, and neither do task, tags, required_agents and required_teams: set one")
    checks.finish()
    return project


def _refuse_unserved(request: pb.LoadAgentsRequest) -> None:
    if request.max_detail == pb.DETAIL_LEVEL_CORE:
        raise FeatureUnavailable("max_detail", "DETAIL_LEVEL_CORE")
    for field in ("min_recall", "held"):
        if request.HasField(field):
            raise FeatureUnavailable(field)


def _references(checks: Checks, field: str, values: Iterable[str], max_count: int) -> tuple[str, ...]:
    labels = checks.labels(field, list(values), max_count=max_count, max_characters=MAX_REFERENCE_CHARACTERS)
    return checks.unique(labels)


def _to_filter(checks: Checks, message: pb.AgentFilter) -> AgentFilter:
    if len(message.formats) > MAX_FORMATS:
        checks.add("filter.formats", f"{len(message.formats)} entries are more than the {MAX_FORMATS} allowed")
    formats = {
        checks.member(f"filter.formats[{number}]", value, pb.AgentFormat.DESCRIPTOR, FORMAT_OF_NUMBER.get)
        for number, value in enumerate(message.formats[:MAX_FORMATS])
    }
    categories = checks.labels(
        "filter.categories", message.categories, max_count=MAX_CATEGORIES, max_characters=MAX_LABEL_CHARACTERS
    )
    return AgentFilter(
        formats=frozenset(each for each in formats if each is not None),
        categories=frozenset(category.casefold() for category in categories),
    )


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


def from_loaded(loaded: Loaded) -> pb.LoadAgentsResponse:
    """Encode the answer to a load."""
    return pb.LoadAgentsResponse(
        catalog_revision=loaded.catalog_revision,
        selector_version=loaded.selector_version,
        bundle=_from_bundle(loaded.bundle),
        needs=map(_from_need, loaded.needs),
        left_out=map(_from_left_out, loaded.left_out),
        left_out_more_count=loaded.left_out_more,
        budget_tokens=loaded.budget_tokens,
        savings=_from_savings(loaded.savings),
        # Without sessions every answer begins an epoch, whose name is its content's.
        epoch=pb.Epoch(id=loaded.bundle.digest, reason=pb.EPOCH_REASON_INITIAL),
        cache_outcome=pb.CACHE_OUTCOME_COMPUTED,
    )


def _from_bundle(bundle: Bundle) -> pb.Bundle:
    return pb.Bundle(
        digest=bundle.digest,
        agents=map(_from_loaded_agent, bundle.agents),
        tokens=bundle.tokens,
        size_bytes=bundle.size_bytes,
    )


def _from_loaded_agent(loaded: LoadedAgent) -> pb.LoadedAgent:
    return pb.LoadedAgent(
        agent=_from_summary(loaded.agent),
        detail=DETAIL_LEVELS[loaded.detail],
        content=loaded.content,
        tokens=loaded.tokens,
        reason=INCLUSIONS[loaded.inclusion],
        evidence=_from_evidence(loaded.evidence),
        rank=loaded.rank,
    )


def _from_need(need: Need) -> pb.Need:
    return pb.Need(text=need.text, answered=bool(need.agent_ids), agent_ids=need.agent_ids)


def _from_left_out(left_out: LeftOutAgent) -> pb.LeftOutAgent:
    return pb.LeftOutAgent(
        agent=_from_summary(left_out.agent),
        evidence=_from_evidence(left_out.evidence),
        reason=EXCLUSIONS[left_out.exclusion],
        tokens=left_out.tokens,
    )


def _from_evidence(evidence: Evidence) -> pb.Evidence:
    return pb.Evidence(
        score=evidence.score,
        lexical=evidence.lexical,
        semantic=evidence.semantic,
        matched_terms=evidence.matched_terms,
        need_indexes=evidence.need_indexes,
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


def _from_summary(agent: CatalogAgent) -> pb.AgentSummary:
    definition = agent.definition
    return pb.AgentSummary(
        id=definition.agent_id,
        name=definition.name,
        digest=agent.digest,
        description=definition.description,
        format=FORMATS[definition.format],
        category=definition.category,
        card_tokens=agent.card_tokens,
        full_tokens=agent.full_tokens,
    )


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What a search asks for: `start` counts the results that earlier pages had."""

    query: str
    filter: AgentFilter
    start: int
    limit: int
    binding: str


def to_search_page(request: pb.SearchAgentsRequest, *, revision: str) -> SearchPage:
    """Validate a search of a catalog revision.

    Raises:
        InvalidRequest, PageTokenInvalid: The request breaks rules, or its token is of another one.
    """
    checks = Checks()
    query = checks.text("query", request.query, max_bytes=MAX_QUERY_BYTES)
    if not query.strip():
        checks.add("query", "must not be empty")
    agent_filter = _to_filter(checks, request.filter)
    limit = checks.page_size(request.page_size, default=10, most=100)
    checks.finish()
    binding = f"{revision}\0{query}\0{_binding(agent_filter)}"
    start = _position(request.page_token, "SearchAgents", binding) or "0"
    return SearchPage(query, agent_filter, int(start), limit, binding)


def from_ranking(ranking: Ranking, page: SearchPage) -> pb.SearchAgentsResponse:
    """Encode a page of a ranking."""
    return pb.SearchAgentsResponse(
        catalog_revision=ranking.snapshot.catalog.revision,
        selector_version=ranking.snapshot.selector_version,
        results=map(_from_found, ranking.found),
        next_page_token=_token(ranking.next_start, "SearchAgents", page.binding),
    )


def _from_found(found: Found) -> pb.SearchResult:
    evidence = _from_evidence(found.evidence)
    evidence.ClearField("need_indexes")
    return pb.SearchResult(agent=_from_summary(found.agent), rank=found.rank, evidence=evidence)


def to_agent_reference(request: pb.GetAgentRequest) -> str:
    """Validate the reference to an agent.

    Raises:
        InvalidRequest: It is empty or too long.
    """
    checks = Checks()
    reference = checks.label("agent", request.agent, max_characters=MAX_REFERENCE_CHARACTERS)
    checks.finish()
    return reference


def from_whole_agent(agent: CatalogAgent, catalog: Catalog) -> pb.GetAgentResponse:
    """Encode everything that is known of an agent."""
    definition = agent.definition
    return pb.GetAgentResponse(
        catalog_revision=catalog.revision,
        agent=pb.Agent(
            summary=_from_summary(agent),
            body=definition.body,
            title=definition.title,
            tags=definition.tags,
            tools=definition.tools,
            model=definition.model,
            examples=definition.examples,
            path=definition.path,
            line=definition.line,
            team_ids=catalog.teams_of(agent.agent_id),
            card_content=agent.card_text,
            full_content=agent.full_text,
            diagnostics=(_from_diagnostic(each) for each in catalog.diagnostics if each.path == definition.path),
        ),
    )


@dataclass(frozen=True, slots=True)
class AgentPage:
    """What a listing of agents asks for: those after an id, in order of ids."""

    filter: AgentFilter
    after_id: str
    limit: int
    binding: str


def to_agent_page(request: pb.ListAgentsRequest) -> AgentPage:
    """Validate a listing of agents.

    Raises:
        InvalidRequest, PageTokenInvalid: The request breaks rules, or its token is of another one.
    """
    checks = Checks()
    agent_filter = _to_filter(checks, request.filter)
    limit = checks.page_size(request.page_size, default=50, most=1_000)
    checks.finish()
    binding = _binding(agent_filter)
    return AgentPage(agent_filter, _position(request.page_token, "ListAgents", binding), limit, binding)


def from_agent_page(page: AgentPage, catalog: Catalog) -> pb.ListAgentsResponse:
    """Encode a page of a catalog's agents."""
    admitted = [agent for agent in catalog.agents if page.filter.admits(agent.definition)]
    rest = [agent for agent in admitted if agent.agent_id > page.after_id]
    listed = rest[: page.limit]
    last_id = listed[-1].agent_id if len(listed) < len(rest) else None
    return pb.ListAgentsResponse(
        catalog_revision=catalog.revision,
        agents=map(_from_summary, listed),
        next_page_token=_token(last_id, "ListAgents", page.binding),
        total_size=len(admitted),
    )


@dataclass(frozen=True, slots=True)
class DiagnosticPage:
    """What a listing of diagnostics asks for: `start` counts those that earlier pages had."""

    min_severity: Severity
    start: int
    limit: int
    binding: str


def to_diagnostic_page(request: pb.ListDiagnosticsRequest, *, revision: str) -> DiagnosticPage:
    """Validate a listing of the diagnostics of a catalog revision.

    Raises:
        InvalidRequest, PageTokenInvalid: The request breaks rules, or its token is of another one.
    """
    checks = Checks()
    severity = checks.member("min_severity", request.min_severity, pb.Severity.DESCRIPTOR, SEVERITY_OF_NUMBER.get)
    limit = checks.page_size(request.page_size, default=100, most=1_000)
    checks.finish()
    min_severity = severity or Severity.NOTE
    binding = f"{revision}\0{min_severity.name}"
    start = _position(request.page_token, "ListDiagnostics", binding) or "0"
    return DiagnosticPage(min_severity, int(start), limit, binding)


def from_diagnostic_page(page: DiagnosticPage, catalog: Catalog) -> pb.ListDiagnosticsResponse:
    """Encode a page of a catalog's diagnostics."""
    severe = [each for each in catalog.diagnostics if each.severity >= page.min_severity]
    stop = page.start + page.limit
    return pb.ListDiagnosticsResponse(
        catalog_revision=catalog.revision,
        diagnostics=map(_from_diagnostic, severe[page.start : stop]),
        next_page_token=_token(stop if stop < len(severe) else None, "ListDiagnostics", page.binding),
    )


def _from_diagnostic(diagnostic: Diagnostic) -> pb.Diagnostic:
    return pb.Diagnostic(
        path=diagnostic.path,
        line=diagnostic.line,
        severity=SEVERITIES[diagnostic.severity],
        code=diagnostic.code,
        message=diagnostic.message,
        remedy=diagnostic.remedy,
    )


def from_catalog(snapshot: Snapshot, *, default_budget_tokens: int) -> pb.GetCatalogResponse:
    """Encode the description of a snapshot."""
    catalog = snapshot.catalog
    formats = Counter(agent.definition.format for agent in catalog.agents)
    categories = Counter(agent.definition.category for agent in catalog.agents)
    severities = Counter(diagnostic.severity for diagnostic in catalog.diagnostics)
    compile_time = Timestamp()
    compile_time.FromDatetime(snapshot.compile_time)
    compile_duration = Duration()
    compile_duration.FromTimedelta(snapshot.compile_duration)
    return pb.GetCatalogResponse(
        catalog=pb.Catalog(
            revision=catalog.revision,
            agent_count=len(catalog.agents),
            full_tokens=sum(agent.full_tokens for agent in catalog.agents),
            card_tokens=sum(agent.card_tokens for agent in catalog.agents),
            tokenizer=catalog.tokenizer,
            selector_version=snapshot.selector_version,
            formats=[
                pb.FormatCount(format=FORMATS[each], agent_count=formats[each]) for each in FORMATS if each in formats
            ],
            categories=[
                pb.CategoryCount(category=each, agent_count=count) for each, count in sorted(categories.items())
            ],
            teams=map(_from_team, catalog.teams),
            diagnostics=[
                pb.SeverityCount(severity=SEVERITIES[each], diagnostic_count=count)
                for each, count in sorted(severities.items())
            ],
            file_count=catalog.file_count,
            compile_time=compile_time,
            compile_duration=compile_duration,
            default_budget_tokens=default_budget_tokens,
        )
    )


def _from_team(team: CatalogTeam) -> pb.Team:
    return pb.Team(id=team.team_id, name=team.name, description=team.description, agent_ids=team.agent_ids)


def _binding(agent_filter: AgentFilter) -> str:
    return f"{sorted(agent_filter.formats)}{sorted(agent_filter.categories)}"


def _position(token: str, method: str, binding: str) -> str:
    return decode_cursor(token, method=method, binding=binding) if token else ""


def _token(position: int | str | None, method: str, binding: str) -> str:
    return "" if position is None else encode_cursor(str(position), method=method, binding=binding)
