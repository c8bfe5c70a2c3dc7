"""What callers notice of Redis going away under load: failed calls, and their slowest hundredth."""

import asyncio
import itertools
import os
import signal
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from redis.asyncio import Redis

from ignis.agents.v1 import agent_loader_pb2 as pb
from perf.cache.warm_hits import BRIEF, BUDGET_TOKENS, CALLERS, METHOD
from perf.serving import serving

__all__ = ["Calls", "Outage", "outage"]


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a stretch of time: how many, how many failed, and the 99th percentile of their milliseconds."""

    calls: int
    failed: int
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Outage:
    """Ten users who ask for what nobody asked before: without a cache, and while Redis is killed, or hangs."""

    uncached: Calls
    killed: Calls
    hanging: Calls


async def outage(catalogs: Sequence[Path], new_redis: Callable[[], str], *, seconds: float) -> Outage:
    """Measure the three, each for so long from the moment that trouble begins."""
    no_cache = {"IGNIS_ANSWER_CACHE_BYTES": "0"}
    return Outage(
        uncached=await _asked(catalogs, no_cache, _leave_alone, seconds),
        killed=await _in_trouble(catalogs, new_redis(), signal.SIGKILL, seconds),
        hanging=await _in_trouble(catalogs, new_redis(), signal.SIGSTOP, seconds),
    )


async def _in_trouble(catalogs: Sequence[Path], redis_url: str, number: signal.Signals, seconds: float) -> Calls:
    async with Redis.from_url(redis_url) as client:
        pid = int((await client.info("server"))["process_id"])

    async def strike() -> None:
        os.kill(pid, number)

    try:
        return await _asked(catalogs, {"IGNIS_REDIS_URL": redis_url}, strike, seconds)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def _leave_alone() -> None:
    """Let everything be."""


async def _asked(
    catalogs: Sequence[Path], environment: dict[str, str], strike: Callable[[], Awaitable[None]], seconds: float
) -> Calls:
    """Have ten users ask; what is measured begins with the strike."""
    numbers = itertools.count()
    milliseconds: list[float] = []
    failed = 0
    async with (
        serving(catalogs, environment=environment) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        ends = time.perf_counter() + 1 + seconds

        async def use() -> None:
            nonlocal failed
            while time.perf_counter() < ends:
                request = pb.LoadAgentsRequest(brief=BRIEF, task=f"ticket {next(numbers)}", budget_tokens=BUDGET_TOKENS)
                began = time.perf_counter()
                try:
                    await method(request.SerializeToString(), timeout=20)
                except grpc.aio.AioRpcError:
                    failed += 1
                milliseconds.append((time.perf_counter() - began) * 1e3)

        users = [asyncio.create_task(use()) for _ in range(CALLERS)]
        await asyncio.sleep(1)
        milliseconds.clear()
        await strike()
        await asyncio.gather(*users)
    return Calls(len(milliseconds), failed, statistics.quantiles(milliseconds, n=100)[98])
