"""A session through the real server: what is new comes, what is held stays, and an edit begins an epoch."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from ignis_client import EpochReason, IgnisClient
from ignis_client.errors import AgentNotFound, DigestMismatch
from ignis_client.session import Session
from ignis_server.app import running
from ignis_server.settings import Settings
from support.catalogs import FILES, write_files


async def test_each_turn_sends_what_is_new(ignis: IgnisClient) -> None:
    session = ignis.session()
    texts = []
    for task in ("bake bread", "write a haiku about autumn", "bake bread"):
        loaded = await session.load_agents("tune slow PostgreSQL queries", task=task)
        texts.append(session.text)

    assert [agent.id for agent in session.agents] == ["backend/postgres-dba", "skills/sourdough", "skills/haiku"]
    assert texts[1].startswith(texts[0])
    assert texts[2] == texts[1]
    assert loaded.agents == ()
    assert loaded.epoch.reason is EpochReason.CONTINUED
    assert loaded.epoch.tokens == sum(agent.tokens for agent in session.agents)


async def test_a_load_that_fails_changes_nothing(ignis: IgnisClient) -> None:
    session = ignis.session()
    await session.load_agents("bake bread")
    before = session.text, session.held

    with pytest.raises(AgentNotFound):
        await session.load_agents("bake bread", required_agents=["nobody"])

    assert (session.text, session.held) == before


async def test_loads_at_once_wait_for_each_other(ignis: IgnisClient) -> None:
    session = ignis.session()
    await asyncio.gather(*(session.load_agents(brief) for brief in ("bread", "haiku", "Stripe payments", "Kubernetes")))

    assert len({agent.id for agent in session.agents}) == len(session.agents) == 4


async def test_an_edit_of_what_is_held_begins_an_epoch(tmp_path: Path) -> None:
    root = write_files(tmp_path)
    async with (
        asyncio.timeout(60),
        running(Settings.read(catalog_paths=(root,), listen="127.0.0.1:0")) as server,
        IgnisClient(server.address) as ignis,
        aclosing(ignis.watch_catalog()) as changes,
    ):
        await anext(changes)
        session = ignis.session()
        await session.load_agents("a haiku about autumn; bake bread")
        write_files(root, {"skills/haiku/SKILL.md": FILES["skills/haiku/SKILL.md"].replace("one turn", "no turn")})
        await anext(changes)
        loaded = await session.load_agents("a haiku about autumn; bake bread")

    assert loaded.epoch.reason is EpochReason.AGENT_CHANGED
    assert session.text == loaded.text
    assert "no turn" in session.text


async def test_a_session_whose_text_is_not_what_the_server_takes_it_for_says_so(ignis: IgnisClient) -> None:
    other = ignis.session()
    await other.load_agents("a haiku about autumn")

    async def swapped(brief: str, *, held: object, **_: object) -> object:  # noqa: ARG001 - as a load has it
        return await ignis.load_agents(brief, held=other.held)

    session = Session(swapped)  # type: ignore[arg-type]  # says that it holds something else than it does
    with pytest.raises(DigestMismatch):
        await session.load_agents("bake bread")

    assert session.text == ""
