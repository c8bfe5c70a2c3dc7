"""Watching a run across lost connections, restarts and replicas: one iteration, from a snapshot to the end."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from typing import Final, TypeAlias

import grpc

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client import _run_wire
from ignis_client._backoff import Backoff
from ignis_client._stream import next_of
from ignis_client.errors import ResumeTokenTooOld, Unavailable, WatcherTooSlow
from ignis_client.run import Run
from ignis_client.run_events import RunEvent, RunStateChanged

__all__ = ["watched_run"]

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 15.0

Stream: TypeAlias = "grpc.aio.UnaryStreamCall[pb.WatchRunRequest, pb.WatchRunResponse]"


async def watched_run(
    open_stream: Callable[[pb.WatchRunRequest], Stream], run_id: str, patience: float
) -> AsyncGenerator[Run | RunEvent]:
    """Yield a snapshot and each event after it, and take up the watch where it broke off, until the run has ended.

    Raises:
        IgnisError: No server could be reached for `patience` seconds, or the watch is refused.
    """
    loop = asyncio.get_running_loop()
    heard, token = loop.time(), ""
    pauses = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, random.random)
    while True:
        stream = open_stream(pb.WatchRunRequest(run_id=run_id, resume_token=token))
        try:
            while True:
                response = await next_of(stream)
                pauses.reset()
                for said in _said(response):
                    yield said
                    if _ends(said):
                        return
                # However long the caller took over it, the server was there.
                heard = loop.time()
                token = response.resume_token or token
        except ResumeTokenTooOld:
            if not token:
                raise
            # What happened meanwhile is told by a snapshot.
            token = ""
        except (Unavailable, WatcherTooSlow) as error:
            if loop.time() - heard > patience:
                raise
            await asyncio.sleep(pauses.next_seconds(error.retry_after))
        finally:
            stream.cancel()


def _said(response: pb.WatchRunResponse) -> tuple[Run | RunEvent, ...]:
    match response.WhichOneof("content"):
        case "snapshot":
            return (_run_wire.to_run(response.snapshot),)
        case "events":
            return tuple(map(_run_wire.to_event, response.events.events))
        case _:
            return ()


def _ends(said: Run | RunEvent) -> bool:
    match said:
        case Run():
            return said.has_ended
        case RunEvent(change=RunStateChanged(after=state)):
            return state.is_terminal
        case _:
            return False
