"""Telemetry of the whole service when things go wrong: for every call that a client saw answered, its span arrives."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from ignis_client import IgnisClient
from ignis_client.errors import LimitReached
from ignis_server.app import running
from ignis_server.settings import Settings
from ignis_server.telemetry.sink.sink import otlp_sink
from support.collector import free_port
from support.program import Serving, serving_ignis
from support.traces import TracedCalls, TracedReceived

USERS = 10


@asynccontextmanager
async def serving(catalog: Path, outbox: Path, port: int, **environment: str) -> AsyncIterator[Serving]:
    async with serving_ignis(
        "--catalog",
        catalog,
        "--otlp-endpoint",
        f"http://127.0.0.1:{port}",
        IGNIS_OUTBOX_DIR=str(outbox),
        **environment,
    ) as started:
        yield started


async def use(address: str, calls: TracedCalls, seconds: float) -> None:
    """Have ten users call for so long."""
    async with grpc.aio.insecure_channel(address) as channel:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds

        async def user() -> None:
            while loop.time() < ends and await calls.call(channel):
                pass

        await asyncio.gather(*(user() for _ in range(USERS)))


async def all_arrive(received: TracedReceived, calls: TracedCalls) -> None:
    """Wait until the span of every call that was answered is there."""
    async with asyncio.timeout(60):
        while not received.traces.keys() >= set(calls.answered):  # noqa: ASYNC110 - the sink only counts
            await asyncio.sleep(0.05)


def check(received: TracedReceived, calls: TracedCalls) -> None:
    """Check that spans were repeated as whole batches only, and that no batch is missing."""
    for trace_id in calls.answered:
        # A span is in one batch, however often that came.
        assert len(received.batches_of[trace_id]) == 1
        ((outbox_id, sequence),) = received.batches_of[trace_id]
        assert received.traces[trace_id] == received.batches[outbox_id][sequence].copy_count
    assert received.corrupt == received.recoded == 0


@pytest.mark.parametrize("is_collector_up", [True, False])
async def test_kill_9_at_any_moment_loses_no_span_of_a_call_that_was_answered(
    small_catalog: Path, tmp_path: Path, *, is_collector_up: bool
) -> None:
    chance = random.Random(5)  # noqa: S311 - moments
    calls, received, port = TracedCalls(), TracedReceived(), free_port()
    kills = 5
    for _ in range(kills):
        async with serving(small_catalog, tmp_path, port) as server:
            users = asyncio.create_task(use(server.address, calls, seconds=5))
            if is_collector_up:
                async with otlp_sink(f"127.0.0.1:{port}", received):
                    await asyncio.sleep(chance.uniform(0.05, 0.8))
                    server.process.kill()
            else:
                await asyncio.sleep(chance.uniform(0.05, 0.8))
                server.process.kill()
            await users
    async with otlp_sink(f"127.0.0.1:{port}", received), serving(small_catalog, tmp_path, port):
        await all_arrive(received, calls)

    check(received, calls)
    assert len(calls.answered) > 20 * kills
    assert calls.failed >= kills


async def test_sigterm_with_the_collector_down_ends_in_time_and_loses_nothing(
    small_catalog: Path, tmp_path: Path
) -> None:
    calls, received, port = TracedCalls(), TracedReceived(), free_port()
    async with serving(small_catalog, tmp_path, port, IGNIS_TELEMETRY_DRAIN_SECONDS="1") as server:
        await use(server.address, calls, seconds=1)
        async with asyncio.timeout(10):
            assert (await server.terminate()).status == 0
    async with otlp_sink(f"127.0.0.1:{port}", received), serving(small_catalog, tmp_path, port):
        await all_arrive(received, calls)

    check(received, calls)


async def test_a_collector_that_goes_and_comes_loses_nothing(small_catalog: Path, tmp_path: Path) -> None:
    calls, received, port = TracedCalls(), TracedReceived(), free_port()
    async with serving(small_catalog, tmp_path, port) as server:
        users = asyncio.create_task(use(server.address, calls, seconds=4))
        for _ in range(3):
            async with otlp_sink(f"127.0.0.1:{port}", received):
                await asyncio.sleep(0.6)
            await asyncio.sleep(0.4)
        await users
        async with otlp_sink(f"127.0.0.1:{port}", received):
            await all_arrive(received, calls)

    check(received, calls)
    assert calls.failed == 0


async def test_two_processes_on_one_folder_deliver_all_of_both(small_catalog: Path, tmp_path: Path) -> None:
    calls, received, port = TracedCalls(), TracedReceived(), free_port()
    async with (
        otlp_sink(f"127.0.0.1:{port}", received),
        serving(small_catalog, tmp_path, port) as one,
        serving(small_catalog, tmp_path, port) as other,
    ):
        await asyncio.gather(*(use(each.address, calls, seconds=1) for each in (one, other)))
        await all_arrive(received, calls)

    check(received, calls)
    assert len(received.batches) == 2


async def calls_until_refused(ignis: IgnisClient) -> tuple[int, LimitReached]:
    """Call until a call is refused; return how many were not, and the refusal."""
    for answered in range(1_000_000):
        try:
            await ignis.get_catalog()
        except LimitReached as refusal:
            return answered, refusal
    raise AssertionError("no call was refused")


async def test_a_call_is_refused_where_telemetry_has_no_room_and_the_policy_is_to_refuse(
    small_catalog: Path, tmp_path: Path
) -> None:
    port = free_port()
    settings = Settings.read(
        catalog_paths=(small_catalog,),
        listen="127.0.0.1:0",
        outbox_dir=tmp_path,
        outbox_bytes=1 << 20,
        outbox_policy="refuse",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        telemetry_drain_seconds=0,
    )
    received = TracedReceived()
    async with asyncio.timeout(60), running(settings) as server, IgnisClient(server.address) as ignis:
        answered, refusal = await calls_until_refused(ignis)
        assert answered > 100
        assert "telemetry" in str(refusal)
        # Whoever asks for the service's health is answered, and when there is room again, so is everybody.
        async with otlp_sink(f"127.0.0.1:{port}", received):
            while received.spans.total() < answered:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0.05)
            while True:
                try:
                    await ignis.get_catalog()
                except LimitReached:
                    await asyncio.sleep(0.05)
                else:
                    break
