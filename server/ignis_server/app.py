"""The composition root: builds the service by hand, top to bottom, in the order of need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from threadpoolctl import threadpool_limits

from ignis.agents.v1 import agent_loader_pb2, agent_loader_pb2_grpc
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.search import AgentSearch
from ignis_server.agents.selection.embedding import load_embedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.service import AgentLoaderService
from ignis_server.agents.snapshot import Snapshot, compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import load_o200k_base
from ignis_server.clock import Clock, SystemClock
from ignis_server.errors import CatalogUnusable, SettingsInvalid
from ignis_server.rpc.server import RpcServer, ServerLimits, check_address, serving
from ignis_server.rpc.unavailable import unavailable_service
from ignis_server.settings import Settings
from ignis_server.signals import Signals
from ignis_server.telemetry.otel import TelemetrySettings, telemetry

__all__ = ["load_snapshot", "running"]

log = structlog.get_logger()

AGENTS = agent_loader_pb2.DESCRIPTOR.services_by_name["AgentLoaderService"]
WORKFLOW = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"]
TELEMETRY = telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RpcServer]:
    """Run the whole service until the block ends; what was started ends in reverse.

    Raises:
        CatalogUnusable: The catalog is missing, unreadable, or without an agent.
        AddressUnusable: The address cannot be listened on.
    """
    clock = SystemClock()
    check_address(settings.listen)
    async with telemetry(TelemetrySettings(settings.otlp_endpoint, settings.service_name), clock) as telemetered:
        signals = telemetered.signals
        snapshot = await asyncio.to_thread(load_snapshot, settings.catalog_paths, clock, signals)
        log.info(
            "catalog.compiled",
            revision=snapshot.catalog.revision,
            agents=len(snapshot.catalog.agents),
            files=snapshot.catalog.file_count,
            seconds=round(snapshot.compile_duration.total_seconds(), 3),
        )

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


def load_snapshot(paths: tuple[Path, ...], clock: Clock, signals: Signals) -> Snapshot:
    """Read directories and compile what they hold; seconds of CPU, so keep it off an event loop.

    Raises:
        CatalogUnusable: A directory is missing, unreadable, or they hold no agent between them.
        SettingsInvalid: No directory is given.
    """
    if not paths:
        raise SettingsInvalid(("catalog_paths: is empty: say --catalog DIR, or set IGNIS_CATALOG_PATHS",))
    sources = read_directories(paths)
    snapshot = compile_snapshot(
        sources,
        tokenizer=load_o200k_base(),
        selector=HybridSelector(load_embedder()),
        clock=clock,
        signals=signals,
    )
    if not snapshot.catalog.agents:
        where = paths[0] if len(paths) == 1 else Path(":".join(map(str, paths)))
        raise CatalogUnusable(
            where,
            f"none of its {snapshot.catalog.file_count} files holds an agent",
            "`ignis catalog lint` on it says why for each",
        )
    return snapshot
