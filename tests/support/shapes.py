"""A service of handlers of all shapes, which fail as a request tells them to."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from ignis_server.errors import AgentNotFound
from ignis_server.rpc.call import Interceptor
from ignis_server.rpc.chain import chained

__all__ = ["SHAPES", "call", "shapes_served"]

# Methods, and the shapes of which they are.
SHAPES = {
    "UnaryUnary": "unary_unary",
    "UnaryStream": "unary_stream",
    "StreamUnary": "stream_unary",
    "StreamStream": "stream_stream",
    "UnaryStreamByWriting": "unary_stream",
}


Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


async def act(word: str, context: Context) -> str:
    """Do what a request says: fail in one of several ways, wait, or echo."""
    if word == "foreseen":
        raise AgentNotFound("x", ())
    if word == "unforeseen":
        raise ZeroDivisionError("secret")
    if word == "abort":
        await context.abort(grpc.StatusCode.DATA_LOSS, "as it said")
    if word == "set":
        context.set_code(grpc.StatusCode.OUT_OF_RANGE)
        context.set_details("as it said")
    if word == "wait":
        await asyncio.sleep(60)
    if word == "compute":
        time.sleep(0.7)  # noqa: ASYNC251 - as a handler does that computes and never waits
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


@asynccontextmanager
async def shapes_served(
    interceptors: Sequence[Interceptor], client: Sequence[grpc.aio.ClientInterceptor] = ()
) -> AsyncIterator[grpc.aio.Channel]:
    """Serve the shapes behind interceptors until the block ends; yields a channel to them."""
    server = grpc.aio.server()
    chained(server, interceptors).add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with asyncio.timeout(20), grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=client) as opened:
            yield opened
    finally:
        await server.stop(None)


async def call(
    channel: grpc.aio.Channel,
    shape: str,
    word: str | bytes,
    seconds: float | None = None,
    metadata: Sequence[tuple[str, str]] = (),
) -> str:
    """Make a call and return the last word of the answer."""
    encode: Any = bytes if isinstance(word, bytes) else StringValue.SerializeToString
    codec: Any = {"request_serializer": encode, "response_deserializer": StringValue.FromString}
    method: Any = getattr(channel, SHAPES[shape])(f"/test.Shapes/{shape}", **codec)
    request = word if isinstance(word, bytes) else StringValue(value=word)

    async def requests() -> AsyncIterator[object]:
        yield request

    answering = method(requests() if shape.startswith("Stream") else request, timeout=seconds, metadata=metadata)
    if SHAPES[shape].endswith("unary"):
        return str((await answering).value)
    return [str(each.value) async for each in answering][-1]
