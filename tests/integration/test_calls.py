"""The chain around handlers of all four shapes: what interceptors see is what the client sees."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from ignis_server.errors import AgentNotFound
from ignis_server.rpc.call import Call
from ignis_server.rpc.chain import chained

# Methods, and the shapes of which they are.
SHAPES = {
    "UnaryUnary": "unary_unary",
    "UnaryStream": "unary_stream",
    "StreamUnary": "stream_unary",
    "StreamStream": "stream_stream",
    "UnaryStreamByWriting": "unary_stream",
}


Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Recorder:
    """Keeps the calls that ended."""

    def __init__(self) -> None:
        self.ended: list[Call] = []
        self.has_ended = asyncio.Event()

    def concerns(self, method: str) -> bool:
        return bool(method)

    def call_started(self, call: Call) -> None:
        """Remember something until the end."""
        call.remember(self)

    def call_finished(self, call: Call) -> None:
        """Keep a call that remembers."""
        assert call.recall(Recorder) is self
        self.ended.append(call)
        self.has_ended.set()


async def act(word: str, context: Context) -> str:
    """Do what a request says: fail in one of several ways, wait, or echo."""
    if word == "foreseen":
        raise AgentNotFound("x", ())
    if word == "unforeseen":
        raise ZeroDivisionError("secret")
    if word == "abort":
        await context.abort(grpc.StatusCode.DATA_LOSS, "as it said")
    if word == "wait":
        await asyncio.sleep(60)
    if word == "compute":
        time.sleep(0.4)  # noqa: ASYNC251 - as a handler does that computes and never waits
    return word


async def unary_unary(request: StringValue, context: Context) -> StringValue:
    return StringValue(value=await act(request.value, context))


async def unary_stream(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
    yield StringValue(value="first")
    yield StringValue(value=await act(request.value, context))


async def stream_unary(requests: AsyncIterator[StringValue], context: Context) -> StringValue:
    words = [await act(request.value, context) async for request in requests]
    return StringValue(value=words[-1])


async def stream_stream(requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield StringValue(value=await act(request.value, context))


async def writing(request: StringValue, context: Context) -> None:
    await context.write(StringValue(value="first"))
    await context.write(StringValue(value=await act(request.value, context)))


def handlers() -> grpc.GenericRpcHandler:
    codec: Any = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    return grpc.method_handlers_generic_handler(
        "test.Shapes",
        {
            "UnaryUnary": grpc.unary_unary_rpc_method_handler(unary_unary, **codec),
            "UnaryStream": grpc.unary_stream_rpc_method_handler(unary_stream, **codec),
            "StreamUnary": grpc.stream_unary_rpc_method_handler(stream_unary, **codec),
            "StreamStream": grpc.stream_stream_rpc_method_handler(stream_stream, **codec),
            "UnaryStreamByWriting": grpc.unary_stream_rpc_method_handler(writing, **codec),
        },
    )


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def channel(recorder: Recorder) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    chained(server, [recorder]).add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.timeout(20), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(None)


async def call(channel: grpc.aio.Channel, shape: str, word: str | bytes, seconds: float | None = None) -> str:
    """Make a call and return the last word of the answer."""
    encode: Any = bytes if isinstance(word, bytes) else StringValue.SerializeToString
    codec: Any = {"request_serializer": encode, "response_deserializer": StringValue.FromString}
    method: Any = getattr(channel, SHAPES[shape])(f"/test.Shapes/{shape}", **codec)
    request = word if isinstance(word, bytes) else StringValue(value=word)

    async def requests() -> AsyncIterator[object]:
        yield request

    answering = method(requests() if shape.startswith("Stream") else request, timeout=seconds)
    if SHAPES[shape].endswith("unary"):
        return str((await answering).value)
    return [str(each.value) async for each in answering][-1]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_ends_well_is_ok(channel: grpc.aio.Channel, recorder: Recorder, shape: str) -> None:
    assert await call(channel, shape, "hello") == "hello"

    await recorder.has_ended.wait()
    assert [(each.method, each.code) for each in recorder.ended] == [(f"/test.Shapes/{shape}", grpc.StatusCode.OK)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("foreseen", grpc.StatusCode.NOT_FOUND),
        ("unforeseen", grpc.StatusCode.INTERNAL),
        ("abort", grpc.StatusCode.DATA_LOSS),
        (b"\x0a\x02\xff\xfe", grpc.StatusCode.INVALID_ARGUMENT),
        (b"\x0a", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_the_code_recorded_is_the_code_the_client_saw(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str, word: str | bytes, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, word)

    await recorder.has_ended.wait()
    assert caught.value.code() is code
    assert [each.code for each in recorder.ended] == [code]


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_unforeseen_error_tells_the_client_an_id_and_nothing_else(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, "unforeseen")

    failure = recorder.ended[0].failure
    assert failure is not None
    assert failure.metadata["error_id"] in (caught.value.details() or "")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_whose_deadline_passes_is_finished(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, "wait", seconds=0.2)

    await recorder.has_ended.wait()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [each.code for each in recorder.ended] == [grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_handler_that_computes_past_the_deadline_has_not_succeeded(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, shape, "compute", seconds=0.2)

    await recorder.has_ended.wait()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [each.code for each in recorder.ended] == [grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_the_client_cancels_is_finished(
    channel: grpc.aio.Channel, recorder: Recorder, shape: str
) -> None:
    task = asyncio.create_task(call(channel, shape, "wait"))
    await asyncio.sleep(0.2)

    task.cancel()

    await recorder.has_ended.wait()
    assert [each.code for each in recorder.ended] == [grpc.StatusCode.CANCELLED]
    with pytest.raises(asyncio.CancelledError):
        await task
