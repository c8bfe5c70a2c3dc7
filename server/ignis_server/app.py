"""The composition root: builds the service by hand, top to bottom, in the order of need."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from threadpoolctl import threadpool_limits

from ignis.agents.v1 import agent_loader_pb2, agent_loader_pb2_grpc
from ignis.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from ignis.workflow.v1 import workflow_pb2, workflow_pb2_grpc
from ignis_server.agents.answers import ComputedAnswers, CountedAnswers
from ignis_server.agents.artefacts import KeptArtefacts
from ignis_server.agents.cache.artefact_layers import LayeredArtefacts, SharedArtefacts
from ignis_server.agents.cache.cached_answers import CachedAnswers, CacheLimits
from ignis_server.agents.cache.disk_artefacts import DiskArtefacts
from ignis_server.agents.cache.keeper import CacheKeeper, CareLimits
from ignis_server.agents.cache.redis_store import RedisStore
from ignis_server.agents.cache.shared_store import NoStore, SharedStore
from ignis_server.agents.compiler import CatalogCompiler
from ignis_server.agents.folder_watch import folder_changes
from ignis_server.agents.history import History
from ignis_server.agents.live import LiveCatalog
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.reload import CatalogReloader
from ignis_server.agents.search import AgentSearch
from ignis_server.agents.selection.embedding import load_embedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.service import AgentLoaderService
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import LazyTokenizer
from ignis_server.agents.visibility import Views
from ignis_server.agents.watch import CatalogWatch
from ignis_server.agents.wire.loading import from_loaded
from ignis_server.background import background
from ignis_server.clock import Clock, SystemClock
from ignis_server.errors import SettingsInvalid
from ignis_server.rpc.server import RpcServer, ServerLimits, Service, check_address, serving
from ignis_server.rpc.unavailable import unavailable_service
from ignis_server.settings import Settings
from ignis_server.signals import Signals
from ignis_server.telemetry.logs import LogRelay
from ignis_server.telemetry.running import Telemetry, TelemetrySettings, telemetry
from ignis_server.telemetry.service import SERVED, TelemetryService
from ignis_server.workflow.journal import Retention
from ignis_server.workflow.running import StepAgents, Surroundings, WorkflowSettings, workflows
from ignis_server.workflow_agents import CatalogDirectory, LoadedBundles

__all__ = ["running"]

log = structlog.get_logger()

AGENTS = agent_loader_pb2.DESCRIPTOR.services_by_name["AgentLoaderService"]
WORKFLOW = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"]
TELEMETRY = telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"]


@asynccontextmanager
async def running(settings: Settings, logs: LogRelay | None = None) -> AsyncIterator[RpcServer]:
    """Run the whole service until the block ends; what was started ends in reverse.

    Args:
        settings: What can be set.
        logs: Is told where log lines go as telemetry; None: nowhere.

    Raises:
        SettingsInvalid: No catalog is given.
        CatalogUnusable: The catalog is missing, unreadable, or without an agent.
        AddressUnusable: The address cannot be listened on.
    """
    if not settings.catalog_paths:
        raise SettingsInvalid(("catalog_paths: is empty: say --catalog DIR, or set IGNIS_CATALOG_PATHS",))
    clock = SystemClock()
    check_address(settings.listen)
    async with (
        telemetry(_telemetry_settings(settings), clock=clock, logs=logs) as telemetered,
        _shared_store(settings, telemetered.signals) as store,
    ):
        signals = telemetered.signals
        sources = await asyncio.to_thread(read_directories, settings.catalog_paths)
        tokenizer, selector = LazyTokenizer(), HybridSelector(await asyncio.to_thread(load_embedder))
        kept = _kept_artefacts(settings, store, clock, signals)
        compiler = CatalogCompiler(tokenizer=tokenizer, selector=selector, kept=kept, clock=clock, signals=signals)
        history = History(max_revisions=settings.remembered_revisions)
        live = LiveCatalog(await compiler.compile(sources), clock, history)
        views = Views(tokenizer=tokenizer, selector=selector, clock=clock)
        computed = ComputedAnswers(AgentLoader(clock=clock, signals=signals), views, from_loaded)
        cached = CachedAnswers(computed, store, _cache_limits(settings), clock)
        keeper = CacheKeeper(cached, store, CareLimits(), clock=clock, signals=signals)
        is_caching = settings.answer_cache_bytes > 0
        closing = asyncio.Event()
        answers = CountedAnswers(cached if is_caching else computed, signals)
        service = AgentLoaderService(
            live,
            answers,
            AgentSearch(lambda: live.snapshot, clock=clock, signals=signals),
            CatalogWatch(live, closing),
            default_budget_tokens=settings.default_budget_tokens,
        )
        # What works beside the calls ends before what it works with.
        async with aclosing(cached), background(signals) as beside:
            if is_caching:
                await keeper.warm(live.snapshot)
                beside.start("cache-care", lambda: keeper.run(live))
            if settings.catalog_watch != "off":
                reloader = CatalogReloader(
                    live,
                    compiler,
                    read=partial(read_directories, settings.catalog_paths),
                    prepare=keeper.prepare,
                    signals=signals,
                )
                beside.start("catalog-reload", lambda: reloader.run(_changes(settings)))
            # A load multiplies small matrices. On several threads that is no faster, and now and then one of them waits for a
            # core: p99 of a load over 1,185 agents was 20 to 26 ms with numpy's own choice, and 10 to 14 ms with one thread.
            with threadpool_limits(limits=1, user_api="blas"):
                bundles = LoadedBundles(live, answers, default_budget_tokens=settings.default_budget_tokens)
                agents = StepAgents(CatalogDirectory(live.snapshot.catalog), bundles)
                async with (
                    _workflows(settings, agents, Surroundings(clock, signals, closing)) as workflow,
                    _serving(
                        settings, (_agents(service), _telemetry(telemetered.service), workflow), telemetered, closing
                    ) as server,
                ):
                    log.info("server.started", address=server.address)
                    yield server
                    log.info("server.stopping", drain_seconds=settings.drain_seconds)


@asynccontextmanager
async def _shared_store(settings: Settings, signals: Signals) -> AsyncIterator[SharedStore]:
    if settings.redis_url is None:
        yield NoStore()
        return
    url = settings.redis_url.get_secret_value()
    store = RedisStore(url, namespace=settings.redis_namespace, signals=signals)
    # Connections are closed last: whoever still asked after that would open one that nobody closes.
    async with aclosing(store), background(signals) as beside:
        beside.start("cache-probe", store.run)
        yield store


def _kept_artefacts(settings: Settings, store: SharedStore, clock: Clock, signals: Signals) -> KeptArtefacts:
    layers: list[KeptArtefacts] = []
    if settings.cache_dir:
        disk = DiskArtefacts(settings.cache_dir, max_bytes=settings.cache_disk_bytes, clock=clock, signals=signals)
        layers.append(disk)
    if settings.redis_url:
        layers.append(SharedArtefacts(store))
    return LayeredArtefacts(layers)


def _cache_limits(settings: Settings) -> CacheLimits:
    return CacheLimits(
        memory_bytes=settings.answer_cache_bytes,
        memory_seconds=settings.answer_cache_memory_seconds,
        seconds=settings.answer_cache_seconds,
    )


@asynccontextmanager
async def _workflows(settings: Settings, agents: StepAgents, surroundings: Surroundings) -> AsyncIterator[Service]:
    """Serve workflows until the block ends; where none are given, tell whoever asks."""
    if not settings.workflow_paths:
        yield Service(WORKFLOW.full_name, partial(_add_unavailable, WORKFLOW, ()))
        return
    retention = Retention(runs=timedelta(days=settings.run_retention_days))
    given = WorkflowSettings(settings.workflow_paths, settings.database_url.get_secret_value(), retention)
    async with workflows(given, agents, surroundings) as service:
        yield Service(
            WORKFLOW.full_name,
            partial(workflow_pb2_grpc.add_WorkflowServiceServicer_to_server, service),
            standing_methods=(f"/{WORKFLOW.full_name}/WatchRun",),
        )


def _serving(
    settings: Settings, services: Sequence[Service], telemetered: Telemetry, closing: asyncio.Event
) -> AbstractAsyncContextManager[RpcServer]:
    return serving(
        settings.listen,
        services=services,
        interceptors=telemetered.interceptors,
        limits=ServerLimits(
            max_concurrent_calls=settings.max_concurrent_calls,
            max_watchers=settings.max_watchers,
            drain_seconds=settings.drain_seconds,
        ),
        closing=closing,
    )


def _agents(service: AgentLoaderService) -> Service:
    return Service(
        AGENTS.full_name,
        partial(agent_loader_pb2_grpc.add_AgentLoaderServiceServicer_to_server, service),
        standing_methods=(f"/{AGENTS.full_name}/WatchCatalog",),
        undecoded_methods=(f"/{AGENTS.full_name}/LoadAgents",),
    )


def _telemetry(service: TelemetryService) -> Service:
    return Service(TELEMETRY.full_name, partial(_add_telemetry, service))


def _add_telemetry(service: TelemetryService, server: grpc.aio.Server) -> None:
    # In this order: the first who knows a method serves it, and the generated code knows all.
    _add_unavailable(TELEMETRY, SERVED, server)
    telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(service, server)


def _add_unavailable(service: ServiceDescriptor, served: Sequence[str], server: grpc.aio.Server) -> None:
    server.add_generic_rpc_handlers((unavailable_service(service, served),))


def _telemetry_settings(settings: Settings) -> TelemetrySettings:
    return TelemetrySettings(
        destinations=settings.destinations.destinations,
        folder=settings.outbox_dir,
        metric_seconds=settings.metric_export_milliseconds / 1e3,
        durability=settings.outbox_durability,
        policy=settings.outbox_policy,
        max_bytes=settings.outbox_bytes,
        fsync_seconds=settings.outbox_fsync_seconds,
        drain_seconds=settings.telemetry_drain_seconds,
        with_old_conventions="rpc/dup" in {each.strip() for each in settings.semconv_opt_in.split(",")},
    )


def _changes(settings: Settings) -> AsyncIterator[None]:
    return folder_changes(
        settings.catalog_paths,
        by_polling=settings.catalog_watch == "polling",
        check_seconds=settings.catalog_check_seconds,
    )
