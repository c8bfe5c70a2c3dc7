"""GetAgent, ListAgents, GetCatalog and ListDiagnostics: requests validated, a snapshot's parts encoded."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.catalog import Catalog, CatalogAgent, CatalogTeam
from ignis_server.agents.model import AgentFilter
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.wire.parts import (
    FORMATS,
    MAX_PAGE_BYTES,
    MAX_REFERENCE_CHARACTERS,
    SEVERITIES,
    filter_binding,
    from_diagnostic,
    from_position,
    from_summary,
    to_filter,
    to_offset,
    to_position,
)
from ignis_server.diagnostics import Severity
from ignis_server.rpc.checks import Checks

__all__ = [
    "AgentPage",
    "DiagnosticPage",
    "from_agent_page",
    "from_catalog",
    "from_diagnostic_page",
    "from_whole_agent",
    "to_agent_page",
    "to_agent_reference",
    "to_diagnostic_page",
]

SEVERITY_OF_NUMBER: Final = {int(number): meaning for meaning, number in SEVERITIES.items()} | {
    int(pb.SEVERITY_UNSPECIFIED): Severity.NOTE
}


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
            summary=from_summary(agent),
            body=definition.body,
            title=definition.title,
            tags=definition.tags,
            tools=definition.tools,
            model=definition.model,
            examples=definition.examples,
            path=definition.path,
            line=definition.line,
            team_ids=catalog.teams_of(agent.agent_id),
            card_content=agent.card.text,
            core_content=agent.core.text,
            core_omitted_sections=agent.core.omitted_sections,
            full_content=agent.full.text,
            diagnostics=(from_diagnostic(each) for each in catalog.diagnostics if each.path == definition.path),
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
    agent_filter = to_filter(checks, request.filter)
    limit = checks.page_size(request.page_size, default=50, most=1_000)
    checks.finish()
    binding = filter_binding(agent_filter)
    return AgentPage(agent_filter, to_position(request.page_token, "ListAgents", binding), limit, binding)


def from_agent_page(page: AgentPage, catalog: Catalog) -> pb.ListAgentsResponse:
    """Encode a page of a catalog's agents."""
    admitted = [agent for agent in catalog.agents if page.filter.admits(agent.definition)]
    rest = [agent for agent in admitted if agent.agent_id > page.after_id]
    listed = list(_within(MAX_PAGE_BYTES, map(from_summary, rest[: page.limit])))
    last_id = listed[-1].id if len(listed) < len(rest) else None
    return pb.ListAgentsResponse(
        catalog_revision=catalog.revision,
        agents=listed,
        next_page_token=from_position(last_id, "ListAgents", page.binding),
        total_size=len(admitted),
    )


def _within(max_bytes: int, summaries: Iterable[pb.AgentSummary]) -> Iterator[pb.AgentSummary]:
    """Take summaries while they fit in a page, and the first one at any rate."""
    size = 0
    for number, summary in enumerate(summaries):
        size += summary.ByteSize()
        if number and size > max_bytes:
            return
        yield summary


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
    start = to_offset(request.page_token, "ListDiagnostics", binding)
    return DiagnosticPage(min_severity, start, limit, binding)


def from_diagnostic_page(page: DiagnosticPage, catalog: Catalog) -> pb.ListDiagnosticsResponse:
    """Encode a page of a catalog's diagnostics."""
    severe = [each for each in catalog.diagnostics if each.severity >= page.min_severity]
    stop = page.start + page.limit
    return pb.ListDiagnosticsResponse(
        catalog_revision=catalog.revision,
        diagnostics=map(from_diagnostic, severe[page.start : stop]),
        next_page_token=from_position(stop if stop < len(severe) else None, "ListDiagnostics", page.binding),
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
            full_tokens=sum(agent.full.tokens for agent in catalog.agents),
            card_tokens=sum(agent.card.tokens for agent in catalog.agents),
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
