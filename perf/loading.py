"""What loading costs: seconds and memory to compile a catalog, and milliseconds to load agents from it.

    python -m perf.loading --catalog DIR [--catalog DIR …] [--calls 300] [--json FILE]

Starts the real server as a process of its own, asks it through the real client, and prints a Markdown table. Nothing is
kept from one call to the next; `python -m perf.cache` tells what that is worth. Times
are those of this machine on this day; beside them stands a bare grpc.aio handler that returns as many bytes, asked
the same way in the same run, so that the ratio means something elsewhere.
"""

import argparse
import asyncio
import json
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc

from ignis_client import IgnisClient
from perf.serving import memory_mb, serving

EXAMPLES = Path(__file__).parents[1] / "examples"
ONE_LINE = "Next.js storefront with Stripe payments on PostgreSQL, deployed to Kubernetes; needs security review"
BUDGET_TOKENS = 20_000
CALLERS = 10
WARM_UP_CALLS = 10
# Every file is compiled and every answer computed.
NOTHING_KEPT = {"IGNIS_CACHE_DIR": "", "IGNIS_ANSWER_CACHE_BYTES": "0"}


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a call to its answer, at the client."""

    calls: int
    p50_ms: float
    p99_ms: float
    calls_per_second: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one set of catalogs."""

    catalogs: tuple[str, ...]
    files: int
    agents: int
    tokens: int
    compile_seconds: float
    ready_seconds: float
    peak_memory_mb: float
    memory_after_calls_mb: float
    bundle_bytes: int
    saved_ratio: float
    one_line: Latency
    one_line_ten_callers: Latency
    brief: Latency
    bare_handler: Latency
    python: str


async def measured(catalogs: tuple[Path, ...], calls: int) -> Figures:
    """Start a server on the catalogs and measure it."""
    began = time.perf_counter()
    async with serving(catalogs, environment=NOTHING_KEPT) as server, IgnisClient(server.address) as ignis:
        catalog = await ignis.get_catalog()
        ready_seconds = time.perf_counter() - began
        peak = memory_mb(server.pid, "VmHWM")
        brief = (EXAMPLES / "briefs" / "storefront.md").read_text(encoding="utf-8")
        loaded = await ignis.load_agents(ONE_LINE, budget_tokens=BUDGET_TOKENS)

        async def load_line() -> object:
            return await ignis.load_agents(ONE_LINE, budget_tokens=BUDGET_TOKENS)

        async def load_brief() -> object:
            return await ignis.load_agents(brief, budget_tokens=BUDGET_TOKENS)

        return Figures(
            catalogs=tuple(path.name for path in catalogs),
            files=catalog.file_count,
            agents=catalog.agent_count,
            tokens=catalog.full_tokens,
            compile_seconds=catalog.compile_duration.total_seconds(),
            ready_seconds=ready_seconds,
            peak_memory_mb=peak,
            bundle_bytes=loaded.bundle.size_bytes,
            saved_ratio=loaded.savings.load_all.saved_ratio,
            one_line=await timed(load_line, calls, callers=1),
            one_line_ten_callers=await timed(load_line, calls, callers=CALLERS),
            brief=await timed(load_brief, calls, callers=1),
            bare_handler=await bare(loaded.bundle.size_bytes, calls),
            memory_after_calls_mb=memory_mb(server.pid, "VmRSS"),
            python=platform.python_version(),
        )


async def bare(size_bytes: int, calls: int) -> Latency:
    """Time a handler that does nothing but return so many bytes, in this process."""
    payload = b"x" * size_bytes

    async def answer(_request: bytes, _context: object) -> bytes:
        return payload

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Answer": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Bare", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/bare.Bare/Answer")

        async def call() -> object:
            return await method(b"")

        latency = await timed(call, calls, callers=1)
    await server.stop(None)
    return latency


async def timed(call: Callable[[], Awaitable[object]], calls: int, *, callers: int) -> Latency:
    """Make calls, so many at a time, after a few to warm up; each waits for its answer before the next."""
    for _ in range(WARM_UP_CALLS):
        await call()
    milliseconds: list[float] = []

    async def caller() -> None:
        for _ in range(calls // callers):
            began = time.perf_counter()
            await call()
            milliseconds.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    elapsed = time.perf_counter() - began
    cuts = statistics.quantiles(milliseconds, n=100)
    return Latency(len(milliseconds), cuts[49], cuts[98], len(milliseconds) / elapsed)


def table(figures: Figures) -> str:
    """Return the figures as a Markdown table."""
    rows = (
        ("catalogs", ", ".join(figures.catalogs)),
        ("files, agents, tokens", f"{figures.files:,}, {figures.agents:,}, {figures.tokens:,}"),
        ("compile", f"{figures.compile_seconds:.2f} s"),
        ("process started to first answer", f"{figures.ready_seconds:.2f} s"),
        ("memory, greatest while compiling", f"{figures.peak_memory_mb:.0f} MiB"),
        ("memory after all calls", f"{figures.memory_after_calls_mb:.0f} MiB"),
        ("one-line brief: bundle, saved", f"{figures.bundle_bytes:,} bytes, {figures.saved_ratio:.1%}"),
        ("LoadAgents, one-line brief, 1 caller", _latency(figures.one_line)),
        ("LoadAgents, one-line brief, 10 callers", _latency(figures.one_line_ten_callers)),
        ("LoadAgents, brief of 260 words, 1 caller", _latency(figures.brief)),
        ("bare grpc.aio handler, same bytes, 1 caller", _latency(figures.bare_handler)),
    )
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _latency(latency: Latency) -> str:
    return f"p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms, {latency.calls_per_second:,.0f} calls/s"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", type=Path, action="append", help="directory that holds agents; repeatable")
    parser.add_argument("--calls", type=int, default=300, help="calls for each latency (default 300)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    catalogs = tuple(arguments.catalog or [EXAMPLES / "catalog"])
    figures = asyncio.run(measured(catalogs, arguments.calls))
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
