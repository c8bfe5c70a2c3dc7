"""Reading a stream that a server keeps open: what is silent, cut or ended is a connection that was lost."""

import asyncio
from typing import Any, Final, TypeVar

import grpc

from ignis_client._status import error_from
from ignis_client.errors import Failure, IgnisError, Unavailable

__all__ = ["next_of"]

# A server says something every 15 s; after three times that, the connection is taken for dead.
SILENCE_SECONDS: Final = 45.0

Request = TypeVar("Request")
Response = TypeVar("Response")


async def next_of(stream: "grpc.aio.UnaryStreamCall[Request, Response]") -> Response:
    """Return the next message.

    Raises:
        Unavailable: None came for long, or the stream ended.
        IgnisError: The server ended it with another status.
    """
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            response: Any = await stream.read()
    except TimeoutError as error:
        message = f"the server was silent for {SILENCE_SECONDS:g} s"
        raise Unavailable(Failure(message, grpc.StatusCode.UNAVAILABLE)) from error
    except grpc.aio.AioRpcError as rpc_error:
        raise _mended(error_from(rpc_error)) from rpc_error
    if response is grpc.aio.EOF:
        raise Unavailable(Failure("the server ended the watch", grpc.StatusCode.UNAVAILABLE))
    message_of_server: Response = response
    return message_of_server


def _mended(error: IgnisError) -> IgnisError:
    """Take a stream that was cut for a lost connection: a server that is stopped cuts what still stands."""
    if error.code is grpc.StatusCode.CANCELLED:
        return Unavailable(Failure(error.message, error.code))
    return error
