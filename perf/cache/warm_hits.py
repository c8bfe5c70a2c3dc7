"""What an answer out of a cache costs: beside the least that gRPC can do, and beside one round trip to Redis."""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop
from redis.asyncio import Redis

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.telemetry.sink.sink import otlp_sink
from perf.serving import serving, started, tell_started

__all__ = ["SharedHits", "WarmHits", "shared_hits", "warm_hits"]

METHOD = "/ignis.agents.v1.AgentLoaderService/LoadAgents"
BRIEF = "Next.js storefront with Stripe payments on PostgreSQL, deployed to Kubernetes; needs security review"
BUDGET_TOKENS = 6_000
CALLERS = 10
WARM_UP_SECONDS = 1.0
# The servers take turns on one core, the client and the receiver of telemetry have another.
SERVERS, CLIENTS = 1, 0


@dataclass(frozen=True, slots=True)
class WarmHits:
    """Calls per second of a bare handler and of hits in memory, a rate for each round; rounds are pairs."""

    answer_bytes: int
    bundle_bytes: int
    bare: tuple[float, ...]
    service: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median over rounds of the service's rate relative to the bare handler's."""
        return statistics.median(ours / bare for ours, bare in zip(self.service, self.bare, strict=True))


@dataclass(frozen=True, slots=True)
class SharedHits:
    """Milliseconds at one caller, medians: a hit in memory, a hit in Redis, and one Redis round trip for as many bytes."""

    hits: int
    process_hit_ms: float
    shared_hit_ms: float
    round_trip_ms: float

    @property
    def added_ms(self) -> float:
        """What a hit in Redis takes longer than one in memory."""
        return self.shared_hit_ms - self.process_hit_ms


async def warm_hits(catalogs: Sequence[Path], *, rounds: int, seconds: float) -> WarmHits:
    """Ask a service out of memory, with telemetry on, and a bare handler that returns as many bytes, in turns."""
    request = pb.LoadAgentsRequest(brief=BRIEF, budget_tokens=BUDGET_TOKENS).SerializeToString()
    this = (sys.executable, "-m", "perf.cache.warm_hits")
    async with (
        started(*this, "--receive", core=CLIENTS) as sink,
        serving(catalogs, "--otlp-endpoint", f"http://{sink.address}", core=SERVERS) as ours,
    ):
        await once(ours.address, request)
        answer = await once(ours.address, request)
        message = pb.LoadAgentsResponse.FromString(answer)
        if message.cache_outcome != pb.CACHE_OUTCOME_PROCESS_HIT:
            raise SystemExit("perf: the second answer did not come out of memory")
        async with started(*this, "--answer", str(len(answer)), core=SERVERS) as bare:
            rates: dict[str, list[float]] = {bare.address: [], ours.address: []}
            for address in rates:
                await rate(address, request, WARM_UP_SECONDS)
            for number in range(1, rounds + 1):
                for address, found in rates.items():
                    found.append(await rate(address, request, seconds))
                ratio = rates[ours.address][-1] / rates[bare.address][-1]
                print(f"warm hits, round {number} of {rounds}: {ratio:.3f} of a bare handler", flush=True)
            return WarmHits(
                len(answer), message.bundle.size_bytes, tuple(rates[bare.address]), tuple(rates[ours.address])
            )


async def shared_hits(catalogs: Sequence[Path], redis_url: str, *, hits: int) -> SharedHits:
    """Have one replica compute answers, and ask another for them twice: the first time it finds them in Redis."""
    environment = {"IGNIS_REDIS_URL": redis_url}
    requests = [
        pb.LoadAgentsRequest(brief=BRIEF, task=f"ticket {number}", budget_tokens=BUDGET_TOKENS).SerializeToString()
        for number in range(hits)
    ]
    async with (
        serving(catalogs, environment=environment) as one,
        serving(catalogs, environment=environment, core=SERVERS) as other,
        grpc.aio.insecure_channel(one.address) as first,
        grpc.aio.insecure_channel(other.address) as second,
    ):
        compute: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = first.unary_unary(METHOD)
        for request in requests:
            await compute(request)
        shared = await _timed(second, requests, pb.CACHE_OUTCOME_SHARED_HIT)
        process = await _timed(second, requests, pb.CACHE_OUTCOME_PROCESS_HIT)
        size = len(await once(other.address, requests[0]))
    return SharedHits(hits, process, shared, await _round_trip_ms(redis_url, size, hits))


async def _timed(channel: grpc.aio.Channel, requests: Sequence[bytes], outcome: pb.CacheOutcome.ValueType) -> float:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
    milliseconds = []
    for request in requests:
        began = time.perf_counter()
        body = await method(request)
        milliseconds.append((time.perf_counter() - began) * 1e3)
        found = pb.LoadAgentsResponse.FromString(body).cache_outcome
        if found != outcome:
            raise SystemExit(f"perf: an answer was {pb.CacheOutcome.Name(found)}, not {pb.CacheOutcome.Name(outcome)}")
    return statistics.median(milliseconds)


async def _round_trip_ms(redis_url: str, size: int, times: int) -> float:
    async with Redis.from_url(redis_url) as client:
        await client.set("perf", b"x" * size)
        milliseconds = []
        for _ in range(times):
            began = time.perf_counter()
            await client.get("perf")
            milliseconds.append((time.perf_counter() - began) * 1e3)
        return statistics.median(milliseconds)


async def once(address: str, request: bytes) -> bytes:
    """Return the bytes of one answer."""
    async with grpc.aio.insecure_channel(address) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        return await method(request)


async def rate(address: str, request: bytes, seconds: float) -> float:
    """Return the calls per second that one connection gets answered, ten at a time."""
    async with grpc.aio.insecure_channel(address) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        answered = 0
        began = time.perf_counter()

        async def caller() -> None:
            nonlocal answered
            while time.perf_counter() < began + seconds:
                await method(request)
                answered += 1

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return answered / (time.perf_counter() - began)


async def answer_bare(size: int) -> None:
    """Serve the least that there is: a handler that returns so many bytes."""
    payload = b"x" * size

    async def answer(_request: bytes, _context: object) -> bytes:
        return payload

    service, _, name = METHOD.lstrip("/").partition("/")
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {name: grpc.unary_unary_rpc_method_handler(answer)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tell_started(port)
    await server.wait_for_termination()


async def receive() -> None:
    """Receive telemetry until the process is ended."""
    async with otlp_sink() as sink:
        tell_started(sink.port)
        await asyncio.Event().wait()


def main() -> None:
    """Be one of the processes that are measured beside the service."""
    parser = argparse.ArgumentParser(description="One of the processes that `python -m perf.cache` starts.")
    role = parser.add_mutually_exclusive_group(required=True)
    role.add_argument("--answer", type=int, metavar="BYTES", help="be a bare handler that returns so many bytes")
    role.add_argument("--receive", action="store_true", help="be a receiver of telemetry")
    given = parser.parse_args()
    uvloop.run(receive() if given.receive else answer_bare(given.answer))


if __name__ == "__main__":
    main()
