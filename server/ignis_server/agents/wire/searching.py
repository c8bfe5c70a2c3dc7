"""SearchAgents: its request validated, a page of its ranking encoded."""

from dataclasses import dataclass
from typing import Final

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.model import AgentFilter
from ignis_server.agents.search import Found, Ranking
from ignis_server.agents.wire.parts import (
    filter_binding,
    from_evidence,
    from_position,
    from_summary,
    to_filter,
    to_offset,
)
from ignis_server.rpc.checks import Checks

__all__ = ["SearchPage", "from_ranking", "to_search_page"]

MAX_QUERY_BYTES: Final = 8_192


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
    agent_filter = to_filter(checks, request.filter)
    limit = checks.page_size(request.page_size, default=10, most=100)
    checks.finish()
    binding = f"{revision}\0{query}\0{filter_binding(agent_filter)}"
    start = to_offset(request.page_token, "SearchAgents", binding)
    return SearchPage(query, agent_filter, start, limit, binding)


def from_ranking(ranking: Ranking, page: SearchPage) -> pb.SearchAgentsResponse:
    """Encode a page of a ranking."""
    return pb.SearchAgentsResponse(
        catalog_revision=ranking.snapshot.catalog.revision,
        selector_version=ranking.snapshot.selector_version,
        results=map(_from_found, ranking.found),
        next_page_token=from_position(ranking.next_start, "SearchAgents", page.binding),
    )


def _from_found(found: Found) -> pb.SearchResult:
    evidence = from_evidence(found.evidence)
    evidence.ClearField("need_indexes")
    return pb.SearchResult(agent=from_summary(found.agent), rank=found.rank, evidence=evidence)
