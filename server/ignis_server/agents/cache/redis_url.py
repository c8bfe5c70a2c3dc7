"""Redis by URL: one server, a unix socket, Sentinel or Cluster, in the clear or by TLS, with or without an ACL user.

redis://[[user]:password@]host[:6379][/db][?option=value…]
rediss://…                                     the same by TLS; ?ssl_ca_certs=FILE for a private authority
unix://[[user]:password@]/path.sock[?db=0]
redis+sentinel://[…@]host[:26379][,host…]/service[/db][?sentinel_username=…&sentinel_password=…]
redis+cluster://[…@]host[:6379][,host…]
rediss+sentinel://…, rediss+cluster://…
"""

from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, Sentinel
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

__all__ = ["Client", "check_redis_url", "client_of", "close_client"]

Client: TypeAlias = "Redis | RedisCluster"

SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
SENTINEL_PORT = 26_379
REDIS_PORT = 6_379
MAX_CONNECTIONS = 64


def check_redis_url(url: str) -> None:
    """Check a URL, without connecting to anything.

    Raises:
        ValueError: It is none of the forms above; the message does not repeat it, as it may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if parts.scheme.endswith("+sentinel") and not parts.path.strip("/"):
        raise ValueError("must name the service after the hosts, as in redis+sentinel://host:26379/mymaster")
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("must have the path of a socket, as in unix:///run/redis.sock")
    if parts.scheme != "unix":
        _hosts(url, REDIS_PORT)
    client_of(url, timeout_seconds=1.0)


def client_of(url: str, *, timeout_seconds: float) -> Client:
    """Return a client that connects with the first command and gives each one so long.

    A connection that turns out to be dead is replaced once, at once; whatever else goes wrong is for the caller to judge.
    """
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 1, (RedisConnectionError,)),
    }
    base, _, kind = parts.scheme.partition("+")
    if not kind:
        return Redis.from_url(url, max_connections=MAX_CONNECTIONS, **options)
    query = dict(parse_qsl(parts.query))
    options |= {"ssl": True} if base == "rediss" else {}
    options |= {name: value for name, value in query.items() if name.startswith("ssl_")}
    user: dict[str, Any] = {
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "max_connections": MAX_CONNECTIONS,
    }
    if kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in _hosts(url, REDIS_PORT)]
        # Slots that move are followed, and a node that is gone is asked for elsewhere.
        return RedisCluster(startup_nodes=nodes, **user, **options | {"retry": Retry(NoBackoff(), 3)})
    service, _, db = parts.path.strip("/").partition("/")
    own = {name.removeprefix("sentinel_"): value for name, value in query.items() if name.startswith("sentinel_")}
    sentinel = Sentinel(_hosts(url, SENTINEL_PORT), sentinel_kwargs=options | own)  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(service, db=int(db or 0), **user, **options)
    return master


async def close_client(client: Client) -> None:
    """Close all connections of a client, those to sentinels with it, which the client itself leaves open."""
    await client.aclose()
    if isinstance(client, Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _hosts(url: str, default_port: int) -> list[tuple[str, int]]:
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    hosts = []
    for each in netloc.split(","):
        host, _, port = each.rpartition(":") if not each.endswith("]") and ":" in each else (each, "", "")
        if not host.strip("[]") or (port and not port.isdecimal()):
            raise ValueError("must have a host, and ports that are numbers, as in redis://localhost:6379")
        hosts.append((host.strip("[]"), int(port or default_port)))
    return hosts
