"""Calls of a cheap RPC, each with a trace of its own, at a pace or as fast as they are answered."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc

__all__ = ["METHOD", "Calls", "at_once", "open_channel", "paced", "traceparent"]

METHOD = "/ignis.agents.v1.AgentLoaderService/GetCatalog"
TIMEOUT_SECONDS = 10.0
PROGRESS_CALLS = 100_000


@dataclass(slots=True)
class Calls:
    """The traces of calls that were answered, in that order, and how many calls were not."""

    answered: list[bytes] = field(default_factory=list)
    failed: int = 0


def open_channel(port: int) -> grpc.aio.Channel:
    """Return a connection to a port of loopback that is tried again soon after the server there died."""
    options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


def traceparent(trace_id: bytes, span_id: bytes, *, is_sampled: bool = True) -> str:
    """Return the header of W3C Trace Context."""
    return f"00-{trace_id.hex()}-{span_id.hex()}-{int(is_sampled):02x}"


async def paced(channel: grpc.aio.Channel, calls: Calls, *, per_second: float, seconds: float) -> None:
    """Make calls at a pace, whether earlier ones have been answered or not."""
    call = _Caller(channel, calls)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(round(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            group.create_task(call.once(), name=f"call-{number}")


async def at_once(channel: grpc.aio.Channel, calls: Calls, count: int, *, callers: int = 50) -> None:
    """Make so many calls as fast as they are answered."""
    call = _Caller(channel, calls)
    numbers: Iterator[int] = iter(range(1, count + 1))

    async def use() -> None:
        for number in numbers:
            await call.once()
            if number % PROGRESS_CALLS == 0:
                print(f"{number:,} calls of {count:,} …", flush=True)

    await asyncio.gather(*(use() for _ in range(callers)))


class _Caller:
    def __init__(self, channel: grpc.aio.Channel, calls: Calls) -> None:
        self._method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        self._calls = calls
        self._random = random.Random()  # noqa: S311 - ids are unique, and no secret

    async def once(self) -> None:
        trace_id, span_id = self._random.randbytes(16), self._random.randbytes(8)
        try:
            await self._method(
                b"", metadata=(("traceparent", traceparent(trace_id, span_id)),), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError:
            self._calls.failed += 1
        else:
            self._calls.answered.append(trace_id)
