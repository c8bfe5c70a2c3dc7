"""Telemetry put together: what is captured goes to the outbox, and from there to every destination, until the block ends."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from uuid import uuid4

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from ignis_server.background import background
from ignis_server.clock import Clock
from ignis_server.rpc.call import Interceptor
from ignis_server.signals import Signals
from ignis_server.telemetry.audit import audits_of
from ignis_server.telemetry.call_metrics import CallMetrics
from ignis_server.telemetry.delivery.destination import Destination
from ignis_server.telemetry.delivery.lane import Surroundings
from ignis_server.telemetry.delivery.shipping import shipping
from ignis_server.telemetry.instruments import Instruments
from ignis_server.telemetry.logs import LogRelay
from ignis_server.telemetry.nothing_kept import NothingKept
from ignis_server.telemetry.otel import CapturedMetrics, OtelSignals
from ignis_server.telemetry.otlp import FIELD_1, length_delimited
from ignis_server.telemetry.outbox.box import Box
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.outbox import Outbox
from ignis_server.telemetry.outbox.settings import BoundPolicy, Durability, OutboxSettings
from ignis_server.telemetry.process_metrics import LoopLag, observe_process
from ignis_server.telemetry.rpc_hook import RpcTelemetry
from ignis_server.telemetry.service import KeptTelemetry, TelemetryService
from ignis_server.telemetry.verification import Audit

__all__ = ["Telemetry", "TelemetrySettings", "telemetry"]

SCOPE = "ignis_server"
NAME = "ignis-agents"


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where telemetry goes, and how it is kept until it is there.

    Attributes:
        destinations: Where it goes; without any it goes nowhere, nothing is kept, and the service behaves the same.
        folder: Where it is kept.
        metric_seconds: How often metrics are collected.
        durability: Whether calls are answered only when their telemetry is committed.
        policy: What happens at the bound.
        max_bytes: The bound.
        fsync_seconds: How often what is committed is forced to disk; None: with each batch only.
        drain_seconds: How long the end may wait for destinations.
        with_old_conventions: Whether calls also carry what the RPC conventions had before.
    """

    destinations: tuple[Destination, ...]
    folder: Path
    metric_seconds: float
    durability: Durability
    policy: BoundPolicy
    max_bytes: int
    fsync_seconds: float | None
    drain_seconds: float
    with_old_conventions: bool


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the rest of the service needs of telemetry."""

    signals: Signals
    interceptors: Sequence[Interceptor]
    service: TelemetryService


@asynccontextmanager
async def telemetry(
    settings: TelemetrySettings, *, clock: Clock, logs: LogRelay | None = None
) -> AsyncIterator[Telemetry]:
    """Capture, keep and deliver until the block ends; then deliver what is left, for `drain_seconds` at most.

    What is not delivered by then is on disk, and is delivered by the next process that uses the folder.
    """
    if not settings.destinations:
        signals = OtelSignals(Instruments(NoOpMeterProvider().get_meter(SCOPE)))
        yield Telemetry(signals, (), _service(NothingKept(), {}))
        return
    resource = _resource()
    calls = CallMetrics(clock.now_ns, with_old=settings.with_old_conventions)
    metrics = CapturedMetrics(calls.metrics)
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=settings.metric_seconds * 1_000)
    meters = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    instruments = Instruments(meters.get_meter(SCOPE))
    signals, lag = OtelSignals(instruments), LoopLag()
    observe_process(instruments, lag)
    outbox = Outbox(_outbox_settings(settings), _origin(resource), clock=clock, signals=signals)
    surroundings = Surroundings(clock, Random(), signals)  # noqa: S311 - spreads retries, protects nothing
    hook = RpcTelemetry(outbox, calls, with_old=settings.with_old_conventions)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(outbox.aclose)
        beside = await stack.enter_async_context(background(signals))
        beside.start("outbox", outbox.run)
        beside.start("loop-lag", lag.run)
        await outbox.commit()
        await stack.enter_async_context(
            shipping(settings.destinations, outbox, surroundings, close_seconds=settings.drain_seconds)
        )
        beside.start("outbox-heritage", lambda: _ship_adopted(outbox, settings, surroundings))
        # From here on in reverse: the last metrics and log lines are captured and sealed before shippers are told to end.
        stack.push_async_callback(outbox.commit)
        stack.push_async_callback(asyncio.to_thread, meters.shutdown)
        metrics.hand_to(outbox)
        signals.hand_to(outbox)
        if logs is not None:
            stack.callback(logs.relay_to, None)
            logs.relay_to(outbox)
        yield Telemetry(signals, (hook,), _service(outbox, audits_of(settings.destinations, clock)))


def _service(kept: KeptTelemetry, audits: Mapping[str, Audit | None]) -> TelemetryService:
    return TelemetryService(kept, audits)  # type: ignore[abstract]  # the others are refused before they get there


async def _ship_adopted(outbox: Outbox, settings: TelemetrySettings, surroundings: Surroundings) -> None:
    """Deliver what processes left that died, each by shippers of its own, until the outbox is closed."""

    async def ship(box: Box) -> None:
        async with shipping(settings.destinations, box, surroundings, close_seconds=settings.drain_seconds):
            await box.ended()

    async with asyncio.TaskGroup() as group:
        async for box in outbox.adopted():
            group.create_task(ship(box), name=f"ship-{box.outbox_id}")


def _outbox_settings(settings: TelemetrySettings) -> OutboxSettings:
    return OutboxSettings(
        root=settings.folder,
        destinations={each.name: tuple(each.routes) for each in settings.destinations},
        durability=settings.durability,
        policy=settings.policy,
        max_bytes=settings.max_bytes,
        fsync_seconds=settings.fsync_seconds,
    )


def _resource() -> Resource:
    """Return what is known of this process: what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say, its version, an id of its own."""
    told = Resource.create({"service.version": version("ignis-agents"), "service.instance.id": str(uuid4())})
    is_named = not str(told.attributes["service.name"]).startswith("unknown_service")
    return told if is_named else told.merge(Resource({"service.name": NAME}))


def _origin(resource: Resource) -> Origin:
    message = ResourceMessage(
        attributes=[
            KeyValue(key=key, value=AnyValue(string_value=str(value)))
            for key, value in sorted(resource.attributes.items())
        ]
    )
    scope = InstrumentationScope(name=SCOPE, version=version("ignis-agents"))
    return Origin(message.SerializeToString(), length_delimited(FIELD_1, scope.SerializeToString()))
