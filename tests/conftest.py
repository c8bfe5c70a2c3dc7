"""Fixtures that cost seconds and are shared by the whole run: models, and a server with a small catalog."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from ignis_client import IgnisClient
from ignis_server.agents.selection.embedding import StaticEmbedder, load_embedder
from ignis_server.agents.tokenizer import TiktokenTokenizer, load_o200k_base
from ignis_server.app import running
from ignis_server.rpc.server import RpcServer
from ignis_server.settings import Settings
from support.catalogs import write_files
from support.postgres import postgres

# A slow machine is no failure of the code.
hypothesis.settings.register_profile("ignis", deadline=None)
hypothesis.settings.load_profile("ignis")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled files and telemetry apart from those of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGNIS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("IGNIS_OUTBOX_DIR", str(tmp_path_factory.mktemp("outbox")))
        yield


@pytest.fixture(scope="session")
def tokenizer() -> TiktokenTokenizer:
    """The real tokenizer."""
    return load_o200k_base()


@pytest.fixture(scope="session")
def embedder() -> StaticEmbedder:
    """The real embedder."""
    return load_embedder()


@pytest.fixture(scope="session")
async def postgres_url() -> AsyncIterator[str]:
    """A real PostgreSQL: the one that POSTGRES_URL names, or the wheel's."""
    if given := os.environ.get("POSTGRES_URL"):
        yield given
        return
    async with postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def small_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small catalog."""
    return write_files(tmp_path_factory.mktemp("catalog"))


@pytest.fixture(scope="session")
async def server(small_catalog: Path) -> AsyncIterator[RpcServer]:
    """The real server on a free loopback port, serving the small catalog."""
    async with running(Settings.read(catalog_paths=(small_catalog,), listen="127.0.0.1:0")) as started:
        yield started


@pytest.fixture
async def ignis(server: RpcServer) -> AsyncIterator[IgnisClient]:
    """A client of the server."""
    async with asyncio.timeout(30), IgnisClient(server.address) as client:
        yield client
