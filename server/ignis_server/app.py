"""The composition root: builds the service by hand, top to bottom, in the order of need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from threadpoolctl import threadpool_limits

from ignis.agents.v1 import agent_loader_pb2, agent_loader_pb2_grpc
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2
from ignis_server.agents.cache.disk_artefacts import DiskArtefacts
from ignis_server.agents.compiler import CatalogCompiler, NoArtefacts
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.search import AgentSearch
from ignis_server.agents.selection.embedding import load_embedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.service import AgentLoaderService
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import LazyTokenizer
from ignis_server.clock import SystemClock
from ignis_server.errors import SettingsInvalid
from ignis_server.rpc.server import RpcServer, ServerLimits, check_address, serving
from ignis_server.rpc.unavailable import unavailable_service
from ignis_server.settings import Settings
from ignis_server.telemetry.otel import TelemetrySettings, telemetry

__all__ = ["running"]

log = structlog.get_logger()

AGENTS = agent_loader_pb2.DESCRIPTOR.services_by_name["AgentLoaderService"]
WORKFLOW = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"]
TELEMETRY = telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RpcServer]:
    """Run the whole service until the block ends; what was started ends in reverse.

    Raises:
        SettingsInvalid: No catalog is given.
        CatalogUnusable: The catalog is missing, unreadable, or without an agent.
        AddressUnusable: The address cannot be listened on.
    """
    if not settings.catalog_paths:
        raise SettingsInvalid(("catalog_paths: is empty: say --catalog DIR, or set IGNIS_CATALOG_PATHS",))
    clock = SystemClock()
    check_address(settings.listen)
    async with telemetry(TelemetrySettings(settings.otlp_endpoint, settings.service_name), clock) as telemetered:
        signals = telemetered.signals
        sources = await asyncio.to_thread(read_directories, settings.catalog_paths)
        embedder = await asyncio.to_thread(load_embedder)
        kept = (
            DiskArtefacts(settings.cache_dir, max_bytes=settings.cache_disk_bytes, clock=clock, signals=signals)
            if settings.cache_dir
            else NoArtefacts()
        )
        compiler = CatalogCompiler(
            tokenizer=LazyTokenizer(), selector=HybridSelector(embedder), kept=kept, clock=clock, signals=signals
        )
        snapshot = await compiler.compile(sources)

        def live() -> Snapshot:
            return snapshot

        loader = AgentLoader(live, default_budget_tokens=settings.default_budget_tokens, clock=clock, signals=signals)
        search = AgentSearch(live, clock=clock, signals=signals)
        service = AgentLoaderService(live, loader, search)
        # A load multiplies small matrices. On several threads that is no faster, and now and then one of them waits for a
        # core: p99 of a load over 1,185 agents was 20 to 26 ms with numpy's own choice, and 10 to 14 ms with one thread.
        with threadpool_limits(limits=1, user_api="blas"):
            async with serving(
                settings.listen,
                register=(
                    lambda server: agent_loader_pb2_grpc.add_AgentLoaderServiceServicer_to_server(service, server),
                    lambda server: server.add_generic_rpc_handlers((unavailable_service(WORKFLOW),)),
                    lambda server: server.add_generic_rpc_handlers((unavailable_service(TELEMETRY),)),
                ),
                service_names=(AGENTS.full_name, WORKFLOW.full_name, TELEMETRY.full_name),
                interceptors=(telemetered.rpc,),
                limits=ServerLimits(
                    max_concurrent_calls=settings.max_concurrent_calls, drain_seconds=settings.drain_seconds
                ),
            ) as server:
                log.info("server.started", address=server.address)
                yield server
                log.info("server.stopping", drain_seconds=settings.drain_seconds)
