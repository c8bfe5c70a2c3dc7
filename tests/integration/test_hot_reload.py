"""Hot reload, as a client sees it: files are edited while the server runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import grpc
import pytest

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceStub
from ignis_client import CatalogChange, IgnisClient
from ignis_client.diagnostics import Severity
from ignis_client.errors import LimitReached
from ignis_server.agents.wire import watching
from ignis_server.app import running
from ignis_server.rpc.server import RpcServer
from ignis_server.settings import Settings
from support.catalogs import FILES, write_files
from support.program import serving_ignis

HAIKU = "skills/haiku/SKILL.md"
EDITED = FILES[HAIKU].replace("one turn", "no turn")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_files(tmp_path)


@asynccontextmanager
async def served(root: Path, **settings: object) -> AsyncIterator[tuple[RpcServer, IgnisClient]]:
    async with (
        asyncio.timeout(60),
        running(Settings.read(catalog_paths=(root,), listen="127.0.0.1:0", **settings)) as server,
        IgnisClient(server.address) as ignis,
    ):
        yield server, ignis


def ids(change: CatalogChange) -> tuple[list[str], list[str], list[str]]:
    return [each.id for each in change.added], [each.id for each in change.changed], list(change.removed_ids)


@pytest.mark.parametrize("how", ["events", "polling"])
async def test_an_edit_is_served_without_a_restart(root: Path, how: str) -> None:
    async with served(root, catalog_watch=how) as (_, ignis), aclosing(ignis.watch_catalog()) as changes:
        first = await anext(changes)
        write_files(root, {HAIKU: EDITED, "new.md": "---\nname: new\ndescription: Is new.\n---\nNew.\n"})
        (root / "skills/sourdough/SKILL.md").unlink()
        second = await anext(changes)
        loaded = await ignis.load_agents("a haiku about autumn")
        pinned = await ignis.load_agents(required_agents=[f"skills/haiku@{digest_of(first, 'skills/haiku')}"])

    assert first.previous_revision == ""
    assert (len(first.added), first.changed, first.removed_ids) == (8, (), ())
    assert (second.previous_revision, second.revision) == (first.revision, loaded.catalog_revision)
    assert ids(second) == (["new"], ["skills/haiku"], ["skills/sourdough"])
    assert "no turn" in loaded.text
    assert "one turn" in pinned.text


def digest_of(change: CatalogChange, agent_id: str) -> str:
    return next(each.digest for each in (*change.added, *change.changed) if each.id == agent_id)


async def test_a_broken_edit_is_told_and_changes_no_agent(root: Path) -> None:
    async with served(root) as (_, ignis), aclosing(ignis.watch_catalog()) as changes:
        await anext(changes)
        write_files(root, {HAIKU: ""})
        change = await anext(changes)
        agent = await ignis.get_agent("haiku")
        remarks = [each async for each in ignis.list_diagnostics(min_severity=Severity.ERROR)]

    assert ids(change) == ([], [], [])
    assert "one turn" in agent.body
    assert [each.code for each in remarks if each.path == HAIKU] == ["edit-rejected", "empty-file"]


async def test_a_catalog_that_is_not_watched_stays_as_it_was(root: Path) -> None:
    async with served(root, catalog_watch="off") as (_, ignis):
        (root / HAIKU).unlink()
        await asyncio.sleep(1.5)  # longer than it takes where it is watched

        assert (await ignis.get_agent("haiku")).summary.name == "haiku"


async def test_calls_go_on_while_the_catalog_changes(root: Path) -> None:
    async with served(root) as (_, ignis), aclosing(ignis.watch_catalog()) as changes:
        await anext(changes)
        texts: set[str] = set()
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                texts.add((await ignis.load_agents("a haiku about autumn")).text)

        callers = [asyncio.create_task(load()) for _ in range(4)]
        for number in range(3):
            write_files(root, {HAIKU: FILES[HAIKU].replace("one turn", f"{number} turns")})
            await anext(changes)
        stop.set()
        await asyncio.gather(*callers)

    assert len(texts) >= 3


async def test_a_watch_goes_on_with_the_next_server(root: Path) -> None:
    async with (
        serving_ignis("--catalog", root) as first,
        IgnisClient(first.address) as ignis,
        aclosing(ignis.watch_catalog()) as changes,
    ):
        known = await anext(changes)
        await first.terminate()
        write_files(root, {HAIKU: EDITED})
        async with serving_ignis("--catalog", root, "--listen", first.address), asyncio.timeout(30):
            change = await anext(changes)

    # The new server has no past of its own.
    assert change.previous_revision == ""
    assert change.revision != known.revision
    assert len(change.added) == 8


async def test_a_watch_does_not_hold_up_the_end_of_the_server(root: Path) -> None:
    async with (
        serving_ignis("--catalog", root) as serving,
        IgnisClient(serving.address) as ignis,
        aclosing(ignis.watch_catalog()) as changes,
    ):
        await anext(changes)
        async with asyncio.timeout(5):
            ended = await serving.terminate()

    assert ended.status == 0


async def test_a_revision_that_is_not_known_is_out_of_range(root: Path) -> None:
    async with served(root) as (server, ignis):
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = AgentLoaderServiceStub(channel)
            stream = stub.WatchCatalog(pb.WatchCatalogRequest(known_revision="sha256:0"))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()
        present = (await ignis.get_catalog()).revision

    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert present in (caught.value.details() or "")


async def test_one_watch_too_many_is_refused(root: Path) -> None:
    async with served(root, max_watchers=1) as (_, ignis), aclosing(ignis.watch_catalog()) as changes:
        await anext(changes)
        with pytest.raises(LimitReached, match="1 streams of"):
            async for _ in ignis.watch_catalog():
                pass


async def test_who_knows_the_present_revision_hears_heartbeats(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignis_server.agents.watch.HEARTBEAT_SECONDS", 0.05)
    async with served(root) as (server, ignis), grpc.aio.insecure_channel(server.address) as channel:
        revision = (await ignis.get_catalog()).revision
        stream = AgentLoaderServiceStub(channel).WatchCatalog(pb.WatchCatalogRequest(known_revision=revision))
        heard = [await stream.read() for _ in range(2)]

    assert heard == [pb.WatchCatalogResponse(heartbeat=pb.CatalogHeartbeat(revision=revision))] * 2


async def test_a_step_that_is_larger_than_a_message_comes_in_several(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_PAGE_BYTES", 400)
    async with served(root) as (server, ignis):
        whole = await anext(aiter(ignis.watch_catalog()))
        async with grpc.aio.insecure_channel(server.address) as channel:
            parts_of_it: list[pb.WatchCatalogResponse] = []
            async for part in AgentLoaderServiceStub(channel).WatchCatalog(pb.WatchCatalogRequest()):
                parts_of_it.append(part)
                if not part.change.has_more:
                    break

    assert len(parts_of_it) > 2
    assert all(part.ByteSize() < 700 for part in parts_of_it)
    assert [each.id for part in parts_of_it for each in part.change.added] == [each.id for each in whole.added]
