"""Traces and metrics of calls, over OTLP, through a real third-party collector."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import (
    AgentLoaderServiceServicer,
    AgentLoaderServiceStub,
    add_AgentLoaderServiceServicer_to_server,
)
from ignis_client import IgnisClient
from ignis_client.errors import AgentNotFound
from ignis_server.app import running
from ignis_server.clock import SystemClock
from ignis_server.errors import AgentNotFound as NotThere
from ignis_server.rpc.chain import Chain
from ignis_server.settings import Settings
from ignis_server.telemetry.rpc_hook import RpcTelemetry
from ignis_server.telemetry.sink import otlp_sink
from support.collector import free_port, rotel

if TYPE_CHECKING:
    from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceAsyncStub

SERVICE = "ignis.agents.v1.AgentLoaderService"


def settings_with(endpoint: str, catalog: Path) -> Settings:
    return Settings.read(catalog_paths=(catalog,), listen="127.0.0.1:0", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)


async def test_every_call_arrives_as_a_span_through_a_real_collector(small_catalog: Path) -> None:
    async with asyncio.timeout(60), otlp_sink() as received, rotel(received.port) as endpoint:
        async with running(settings_with(endpoint, small_catalog)) as server, IgnisClient(server.address) as ignis:
            await ignis.load_agents("tune PostgreSQL queries")
            await ignis.search_agents("bread")
            with pytest.raises(AgentNotFound):
                await ignis.get_agent("nobody")
        # The sink only counts; there is nothing to wait on.
        while received.spans.total() < 3 or not received.points["ignis.load.tokens"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert received.spans == Counter({f"{SERVICE}/{name}": 1 for name in ("LoadAgents", "SearchAgents", "GetAgent")})
    assert {"ignis.catalog.agents", "ignis.load.saved_tokens", "rpc.server.call.duration"} <= received.points.keys()


async def test_a_collector_that_is_not_there_fails_no_call(small_catalog: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    async with (
        asyncio.timeout(60),
        running(settings_with(endpoint, small_catalog)) as server,
        IgnisClient(server.address) as ignis,
    ):
        loaded = await ignis.load_agents("tune PostgreSQL queries")

    assert [agent.id for agent in loaded.agents] == ["backend/postgres-dba"]


async def test_without_an_endpoint_nothing_leaves(small_catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: tuple[str, int]) -> None:
        opened.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)

    async with running(Settings.read(catalog_paths=(small_catalog,), listen="127.0.0.1:0")):
        pass

    assert opened == []


class Scripted(AgentLoaderServiceServicer):
    """Fails as it is told to."""

    async def GetCatalog(self, request: object, context: object) -> pb.GetCatalogResponse:  # noqa: ARG002, N802
        return pb.GetCatalogResponse()

    async def GetAgent(self, request: pb.GetAgentRequest, context: object) -> pb.GetAgentResponse:  # noqa: ARG002, N802
        if request.agent == "broken":
            raise ZeroDivisionError
        raise NotThere(request.agent, ())


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    yield exporter
    exporter.shutdown()


@asynccontextmanager
async def spanned(
    spans: InMemorySpanExporter,
    reader: InMemoryMetricReader,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> AsyncIterator["AgentLoaderServiceAsyncStub"]:
    """Run a scripted service whose telemetry stays in memory."""
    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    hook = RpcTelemetry(tracers.get_tracer("t"), meters.get_meter("t"), SystemClock())
    server = grpc.aio.server(interceptors=[Chain([hook])])
    add_AgentLoaderServiceServicer_to_server(Scripted(), server)  # type: ignore[abstract]  # two methods are asked for
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with (
        asyncio.timeout(20),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel,
    ):
        yield AgentLoaderServiceStub(channel)
    await server.stop(None)


def points_of(reader: InMemoryMetricReader) -> list[HistogramDataPoint]:
    data = reader.get_metrics_data()
    assert data
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    (durations,) = [metric.data for metric in metrics if metric.name == "rpc.server.call.duration"]
    return [point for point in durations.data_points if isinstance(point, HistogramDataPoint)]


def told(span: ReadableSpan) -> tuple[object, ...]:
    attributes = span.attributes or {}
    return (
        span.name,
        span.kind,
        attributes["rpc.system.name"],
        attributes["rpc.method"],
        attributes["rpc.response.status_code"],
        attributes.get("error.type"),
        span.status.status_code,
    )


async def test_a_span_follows_the_current_conventions(spans: InMemorySpanExporter) -> None:
    async with spanned(spans, InMemoryMetricReader()) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest())

    (span,) = spans.get_finished_spans()
    method = f"{SERVICE}/GetCatalog"
    assert told(span) == (method, SpanKind.SERVER, "grpc", method, "OK", None, StatusCode.UNSET)


async def test_a_callers_mistake_is_no_error_of_the_server(spans: InMemorySpanExporter) -> None:
    async with spanned(spans, InMemoryMetricReader()) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetAgent(pb.GetAgentRequest(agent="nobody"))

    (span,) = spans.get_finished_spans()
    assert told(span)[4:] == ("NOT_FOUND", "AGENT_NOT_FOUND", StatusCode.UNSET)


async def test_an_unforeseen_error_is_one_of_the_server(spans: InMemorySpanExporter) -> None:
    async with spanned(spans, InMemoryMetricReader()) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetAgent(pb.GetAgentRequest(agent="broken"))

    (span,) = spans.get_finished_spans()
    assert told(span)[4:] == ("INTERNAL", "INTERNAL", StatusCode.ERROR)


async def test_a_span_continues_the_callers_trace(spans: InMemorySpanExporter) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    async with spanned(spans, InMemoryMetricReader()) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest(), metadata=(("traceparent", f"00-{trace_id}-{span_id}-01"),))

    (span,) = spans.get_finished_spans()
    assert span.parent
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (trace_id, span_id)


async def test_a_span_continues_the_trace_of_the_stock_client_instrumentation(spans: InMemorySpanExporter) -> None:
    client_spans = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(client_spans))

    async with spanned(spans, InMemoryMetricReader(), aio_client_interceptors(tracer_provider=tracers)) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest())

    (server_span,), (client_span,) = spans.get_finished_spans(), client_spans.get_finished_spans()
    assert server_span.parent
    assert server_span.parent.span_id == client_span.context.span_id
    assert server_span.context.trace_id == client_span.context.trace_id


async def test_a_malformed_traceparent_begins_a_new_trace(spans: InMemorySpanExporter) -> None:
    async with spanned(spans, InMemoryMetricReader()) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest(), metadata=(("traceparent", "00-zz-1"),))

    (span,) = spans.get_finished_spans()
    assert span.parent is None


async def test_every_call_is_timed_by_method_and_code(spans: InMemorySpanExporter) -> None:
    reader = InMemoryMetricReader()

    async with spanned(spans, reader) as stub:
        for _ in range(3):
            await stub.GetCatalog(pb.GetCatalogRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetAgent(pb.GetAgentRequest(agent="nobody"))
        points = points_of(reader)

    counts = {
        (point.attributes["rpc.method"], point.attributes["rpc.response.status_code"]): point.count
        for point in points
        if point.attributes
    }
    assert counts == {(f"{SERVICE}/GetCatalog", "OK"): 3, (f"{SERVICE}/GetAgent", "NOT_FOUND"): 1}
