"""Reading a catalog: one agent, the description, and lists that page by themselves."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client import (
    Agent,
    AgentFormat,
    Catalog,
    CategoryCount,
    Diagnostic,
    FormatCount,
    IgnisClient,
    SearchResult,
    Severity,
    SeverityCount,
    Team,
)
from ignis_client.errors import PageTokenInvalid
from unit.client.samples import EVIDENCE, EVIDENCE_MESSAGE, SUMMARY, SUMMARY_MESSAGE, summary_message
from unit.client.scripted_server import ScriptedServer, abort

SECOND = "second page"
THIRD = "third page"

DIAGNOSTIC_MESSAGE = pb.Diagnostic(
    path="web/nextjs.md",
    line=3,
    severity=pb.SEVERITY_WARNING,
    code="invalid-yaml",
    message="a colon stands unquoted",
    remedy="quote it",
)
DIAGNOSTIC = Diagnostic(
    path="web/nextjs.md",
    line=3,
    severity=Severity.WARNING,
    code="invalid-yaml",
    message="a colon stands unquoted",
    remedy="quote it",
)


async def test_agent_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.GetAgentResponse(
            agent=pb.Agent(
                summary=SUMMARY_MESSAGE,
                body="You build storefronts.",
                title="Next.js expert",
                tags=["web"],
                tools=["Read", "Bash"],
                model="opus",
                examples=["Build me a shop"],
                path="web/nextjs.md",
                line=4,
                team_ids=["fullstack"],
                card_content="card",
                core_content="core",
                full_content="full",
                core_omitted_sections=["Examples"],
                diagnostics=[DIAGNOSTIC_MESSAGE],
            )
        )
    )

    agent = await ignis.get_agent("nextjs")

    assert agent == Agent(
        summary=SUMMARY,
        body="You build storefronts.",
        title="Next.js expert",
        tags=("web",),
        tools=("Read", "Bash"),
        model="opus",
        examples=("Build me a shop",),
        path="web/nextjs.md",
        line=4,
        team_ids=("fullstack",),
        card_content="card",
        core_content="core",
        full_content="full",
        core_omitted_sections=("Examples",),
        diagnostics=(DIAGNOSTIC,),
    )
    assert agent.id == "web/nextjs"
    assert server.requests == [pb.GetAgentRequest(agent="nextjs")]


async def test_catalog_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.GetCatalogResponse(
            catalog=pb.Catalog(
                revision="sha256:77",
                agent_count=202,
                full_tokens=269_000,
                card_tokens=12_000,
                tokenizer="o200k_base",
                selector_version="3",
                formats=[pb.FormatCount(format=pb.AGENT_FORMAT_AGENT_SKILL, agent_count=2)],
                categories=[pb.CategoryCount(category="web", agent_count=7)],
                teams=[pb.Team(id="t", name="Team", description="All", agent_ids=["a", "b"])],
                diagnostics=[pb.SeverityCount(severity=pb.SEVERITY_ERROR, diagnostic_count=5)],
                file_count=230,
                compile_time=Timestamp(seconds=1_800_000_000, nanos=500_000_000),
                compile_duration=Duration(seconds=1, nanos=250_000_000),
                default_budget_tokens=16_000,
            )
        )
    )

    catalog = await ignis.get_catalog()

    assert catalog == Catalog(
        revision="sha256:77",
        agent_count=202,
        full_tokens=269_000,
        card_tokens=12_000,
        tokenizer="o200k_base",
        selector_version="3",
        formats=(FormatCount(AgentFormat.AGENT_SKILL, agent_count=2),),
        categories=(CategoryCount("web", agent_count=7),),
        teams=(Team(id="t", name="Team", description="All", agent_ids=("a", "b")),),
        diagnostics=(SeverityCount(Severity.ERROR, diagnostic_count=5),),
        file_count=230,
        compile_time=datetime(2027, 1, 15, 8, 0, 0, 500_000, tzinfo=UTC),
        compile_duration=timedelta(seconds=1.25),
        default_budget_tokens=16_000,
    )


async def test_listing_goes_on_until_the_last_page(server: ScriptedServer, ignis: IgnisClient) -> None:
    """A page may be empty and still not be the last; only its token says so."""
    server.script(
        pb.ListAgentsResponse(agents=[SUMMARY_MESSAGE, summary_message("b")], next_page_token=SECOND),
        pb.ListAgentsResponse(next_page_token=THIRD),
        pb.ListAgentsResponse(agents=[summary_message("c")]),
    )

    listed = [agent async for agent in ignis.list_agents(categories=["web"])]

    assert listed[0] == SUMMARY
    assert [agent.id for agent in listed] == ["web/nextjs", "b", "c"]
    assert [request.page_token for request in server.requests] == ["", SECOND, THIRD]
    assert {tuple(request.filter.categories) for request in server.requests} == {("web",)}
    assert {request.page_size for request in server.requests} == {200}


async def test_listing_that_is_left_asks_for_no_more(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.ListAgentsResponse(agents=[summary_message("a")], next_page_token=SECOND))

    async for agent in ignis.list_agents():
        assert agent.id == "a"
        break

    assert len(server.requests) == 1


async def test_listing_that_fails_midway_gives_what_it_had(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.ListAgentsResponse(agents=[summary_message("a")], next_page_token=SECOND),
        abort(grpc.StatusCode.INVALID_ARGUMENT, reason="PAGE_TOKEN_INVALID", metadata={"method": "ListAgents"}),
    )
    listing = ignis.list_agents()

    first = await anext(listing)
    with pytest.raises(PageTokenInvalid):
        await anext(listing)

    assert first.id == "a"


async def test_search_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.SearchAgentsResponse(
            results=[pb.SearchResult(agent=SUMMARY_MESSAGE, rank=1, evidence=EVIDENCE_MESSAGE)],
            next_page_token=SECOND,
        )
    )

    results = await ignis.search_agents("shop", limit=1, formats=[AgentFormat.BMAD_AGENT], categories=["web"])

    assert results == (SearchResult(agent=SUMMARY, rank=1, evidence=EVIDENCE),)
    assert results[0].id == "web/nextjs"
    assert server.requests == [
        pb.SearchAgentsRequest(
            query="shop",
            filter=pb.AgentFilter(formats=[pb.AGENT_FORMAT_BMAD_AGENT], categories=["web"]),
            page_size=1,
        )
    ]


async def test_search_pages_until_it_has_enough(server: ScriptedServer, ignis: IgnisClient) -> None:
    page = [pb.SearchResult(agent=summary_message("a"))] * 100
    server.script(
        pb.SearchAgentsResponse(results=page, next_page_token=SECOND),
        pb.SearchAgentsResponse(results=page, next_page_token=THIRD),
    )

    results = await ignis.search_agents("shop", limit=150)

    assert len(results) == 150
    assert [(request.page_size, request.page_token) for request in server.requests] == [
        (100, ""),
        (100, SECOND),
    ]


async def test_search_ends_where_the_ranking_ends(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.SearchAgentsResponse(results=[pb.SearchResult(agent=summary_message("a"))]))

    results = await ignis.search_agents("shop")

    assert [result.id for result in results] == ["a"]
    assert [request.page_size for request in server.requests] == [10]


async def test_search_for_nothing_is_refused(ignis: IgnisClient) -> None:
    with pytest.raises(ValueError, match="limit 0 is below 1"):
        await ignis.search_agents("shop", limit=0)


async def test_remarks_are_listed_from_a_severity_on(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.ListDiagnosticsResponse(diagnostics=[DIAGNOSTIC_MESSAGE], next_page_token=SECOND),
        pb.ListDiagnosticsResponse(diagnostics=[DIAGNOSTIC_MESSAGE]),
    )

    listed = [each async for each in ignis.list_diagnostics(min_severity=Severity.WARNING)]

    assert listed == [DIAGNOSTIC, DIAGNOSTIC]
    assert [request.page_token for request in server.requests] == ["", SECOND]
    assert {request.min_severity for request in server.requests} == {pb.SEVERITY_WARNING}
