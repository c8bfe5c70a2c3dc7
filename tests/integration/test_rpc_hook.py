"""The span and the measurements of a call: of whatever shape, however it ends, they say what the client saw."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
import pytest
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ignis_server.rpc.call import current_call
from ignis_server.telemetry.call_metrics import CallMetrics
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.rpc_hook import RpcTelemetry
from support.shapes import SHAPES, call, shapes_served

FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class Captured:
    """Takes in spans, and tells when there is one."""

    has_room = True

    def __init__(self) -> None:
        self.data = b""
        self.any = asyncio.Event()

    def capture(self, signal: Signal, items: int, data: bytes) -> None:
        assert (signal, items) == (Signal.TRACES, 1)
        self.data += data
        self.any.set()

    def admit(self) -> None:
        """Let every call begin."""

    @property
    def spans(self) -> list[Span]:
        """The spans, as a receiver decodes them."""
        return list(ScopeSpans.FromString(self.data).spans)


@pytest.fixture
def captured() -> Captured:
    return Captured()


@pytest.fixture
def metrics() -> CallMetrics:
    return CallMetrics(time.time_ns)


@pytest.fixture
def hook(captured: Captured, metrics: CallMetrics) -> RpcTelemetry:
    return RpcTelemetry(captured, metrics)


@pytest.fixture
async def channel(hook: RpcTelemetry) -> AsyncIterator[grpc.aio.Channel]:
    async with shapes_served([hook]) as opened:
        yield opened


def attributes(span: Span) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


def points(metrics: CallMetrics) -> list[HistogramDataPoint]:
    """Return the one point that each of the metrics has."""
    found = [metric.data.data_points for metric in metrics.metrics()]
    assert all(len(each) == 1 for each in found)
    return [each for (each,) in found if isinstance(each, HistogramDataPoint)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("word", "seconds", "error_type"),
    [
        ("hello", None, None),
        ("foreseen", None, "AGENT_NOT_FOUND"),
        ("unforeseen", None, "INTERNAL"),
        ("abort", None, "DATA_LOSS"),
        ("set", None, "OUT_OF_RANGE"),
        (b"\x0a\x02\xff\xfe", None, "MALFORMED_MESSAGE"),
        ("wait", 0.5, "DEADLINE_EXCEEDED"),
        ("compute", 0.5, "DEADLINE_EXCEEDED"),
    ],
)
async def test_the_span_says_what_the_client_saw(  # noqa: PLR0913, PLR0917 - a case has as many facts
    hook: RpcTelemetry, captured: Captured, shape: str, word: str | bytes, seconds: float | None, error_type: str | None
) -> None:
    seen = grpc.StatusCode.OK
    try:
        async with shapes_served([hook]) as channel:
            await call(channel, shape, word, seconds)
    except grpc.aio.AioRpcError as error:
        seen = error.code()

    await captured.any.wait()
    (span,) = captured.spans
    method = f"test.Shapes/{shape}"
    expected = {"rpc.system.name": "grpc", "rpc.method": method, "rpc.response.status_code": seen.name}
    assert attributes(span) == expected | ({"error.type": error_type} if error_type else {})
    assert (span.name, span.kind) == (method, Span.SPAN_KIND_SERVER)
    is_fault = seen.name in FAULTS
    assert span.status.code == (Status.STATUS_CODE_ERROR if is_fault else Status.STATUS_CODE_UNSET)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_the_client_cancels_is_captured_as_that(
    channel: grpc.aio.Channel, captured: Captured, shape: str
) -> None:
    calling = asyncio.create_task(call(channel, shape, "wait"))
    await asyncio.sleep(0.2)
    calling.cancel()

    await captured.any.wait()
    (span,) = captured.spans
    assert attributes(span)["rpc.response.status_code"] == "CANCELLED"
    assert span.status.code == Status.STATUS_CODE_UNSET
    with pytest.raises(asyncio.CancelledError):
        await calling


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_captured_is_captured_before_the_client_is_answered(
    channel: grpc.aio.Channel, captured: Captured, shape: str
) -> None:
    for number in range(1, 51):
        await call(channel, shape, "hello")
        assert len(captured.spans) == number


@pytest.mark.parametrize("shape", ["UnaryStream", "UnaryStreamByWriting"])
async def test_bytes_of_all_messages_are_counted(channel: grpc.aio.Channel, metrics: CallMetrics, shape: str) -> None:
    """A handler may also write to the context, as that of health watches does."""
    await call(channel, shape, "hello")

    _, requests, responses = (point.sum for point in points(metrics))
    # A StringValue has two bytes beside its text; the answers are "first" and the text.
    assert (requests, responses) == (7, 14)


TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_span_continues_the_callers_trace(channel: grpc.aio.Channel, captured: Captured, shape: str) -> None:
    await call(channel, shape, "hello", metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"),))

    (span,) = captured.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.span_id.hex() != PARENT


@pytest.mark.parametrize(
    "traceparent",
    [
        "00-zz-1",
        "",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
    ],
)
async def test_a_malformed_traceparent_begins_a_new_trace(
    channel: grpc.aio.Channel, captured: Captured, traceparent: str
) -> None:
    await call(channel, "UnaryUnary", "hello", metadata=(("traceparent", traceparent),))

    (span,) = captured.spans
    assert span.parent_span_id == b""
    assert (len(span.trace_id), len(span.span_id)) == (16, 8)


async def test_what_the_caller_does_not_sample_is_counted_and_not_written_down(
    channel: grpc.aio.Channel, captured: Captured, metrics: CallMetrics
) -> None:
    await call(channel, "UnaryUnary", "hello", metadata=(("traceparent", f"00-{TRACE}-{PARENT}-00"),))

    assert captured.spans == []
    assert [point.count for point in points(metrics)] == [1, 1, 1]


async def test_a_span_lasts_as_long_as_its_call(
    channel: grpc.aio.Channel, captured: Captured, metrics: CallMetrics
) -> None:
    began = time.time_ns()
    await call(channel, "UnaryUnary", "hello")
    ended = time.time_ns()

    (span,) = captured.spans
    assert began <= span.start_time_unix_nano <= span.end_time_unix_nano <= ended
    assert points(metrics)[0].sum == pytest.approx((span.end_time_unix_nano - span.start_time_unix_nano) / 1e9)


async def test_calls_at_once_have_traces_of_their_own(hook: RpcTelemetry, captured: Captured) -> None:
    async with shapes_served([hook]) as channel:
        await asyncio.gather(*(call(channel, shape, "hello") for shape in SHAPES for _ in range(20)))

    assert len({span.trace_id for span in captured.spans}) == len({span.span_id for span in captured.spans}) == 100
    assert current_call() is None


async def test_spans_of_the_stock_client_instrumentation_are_continued(hook: RpcTelemetry, captured: Captured) -> None:
    client_spans = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(client_spans))

    async with shapes_served([hook], aio_client_interceptors(tracer_provider=tracers)) as channel:
        await call(channel, "UnaryUnary", "hello")

    (server_span,), (client_span,) = captured.spans, client_spans.get_finished_spans()
    assert int.from_bytes(server_span.parent_span_id) == client_span.context.span_id
    assert int.from_bytes(server_span.trace_id) == client_span.context.trace_id


async def test_old_attributes_come_only_when_they_are_asked_for(captured: Captured, metrics: CallMetrics) -> None:
    async with shapes_served([RpcTelemetry(captured, metrics, with_old=True)]) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(channel, "UnaryUnary", "foreseen")

    old = {"rpc.system": "grpc", "rpc.service": "test.Shapes", "rpc.grpc.status_code": 5}
    assert old.items() <= attributes(captured.spans[0]).items()


@pytest.mark.parametrize("word", ["hello", "foreseen", "unforeseen"])
async def test_a_span_that_is_decoded_and_encoded_again_is_the_same(
    hook: RpcTelemetry, captured: Captured, word: str
) -> None:
    async with shapes_served([hook]) as channel:
        with suppress(grpc.aio.AioRpcError):
            await call(channel, "UnaryUnary", word, metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"),))

    assert ScopeSpans(spans=captured.spans).SerializeToString() == captured.data
