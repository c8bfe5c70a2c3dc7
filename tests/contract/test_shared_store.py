"""What every store keeps to that replicas share: the one on Redis, on Redis Cluster, and the fake that other tests use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from ignis_server.agents.cache.redis_store import RedisStore
from ignis_server.agents.cache.shared_store import SharedStore
from support.collector import free_port
from support.fakes import HandClock, RecordedSignals, StoreInMemory
from support.valkey import Valkey, valkey

MILLISECOND = 0.001


@dataclass(frozen=True, slots=True)
class Kept:
    """A store, and the way to let time pass for it."""

    store: SharedStore
    pass_time: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["memory", "redis", "cluster"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "memory":
        clock = HandClock()

        async def turn(seconds: float) -> None:
            clock.turn(seconds)

        yield Kept(StoreInMemory(clock), turn)
        return
    signals = RecordedSignals()
    is_cluster = request.param == "cluster"
    cluster = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    async with valkey(*cluster if is_cluster else ()) as server:
        url = server.url
        if is_cluster:
            url = f"redis+cluster://127.0.0.1:{server.port}"
            await all_slots_to(server)
        store = RedisStore(url, namespace="test", signals=signals)
        yield Kept(store, asyncio.sleep)
        await store.aclose()
    assert signals.reported == []


async def all_slots_to(server: Valkey) -> None:
    """Make a cluster of one server."""
    async with asyncio.timeout(20), server.client() as client:
        command: Callable[..., Awaitable[bytes]] = client.execute_command
        await command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        while b"cluster_state:ok" not in await command("CLUSTER", "INFO"):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)


async def test_what_was_put_is_got_and_nothing_else(kept: Kept) -> None:
    await kept.store.put({"a": b"1", "b": b"\0" * 3_000_000}, seconds=60)

    assert await kept.store.get(["a", "b", "c"]) == {"a": b"1", "b": b"\0" * 3_000_000}
    assert await kept.store.get(["a"]) == {"a": b"1"}
    assert await kept.store.get(["c"]) == {}
    assert await kept.store.get([]) == {}


async def test_many_are_put_and_got_at_once(kept: Kept) -> None:
    values = {f"key-{number}": str(number).encode() for number in range(300)}

    await kept.store.put(values, seconds=60)

    assert await kept.store.get(list(values)) == values


async def test_the_last_that_was_put_counts(kept: Kept) -> None:
    await kept.store.put({"a": b"1"}, seconds=60)
    await kept.store.put({"a": b"2"}, seconds=60)

    assert await kept.store.get(["a"]) == {"a": b"2"}


async def test_what_was_put_goes_when_its_time_has_come(kept: Kept) -> None:
    await kept.store.put({"a": b"1"}, seconds=0.1)
    await kept.store.put({"b": b"1"}, seconds=60)
    await kept.pass_time(0.15)

    assert await kept.store.get(["a", "b"]) == {"b": b"1"}


async def test_one_claim_is_granted_at_a_time(kept: Kept) -> None:
    assert await kept.store.claim("a", seconds=60) == (True, None)
    assert await kept.store.claim("a", seconds=60) == (False, None)
    assert await kept.store.claim("b", seconds=60) == (True, None)


async def test_who_claims_what_was_made_meanwhile_gets_it(kept: Kept) -> None:
    await kept.store.claim("a", seconds=60)
    await kept.store.put({"a": b"1"}, seconds=60)

    assert await kept.store.claim("a", seconds=60) == (False, b"1")


async def test_a_claim_ends_with_its_time(kept: Kept) -> None:
    await kept.store.claim("a", seconds=0.1)
    await kept.pass_time(0.15)

    assert await kept.store.claim("a", seconds=60) == (True, None)


async def test_who_fulfils_a_claim_ends_it(kept: Kept) -> None:
    await kept.store.claim("a", seconds=60)
    await kept.store.fulfil("a", b"1", seconds=60)

    assert await kept.store.get(["a"]) == {"a": b"1"}
    assert await kept.store.claim("a", seconds=60) == (True, b"1")


async def test_who_gives_up_a_claim_leaves_it_to_others(kept: Kept) -> None:
    await kept.store.claim("a", seconds=60)
    await kept.store.give_up("a")
    await kept.store.give_up("b")

    assert await kept.store.claim("a", seconds=60) == (True, None)


async def test_the_newest_stay_on_the_list(kept: Kept) -> None:
    await kept.store.note({b"old": 1.0, b"older": 0.5}, keep=3)
    await kept.store.note({b"new": 2.0, b"older": 3.0, b"newest": 4.0}, keep=3)
    await kept.store.note({}, keep=3)

    assert await kept.store.noted(10) == [b"newest", b"older", b"new"]
    assert await kept.store.noted(2) == [b"newest", b"older"]
