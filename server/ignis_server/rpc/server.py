"""A grpc.aio server with what every deployment expects of one: health, reflection, limits, a clean end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from ignis_server.errors import AddressUnusable
from ignis_server.rpc.call import Interceptor
from ignis_server.rpc.chain import chained
from ignis_server.rpc.drain import Drain
from ignis_server.rpc.standing import HEALTH_AND_REFLECTION, StandingCalls

__all__ = ["RpcServer", "ServerLimits", "Service", "check_address", "serving"]

# For answers that are written but not yet sent.
LAST_WORDS_SECONDS = 0.5
MIN_PING_INTERVAL_MS = 20_000


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of a server.

    A request carries at most a brief of 64 KiB and lists of names, some 1.3 MB at all their limits. 2 MiB leave
    room for a brief of a megabyte, which is refused by us, with the field's name, and not by gRPC.
    `max_standing_calls` bounds health watches and reflection streams together, `max_watchers` the streams of each of the
    service's own methods that stand.
    """

    max_request_bytes: int = 2 << 20
    max_concurrent_calls: int = 2_000
    max_standing_calls: int = 64
    max_watchers: int = 500
    drain_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service to be served.

    Attributes:
        full_name: The name for health and reflection.
        add_to: Adds its handlers to a server.
        standing_methods: Full names of its streams that go on for as long as the client likes.
        undecoded_methods: Full names of methods that take requests as the bytes that they came as, because they know most
            of them; what they cannot decode themselves they let raise.
    """

    full_name: str
    add_to: Callable[[grpc.aio.Server], None]
    standing_methods: tuple[str, ...] = ()
    undecoded_methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RpcServer:
    """A started server: where it listens, and how to wait for its end."""

    address: str
    port: int
    wait: Callable[[], Any]


def check_address(listen: str) -> None:
    """Bind an address for a moment: before the seconds that a catalog takes, and without gRPC's own log lines.

    Raises:
        AddressUnusable: The address cannot be listened on.
    """
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise AddressUnusable(listen) from error


@asynccontextmanager
async def serving(
    listen: str,
    *,
    services: Sequence[Service],
    interceptors: Sequence[Interceptor],
    limits: ServerLimits,
    closing: asyncio.Event | None = None,
) -> AsyncIterator[RpcServer]:
    """Serve until the block ends, then drain: report NOT_SERVING, finish calls, and stop.

    Args:
        listen: Host and port; port 0 takes a free one.
        services: What is served, besides health and reflection.
        interceptors: Run around every call, in this order.
        limits: Bounds.
        closing: Set when the server begins to drain, so that streams that would go on for ever can end.

    Raises:
        AddressUnusable: The address cannot be listened on.
    """
    drain = Drain(closing or asyncio.Event())
    standing = (
        StandingCalls(HEALTH_AND_REFLECTION, limits.max_standing_calls),
        *(StandingCalls((method,), limits.max_watchers) for service in services for method in service.standing_methods),
    )
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", limits.max_request_bytes),
            ("grpc.so_reuseport", 0),
            # Clients may ask whether a silent connection still stands; gRPC's default takes that for an attack.
            ("grpc.http2.min_recv_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
        ),
        maximum_concurrent_rpcs=limits.max_concurrent_calls,
    )
    undecoded = [method for service in services for method in service.undecoded_methods]
    wrapping = chained(server, (*interceptors, *standing, drain), undecoded=undecoded)
    for service in services:
        service.add_to(wrapping)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, wrapping)
    named = (*(service.full_name for service in services), health.SERVICE_NAME)
    descriptions = reflection.aio.ReflectionServicer((*named, reflection.SERVICE_NAME))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(descriptions, wrapping)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise AddressUnusable(listen) from error
    await server.start()
    for name in ("", *named):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield RpcServer(f"{listen.rpartition(':')[0]}:{port}", port, server.wait_for_termination)
    finally:
        await asyncio.shield(_stop(server, checks, drain, limits.drain_seconds))


async def _stop(server: grpc.aio.Server, checks: health.aio.HealthServicer, drain: Drain, seconds: float) -> None:
    await checks.enter_graceful_shutdown()
    await drain.empty(seconds)
    # What is left are streams that would go on for ever, and calls that were given their time.
    await server.stop(grace=LAST_WORDS_SECONDS)
