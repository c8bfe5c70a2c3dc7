"""Traces and metrics of calls, over OTLP, through a real third-party collector."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import (
    AgentLoaderServiceServicer,
    AgentLoaderServiceStub,
    add_AgentLoaderServiceServicer_to_server,
)
from ignis_client import IgnisClient
from ignis_client.errors import AgentNotFound
from ignis_server.app import running
from ignis_server.errors import AgentNotFound as NotThere
from ignis_server.rpc.call import Call
from ignis_server.rpc.chain import chained
from ignis_server.settings import Settings
from ignis_server.telemetry import rpc_hook
from ignis_server.telemetry.call_durations import CallDurations
from ignis_server.telemetry.call_spans import CallEnd, encode_calls
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
def recorder() -> RpcTelemetry:
    return RpcTelemetry(is_on=True)


@asynccontextmanager
async def spanned(
    recorder: RpcTelemetry, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
) -> AsyncIterator["AgentLoaderServiceAsyncStub"]:
    """Run a scripted service whose telemetry stays in memory."""
    server = grpc.aio.server()
    scripted = Scripted()  # type: ignore[abstract]  # two methods are asked for
    add_AgentLoaderServiceServicer_to_server(scripted, chained(server, [recorder]))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with (
        asyncio.timeout(20),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel,
    ):
        yield AgentLoaderServiceStub(channel)
    await server.stop(None)


def sent(recorder: RpcTelemetry) -> list[Span]:
    """Return the spans as a receiver decodes them."""
    data = encode_calls(recorder.take(), Resource(), InstrumentationScope(name="t"))
    request = ExportTraceServiceRequest.FromString(data)
    return list(request.resource_spans[0].scope_spans[0].spans)


def told(span: Span) -> tuple[object, ...]:
    attributes = {each.key: each.value.string_value for each in span.attributes}
    return (
        span.name,
        span.kind,
        attributes["rpc.system.name"],
        attributes["rpc.method"],
        attributes["rpc.response.status_code"],
        attributes.get("error.type"),
        span.status.code,
    )


async def test_a_span_follows_the_current_conventions(recorder: RpcTelemetry) -> None:
    async with spanned(recorder) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest())

    (span,) = sent(recorder)
    method = f"{SERVICE}/GetCatalog"
    assert told(span) == (method, Span.SPAN_KIND_SERVER, "grpc", method, "OK", None, Status.STATUS_CODE_UNSET)


async def test_a_callers_mistake_is_no_error_of_the_server(recorder: RpcTelemetry) -> None:
    async with spanned(recorder) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetAgent(pb.GetAgentRequest(agent="nobody"))

    (span,) = sent(recorder)
    assert told(span)[4:] == ("NOT_FOUND", "AGENT_NOT_FOUND", Status.STATUS_CODE_UNSET)


async def test_an_unforeseen_error_is_one_of_the_server(recorder: RpcTelemetry) -> None:
    async with spanned(recorder) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetAgent(pb.GetAgentRequest(agent="broken"))

    (span,) = sent(recorder)
    assert told(span)[4:] == ("INTERNAL", "INTERNAL", Status.STATUS_CODE_ERROR)


async def test_a_span_continues_the_callers_trace(recorder: RpcTelemetry) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    async with spanned(recorder) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest(), metadata=(("traceparent", f"00-{trace_id}-{span_id}-01"),))

    (span,) = sent(recorder)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace_id, span_id)
    assert span.span_id.hex() != span_id


async def test_a_span_continues_the_trace_of_the_stock_client_instrumentation(recorder: RpcTelemetry) -> None:
    client_spans = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(client_spans))

    async with spanned(recorder, aio_client_interceptors(tracer_provider=tracers)) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest())

    (server_span,), (client_span,) = sent(recorder), client_spans.get_finished_spans()
    assert int.from_bytes(server_span.parent_span_id) == client_span.context.span_id
    assert int.from_bytes(server_span.trace_id) == client_span.context.trace_id


@pytest.mark.parametrize(
    "traceparent",
    [
        "00-zz-1",
        "",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"ff-{'a' * 32}-b7ad6b7169203331-01",
        f"00-{'A' * 32}-b7ad6b7169203331-01",
    ],
)
async def test_a_malformed_traceparent_begins_a_new_trace(recorder: RpcTelemetry, traceparent: str) -> None:
    async with spanned(recorder) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest(), metadata=(("traceparent", traceparent),))

    (span,) = sent(recorder)
    assert span.parent_span_id == b""
    assert len(span.trace_id) == 16
    assert len(span.span_id) == 8


async def test_what_the_caller_does_not_sample_is_counted_and_not_written_down(recorder: RpcTelemetry) -> None:
    async with spanned(recorder) as stub:
        header = f"00-{'a' * 32}-b7ad6b7169203331-00"
        await stub.GetCatalog(pb.GetCatalogRequest(), metadata=(("traceparent", header),))

    assert recorder.take() == []
    assert [point.count for point in points_of(recorder)] == [1]


async def test_a_span_lasts_as_long_as_its_call(recorder: RpcTelemetry) -> None:
    began = time.time_ns()
    async with spanned(recorder) as stub:
        await stub.GetCatalog(pb.GetCatalogRequest())
    ended = time.time_ns()

    (span,) = sent(recorder)
    assert began <= span.start_time_unix_nano <= span.end_time_unix_nano <= ended
    (point,) = points_of(recorder)
    assert point.sum == pytest.approx((span.end_time_unix_nano - span.start_time_unix_nano) / 1e9)


def points_of(recorder: RpcTelemetry) -> Sequence[HistogramDataPoint]:
    recorder.sum_up()
    data = recorder.durations.metric().data
    assert isinstance(data, Histogram)
    return data.data_points


async def test_every_call_is_timed_by_method_and_code(recorder: RpcTelemetry) -> None:
    async with spanned(recorder) as stub:
        for _ in range(3):
            await stub.GetCatalog(pb.GetCatalogRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetAgent(pb.GetAgentRequest(agent="nobody"))

    counts = {
        (point.attributes["rpc.method"], point.attributes["rpc.response.status_code"]): point.count
        for point in points_of(recorder)
        if point.attributes
    }
    assert counts == {(f"{SERVICE}/GetCatalog", "OK"): 3, (f"{SERVICE}/GetAgent", "NOT_FOUND"): 1}


def test_durations_are_counted_in_buckets_that_are_closed_above() -> None:
    durations = CallDurations(lambda: 0)
    end = CallEnd("m", "OK", "", is_fault=False)
    for seconds in (0.0004, 0.0005, 0.00051, 0.03, 31.0):
        durations.add(end, seconds)

    (point,) = durations.metric().data.data_points
    assert isinstance(point, HistogramDataPoint)
    counted = {
        bound: count
        for bound, count in zip((*point.explicit_bounds, "more"), point.bucket_counts, strict=True)
        if count
    }
    assert counted == {0.0005: 2, 0.001: 1, 0.05: 1, "more": 1}
    assert (point.count, point.min, point.max) == (5, 0.0004, 31.0)


def test_while_the_receiver_is_away_the_newest_wait_and_the_others_are_counted(
    recorder: RpcTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_hook, "MAX_WAITING", 3)

    def finish(number: int) -> None:
        call = Call(f"/m/{number}", NoMetadata())  # type: ignore[arg-type]  # nothing else is asked of a context
        recorder.call_started(call)
        recorder.call_finished(call)

    for number in range(5):
        finish(number)
    taken = recorder.take()
    assert [call.end.method for call in taken] == ["m/2", "m/3", "m/4"]
    finish(5)
    recorder.put_back(taken)

    assert [call.end.method for call in recorder.take()] == ["m/3", "m/4", "m/5"]
    assert recorder.dropped == 3


class NoMetadata:
    """A context of a call that came without metadata."""

    def invocation_metadata(self) -> None:
        return None


async def test_spans_that_found_no_receiver_arrive_when_there_is_one(small_catalog: Path) -> None:
    port = free_port()
    async with (
        asyncio.timeout(60),
        running(settings_with(f"http://127.0.0.1:{port}", small_catalog)) as server,
        IgnisClient(server.address) as ignis,
    ):
        for _ in range(3):
            await ignis.get_catalog()
        await asyncio.sleep(1.5)  # longer than it takes until they are sent in vain
        async with otlp_sink(f"127.0.0.1:{port}") as received:
            while received.spans.total() < 3:  # noqa: ASYNC110 - the sink only counts
                await asyncio.sleep(0.05)
