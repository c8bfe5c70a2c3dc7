"""The end of a server: what is under way is finished, and nothing hangs."""

import asyncio
import os
from pathlib import Path

import pytest

from ignis_client import IgnisClient
from ignis_client.errors import Unavailable
from support.collector import free_port
from support.program import serving_ignis


async def test_calls_under_way_when_sigterm_comes_are_finished(small_catalog: Path) -> None:
    async with serving_ignis("--catalog", small_catalog) as serving, IgnisClient(serving.address) as ignis:
        await ignis.get_catalog()
        calls = [asyncio.create_task(ignis.load_agents("tune PostgreSQL queries")) for _ in range(200)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        ended = await serving.terminate()
        results = await asyncio.gather(*calls, return_exceptions=True)

    assert ended.status == 0
    assert {type(result).__name__ for result in results} <= {"Loaded", "Unavailable"}
    assert "Loaded" in {type(result).__name__ for result in results}


async def test_sigterm_ends_the_server_though_the_collector_is_gone(small_catalog: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    async with serving_ignis("--catalog", small_catalog, "--otlp-endpoint", endpoint) as serving:
        async with IgnisClient(serving.address) as ignis:
            await ignis.load_agents("tune PostgreSQL queries")
        async with asyncio.timeout(15):
            ended = await serving.terminate()

    assert ended.status == 0


async def test_a_second_server_on_the_same_port_answers_after_kill_9(small_catalog: Path) -> None:
    async with serving_ignis("--catalog", small_catalog) as first, IgnisClient(first.address) as ignis:
        before = await ignis.load_agents("tune PostgreSQL queries")
        first.process.kill()
        await first.process.wait()
        with pytest.raises(Unavailable):
            await ignis.load_agents("tune PostgreSQL queries")

        async with serving_ignis("--catalog", small_catalog, "--listen", first.address):
            await ignis.wait_ready()
            after = await ignis.load_agents("tune PostgreSQL queries")

    assert after.text == before.text


async def test_processes_agree_on_every_byte_whatever_their_hash_seed(small_catalog: Path) -> None:
    digests = set()
    for seed in ("1", "2"):
        async with (
            serving_ignis("--catalog", small_catalog, PYTHONHASHSEED=seed, LANG=os.environ.get("LANG", "C")) as s,
            IgnisClient(s.address) as ignis,
        ):
            loaded = await ignis.load_agents("Next.js, Stripe and PostgreSQL on Kubernetes", tags=["security"])
            digests.add((loaded.catalog_revision, loaded.bundle.digest, str(loaded.needs), str(loaded.left_out)))

    assert len(digests) == 1
