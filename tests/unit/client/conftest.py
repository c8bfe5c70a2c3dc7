"""A scripted server and a client of it for each test."""

from collections.abc import AsyncIterator

import pytest

from ignis_client import IgnisClient
from unit.client.scripted_server import ScriptedServer, serving


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    async with serving(scripted):
        yield scripted


@pytest.fixture
async def ignis(server: ScriptedServer) -> AsyncIterator[IgnisClient]:
    async with IgnisClient(server.target) as client:
        yield client
