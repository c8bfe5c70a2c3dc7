"""URLs of Redis: what each form means, and that none of them gives a password away."""

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool

from ignis_server.agents.cache.redis_url import check_redis_url, client_of
from ignis_server.errors import SettingsInvalid
from ignis_server.settings import Settings


def options_of(url: str) -> dict[str, object]:
    client = client_of(url, timeout_seconds=1.0)
    assert isinstance(client, Redis)
    return client.connection_pool.connection_kwargs


def test_one_server_by_password_user_and_database() -> None:
    options = options_of("redis://ignis:se%40cret@cache:6380/2")

    assert (options["host"], options["port"], options["db"]) == ("cache", 6380, 2)
    assert (options["username"], options["password"]) == ("ignis", "se@cret")
    assert options["socket_timeout"] == options["socket_connect_timeout"] == 1.0


def test_a_socket_of_this_machine() -> None:
    assert options_of("unix://:pw@/run/redis.sock?db=3")["path"] == "/run/redis.sock"


def test_sentinel_with_credentials_of_its_own_and_the_services() -> None:
    client = client_of(
        "rediss+sentinel://ignis:pw@one:1,two/mymaster/4?sentinel_password=s&ssl_ca_certs=ca.pem", timeout_seconds=1.0
    )

    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    sentinels = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
    assert pool.service_name == "mymaster"
    assert [(each["host"], each["port"], each["password"]) for each in sentinels] == [
        ("one", 1, "s"),
        ("two", 26379, "s"),
    ]
    assert all(each["ssl_ca_certs"] == "ca.pem" for each in sentinels)
    options = pool.connection_kwargs
    assert (options["username"], options["password"], options["db"]) == ("ignis", "pw", 4)


def test_a_cluster_by_any_of_its_nodes() -> None:
    client = client_of("redis+cluster://ignis:pw@one:7000,[::1]:7001", timeout_seconds=1.0)

    assert isinstance(client, RedisCluster)
    assert [(node.host, node.port) for node in client.nodes_manager.startup_nodes.values()] == [
        ("one", 7000),
        ("::1", 7001),
    ]


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://cache", "must begin with one of redis://"),
        ("cache:6379", "must begin with one of redis://"),
        ("redis+sentinel://one:26379", "must name the service"),
        ("redis://:secret@", "must have a host"),
        ("redis://:secret@cache:port", "must have a host, and ports that are numbers"),
        ("redis+cluster://:secret@one,,two", "must have a host"),
        ("unix://", "must have the path of a socket"),
    ],
)
def test_a_wrong_one_is_refused_with_the_way_to_write_it_and_without_its_secret(url: str, remedy: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        check_redis_url(url)
    with pytest.raises(SettingsInvalid) as refused:
        Settings.read(redis_url=url)

    assert remedy in str(caught.value)
    assert remedy in str(refused.value)
    assert "secret" not in str(caught.value) + str(refused.value)


def test_settings_do_not_show_it() -> None:
    assert "secret" not in repr(Settings.read(redis_url="redis://:secret@cache"))
