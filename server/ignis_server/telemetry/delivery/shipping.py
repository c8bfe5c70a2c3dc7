"""Delivery put together: a shipper for each destination, with the transports and credentials that its settings name."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from ignis_server.clock import Clock
from ignis_server.telemetry.delivery.credentials import (
    Credentials,
    FileHeaders,
    StaticHeaders,
    TogetherHeaders,
    headers_in,
    token_in,
)
from ignis_server.telemetry.delivery.destination import Destination, Protocol, Route
from ignis_server.telemetry.delivery.lane import LaneLimits, Surroundings, Way
from ignis_server.telemetry.delivery.oauth2 import ClientCredentials
from ignis_server.telemetry.delivery.otlp_grpc import GrpcTransport
from ignis_server.telemetry.delivery.otlp_http import HttpTransport
from ignis_server.telemetry.delivery.pending import Pending
from ignis_server.telemetry.delivery.shipper import Shipper
from ignis_server.telemetry.delivery.transport import RoutedTransport, Transport

__all__ = ["credentials_of", "shipping", "transport_of"]

# What is not delivered by then waits in the outbox.
CLOSE_SECONDS = 5.0


@asynccontextmanager
async def shipping(
    destinations: Sequence[Destination],
    pending: Pending,
    surroundings: Surroundings,
    *,
    close_seconds: float = CLOSE_SECONDS,
) -> AsyncIterator[None]:
    """Deliver until the block ends, then what is left of what destinations take, for so long at most.

    What is to be delivered then must be in the outbox before the block ends.
    """
    async with AsyncExitStack() as stack:
        ways = [_way(each, surroundings.clock) for each in destinations]
        for way in ways:
            stack.push_async_callback(way.transport.aclose)
        shippers = [
            Shipper(way, pending, surroundings, carried=tuple(each.routes))
            for way, each in zip(ways, destinations, strict=True)
        ]
        tasks = [
            asyncio.create_task(shipper.run(), name=f"ship-{each.name}")
            for shipper, each in zip(shippers, destinations, strict=True)
        ]
        try:
            yield
        finally:
            await asyncio.gather(*(shipper.aclose(seconds=close_seconds) for shipper in shippers))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def transport_of(destination: Destination, clock: Clock) -> Transport:
    """Return the transport of a destination; signals that go the same way share a connection."""
    made: dict[Route, Transport] = {}
    for route in destination.routes.values():
        if route not in made:
            made[route] = MAKERS[route.protocol](route, clock)
    return RoutedTransport({signal: made[route] for signal, route in destination.routes.items()})


def credentials_of(route: Route, clock: Clock) -> Credentials:
    """Return what goes along with each request of a route."""
    sources: list[Credentials] = [StaticHeaders(dict(route.headers))]
    if route.headers_file is not None:
        sources.append(FileHeaders(route.headers_file, headers_in))
    if route.token_file is not None:
        sources.append(FileHeaders(route.token_file, token_in))
    if route.oauth2 is not None:
        sources.append(ClientCredentials(route.oauth2, clock))
    return TogetherHeaders(sources)


MAKERS: dict[Protocol, Callable[[Route, Clock], Transport]] = {
    Protocol.GRPC: lambda route, clock: GrpcTransport(route, credentials_of(route, clock)),
    Protocol.HTTP: lambda route, clock: HttpTransport(route, credentials_of(route, clock), clock),
}


def _way(destination: Destination, clock: Clock) -> Way:
    limits = LaneLimits(destination.concurrent_requests, destination.max_request_bytes)
    return Way(destination.name, transport_of(destination, clock), limits)
