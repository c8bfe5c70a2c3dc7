"""Watching a catalog across lost connections, restarts and replicas: one iteration that goes on."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, TypeAlias

import grpc

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client import _wire
from ignis_client._status import error_from
from ignis_client.catalog import CatalogChange
from ignis_client.errors import Failure, IgnisError, RevisionTooOld, Unavailable

__all__ = ["watched"]

# A server says something every 15 s; after three times that, the connection is taken for dead.
SILENCE_SECONDS: Final = 45.0
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 15.0

Stream: TypeAlias = "grpc.aio.UnaryStreamCall[pb.WatchCatalogRequest, pb.WatchCatalogResponse]"


async def watched(
    open_stream: Callable[[pb.WatchCatalogRequest], Stream], known_revision: str, patience: float
) -> AsyncGenerator[CatalogChange]:
    """Yield each change, and take up the watch where it broke off, for as long as it is asked.

    Raises:
        IgnisError: No server could be reached for `patience` seconds, or the watch is refused.
    """
    loop = asyncio.get_running_loop()
    heard, pause = loop.time(), FIRST_PAUSE_SECONDS
    while True:
        stream = open_stream(pb.WatchCatalogRequest(known_revision=known_revision))
        try:
            pending: list[pb.CatalogChange] = []
            while True:
                response = await _next(stream)
                heard, pause = loop.time(), FIRST_PAUSE_SECONDS
                if response.HasField("change"):
                    pending.append(response.change)
                    if not response.change.has_more:
                        yield _wire.to_catalog_change(pending)
                        known_revision = response.change.revision
                        pending = []
        except RevisionTooOld:
            # A server with another past: all agents come first, and previous_revision is empty.
            if not known_revision:
                raise
            known_revision = ""
        except Unavailable:
            if loop.time() - heard > patience:
                raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        finally:
            stream.cancel()


async def _next(stream: Stream) -> pb.WatchCatalogResponse:
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
    message_of_server: pb.WatchCatalogResponse = response
    return message_of_server


def _mended(error: IgnisError) -> IgnisError:
    """Take a stream that was cut for a lost connection: a server that is stopped cuts what still stands."""
    if error.code is grpc.StatusCode.CANCELLED:
        return Unavailable(Failure(error.message, error.code))
    return error
