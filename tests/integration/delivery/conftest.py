"""Both protocols: a receiver, and the destination that it is, for tests that hold for either."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ignis_server.telemetry.delivery.destination import Destination, Protocol
from support.delivering import World
from support.otlp_receiver import OtlpReceiver, otlp_receiver
from support.otlp_wire import Wire


@pytest.fixture(params=list(Protocol), ids=["grpc", "http"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def receiver(world: World) -> AsyncIterator[OtlpReceiver]:
    async with otlp_receiver(now=world.clock.elapsed_seconds) as started:
        yield started


@pytest.fixture
def to_receiver(wire: Wire, receiver: OtlpReceiver) -> Callable[..., Destination]:
    """Return a destination that is the receiver, with some options for its routes."""

    def make(**options: Any) -> Destination:  # noqa: ANN401 - the fields of a route
        return Destination("d", wire.routes(wire.url(receiver), **options))

    return make
