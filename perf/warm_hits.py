"""What an answer out of memory costs beside the least that gRPC can do: calls per second of both, in turns.

    python -m perf.warm_hits [--catalog DIR …] [--rounds 7] [--seconds 2] [--json FILE]

Starts three processes on loopback: `ignis serve` with telemetry on, an OTLP receiver that takes in what it sends, and a
bare grpc.aio handler that returns the very bytes that the service answers with. One client asks both the same way, with
ten calls under way, round after round: first the one, then the other. The ratio of a round is that of its two rates, and
the figure is the median of the rounds. Where there is more than one core, the servers run on one and the client and the
receiver on another, so that both are measured where they are the bottleneck.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import uvloop

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.telemetry.sink import otlp_sink

EXAMPLES = Path(__file__).parents[1] / "examples"
METHOD = "/ignis.agents.v1.AgentLoaderService/LoadAgents"
BRIEF = "Next.js storefront with Stripe payments on PostgreSQL, deployed to Kubernetes; needs security review"
CALLERS = 10
WARM_UP_SECONDS = 1.0
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls per second of both, a rate for each round."""

    answer_bytes: int
    bundle_bytes: int
    bare: tuple[float, ...]
    service: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median over rounds of the service's rate relative to the bare handler's."""
        return statistics.median(ours / bare for ours, bare in zip(self.service, self.bare, strict=True))


async def measured(catalogs: Sequence[Path], *, budget_tokens: int, rounds: int, seconds: float) -> Figures:
    """Run both servers and ask them in turns."""
    request = pb.LoadAgentsRequest(brief=BRIEF, budget_tokens=budget_tokens).SerializeToString()
    flags = [flag for path in catalogs for flag in ("--catalog", str(path))]
    program = Path(sys.executable).parent / "ignis"
    async with (
        process(sys.executable, "-m", "perf.warm_hits", "--receive", core=0) as sink,
        process(
            program, "serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", f"http://{sink}", *flags, core=1
        ) as ours,
    ):
        answer = await once(ours, request)
        answer = await once(ours, request)
        message = pb.LoadAgentsResponse.FromString(answer)
        if message.cache_outcome != pb.CACHE_OUTCOME_PROCESS_HIT:
            raise SystemExit("perf: the second answer did not come out of memory")
        size = str(len(answer))
        async with process(sys.executable, "-m", "perf.warm_hits", "--answer", size, core=1) as bare:
            rates: dict[str, list[float]] = {bare: [], ours: []}
            for address in rates:
                await rate(address, request, WARM_UP_SECONDS)
            for number in range(1, rounds + 1):
                for address, found in rates.items():
                    found.append(await rate(address, request, seconds))
                print(f"round {number} of {rounds}: {rates[ours][-1] / rates[bare][-1]:.3f}", file=sys.stderr)
            return Figures(len(answer), message.bundle.size_bytes, tuple(rates[bare]), tuple(rates[ours]))


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


@asynccontextmanager
async def process(*command: str | Path, core: int) -> AsyncIterator[str]:
    """Run a server until the block ends; yields the address that it tells on standard error."""
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
            os.sched_setaffinity(child.pid, {core})
        async with asyncio.timeout(START_SECONDS):
            while child.stderr and (line := await child.stderr.readline()):
                event = json.loads(line) if line.startswith(b"{") else {}
                if event.get("event") == "server.started":
                    yield str(event["address"])
                    return
        raise SystemExit(f"perf: {command[0]} did not start")
    finally:
        if child.returncode is None:
            child.terminate()
        await child.communicate()


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
    started(port)
    await server.wait_for_termination()


async def receive() -> None:
    """Receive telemetry until the process is ended."""
    async with otlp_sink() as received:
        started(received.port)
        await asyncio.Event().wait()


def started(port: int) -> None:
    """Tell the parent where to call."""
    print(json.dumps({"event": "server.started", "address": f"127.0.0.1:{port}"}), file=sys.stderr, flush=True)


def table(figures: Figures) -> str:
    """Return the figures as a Markdown table."""
    rows = (
        ("answer, the bundle in it", f"{figures.answer_bytes:,} bytes, {figures.bundle_bytes:,} bytes"),
        ("bare grpc.aio handler, same bytes", f"{statistics.median(figures.bare):,.0f} calls/s"),
        ("LoadAgents out of memory, telemetry on", f"{statistics.median(figures.service):,.0f} calls/s"),
        (f"ratio, median of {len(figures.bare)} paired rounds", f"{figures.ratio:.3f}"),
    )
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", type=Path, action="append", help="directory that holds agents (default: examples)")
    parser.add_argument("--budget", type=int, default=6_000, help="tokens of the bundle, at most (default: 6000)")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements (default: 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default: 2)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.receive:
        uvloop.run(receive())
    elif given.answer is not None:
        uvloop.run(answer_bare(given.answer))
    else:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {0})
        catalogs = given.catalog or [EXAMPLES / "catalog"]
        figures = uvloop.run(measured(catalogs, budget_tokens=given.budget, rounds=given.rounds, seconds=given.seconds))
        print(table(figures))
        if given.json:
            given.json.write_text(json.dumps(asdict(figures) | {"ratio": figures.ratio}, indent=1) + "\n")


if __name__ == "__main__":
    main()
