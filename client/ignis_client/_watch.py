"""Watching a catalog across lost connections, restarts and replicas: one iteration that goes on."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, TypeAlias

import grpc

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client import _wire
from ignis_client._stream import next_of
from ignis_client.catalog import CatalogChange
from ignis_client.errors import RevisionTooOld, Unavailable

__all__ = ["watched"]

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
                response = await next_of(stream)
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
