"""Searching, getting and listing, through the real client from the real server."""

import pytest

from ignis_client import AgentFormat, IgnisClient
from ignis_client.errors import AgentNotFound
from support.catalogs import FILES


async def test_a_search_ranks_the_agent_of_that_trade_first(ignis: IgnisClient) -> None:
    results = await ignis.search_agents("slow database queries")

    assert results[0].agent.id == "backend/postgres-dba"
    assert results[0].rank == 1
    assert "queries" in results[0].evidence.matched_terms


async def test_pages_of_a_search_continue_each_other(ignis: IgnisClient) -> None:
    whole = await ignis.search_agents("agent for code, queries and release", limit=100)

    first = await ignis.search_agents("agent for code, queries and release", limit=2)

    assert len(whole) > 2
    assert whole[:2] == first


async def test_a_search_keeps_to_its_filter(ignis: IgnisClient) -> None:
    results = await ignis.search_agents("bread and queries", formats=[AgentFormat.AGENT_SKILL])

    assert {result.agent.format for result in results} == {AgentFormat.AGENT_SKILL}


async def test_an_agent_is_found_by_id_by_name_and_by_digest(ignis: IgnisClient) -> None:
    by_id = await ignis.get_agent("backend/postgres-dba")
    digest = by_id.summary.digest.removeprefix("sha256:")

    by_name = await ignis.get_agent("Postgres-DBA")
    by_digest = await ignis.get_agent(f"postgres-dba@{digest[:8]}")

    assert by_id == by_name == by_digest
    assert by_id.tools == ("Read", "Bash")
    assert by_id.model == "sonnet"
    assert by_id.team_ids == ("pack/agent-teams/duo",)
    assert by_id.body in FILES["backend/postgres-dba.md"]


async def test_an_agent_of_another_digest_is_not_found(ignis: IgnisClient) -> None:
    with pytest.raises(AgentNotFound):
        await ignis.get_agent("postgres-dba@00000000")


async def test_a_listing_has_every_agent_once_in_order(ignis: IgnisClient) -> None:
    catalog = await ignis.get_catalog()

    ids = [summary.id async for summary in ignis.list_agents()]

    assert ids == sorted(set(ids))
    assert len(ids) == catalog.agent_count == 8


async def test_the_catalog_describes_itself(ignis: IgnisClient) -> None:
    catalog = await ignis.get_catalog()

    assert {each.format: each.agent_count for each in catalog.formats} == {
        AgentFormat.CLAUDE_SUBAGENT: 5,
        AgentFormat.AGENT_SKILL: 2,
        AgentFormat.BMAD_AGENT: 1,
    }
    assert [team.agent_ids for team in catalog.teams] == [("backend/postgres-dba", "pack/agents/pm")]
    assert catalog.tokenizer == "o200k_base"
    assert catalog.file_count == len(FILES)


async def test_a_file_that_is_no_agent_is_named_with_the_reason(ignis: IgnisClient) -> None:
    diagnostics = [diagnostic async for diagnostic in ignis.list_diagnostics()]

    assert [(each.path, each.code) for each in diagnostics] == [("README.md", "not-an-agent")]
