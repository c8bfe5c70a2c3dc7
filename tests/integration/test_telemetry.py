"""Telemetry of the whole service, through a real third-party collector and through none."""

import asyncio
import socket
from collections import Counter
from pathlib import Path

import pytest

from ignis_client import IgnisClient
from ignis_client.errors import AgentNotFound
from ignis_server.app import running
from ignis_server.settings import Settings
from ignis_server.telemetry.sink.sink import otlp_sink
from support.collector import free_port, rotel

SERVICE = "ignis.agents.v1.AgentLoaderService"


def settings_with(endpoint: str, catalog: Path, outbox: Path, **more: object) -> Settings:
    return Settings.read(
        catalog_paths=(catalog,),
        listen="127.0.0.1:0",
        outbox_dir=outbox,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_METRIC_EXPORT_INTERVAL=500,
        **more,
    )


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_every_call_arrives_as_a_span_through_a_real_collector(
    small_catalog: Path, tmp_path: Path, protocol: str
) -> None:
    async with asyncio.timeout(60), otlp_sink() as sink, rotel(sink.port) as collector:
        endpoint = collector.grpc if protocol == "grpc" else collector.http
        settings = settings_with(endpoint, small_catalog, tmp_path, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        async with running(settings) as server, IgnisClient(server.address) as ignis:
            await ignis.load_agents("tune PostgreSQL queries")
            await ignis.search_agents("bread")
            with pytest.raises(AgentNotFound):
                await ignis.get_agent("nobody")
        received = sink.received
        # The sink only counts; there is nothing to wait on.
        while received.spans.total() < 3 or not received.points["ignis.load.tokens"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert received.spans == Counter({f"{SERVICE}/{name}": 1 for name in ("LoadAgents", "SearchAgents", "GetAgent")})
    assert {
        "ignis.catalog.agents",
        "ignis.load.saved_tokens",
        "rpc.server.call.duration",
        "rpc.server.response.size",
        "process.memory.usage",
        "ignis.event_loop.lag",
    } <= received.points.keys()
    assert (received.corrupt, received.recoded, received.unnamed) == (0, 0, 0)


async def test_a_collector_that_is_not_there_fails_no_call(small_catalog: Path, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    async with (
        asyncio.timeout(60),
        running(settings_with(endpoint, small_catalog, tmp_path)) as server,
        IgnisClient(server.address) as ignis,
    ):
        loaded = await ignis.load_agents("tune PostgreSQL queries")

    assert [agent.id for agent in loaded.agents] == ["backend/postgres-dba"]


async def test_without_an_endpoint_nothing_leaves_and_nothing_is_kept(
    small_catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: tuple[str, int]) -> None:
        opened.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    settings = Settings.read(catalog_paths=(small_catalog,), listen="127.0.0.1:0", outbox_dir=tmp_path / "outbox")

    async with running(settings):
        pass

    assert opened == []
    assert not (tmp_path / "outbox").exists()


async def test_what_found_no_receiver_arrives_when_there_is_one(small_catalog: Path, tmp_path: Path) -> None:
    port = free_port()
    async with (
        asyncio.timeout(60),
        running(settings_with(f"http://127.0.0.1:{port}", small_catalog, tmp_path)) as server,
        IgnisClient(server.address) as ignis,
    ):
        for _ in range(3):
            await ignis.get_catalog()
        await asyncio.sleep(1.0)  # longer than it takes until they are sent in vain
        async with otlp_sink(f"127.0.0.1:{port}") as sink:
            while sink.received.spans.total() < 3:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0.05)


async def test_what_a_process_could_not_deliver_the_next_one_does(small_catalog: Path, tmp_path: Path) -> None:
    port = free_port()
    settings = settings_with(f"http://127.0.0.1:{port}", small_catalog, tmp_path, telemetry_drain_seconds=0.1)
    async with asyncio.timeout(60):
        async with running(settings) as server, IgnisClient(server.address) as ignis:
            for _ in range(3):
                await ignis.get_catalog()
        async with otlp_sink(f"127.0.0.1:{port}") as sink, running(settings):
            while sink.received.spans.total() < 3:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0.05)

    assert sink.received.spans == Counter({f"{SERVICE}/GetCatalog": 3})
    for outbox_id in sink.received.batches:
        assert sink.received.gaps(outbox_id) == []
