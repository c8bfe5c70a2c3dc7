"""python -m perf.telemetry_overhead: what telemetry costs a warm LoadAgents, and what OpenTelemetry's own interceptor costs.

Five servers take turns on one core, each asked by ten callers on one connection; the client and the receiver of telemetry have the
other core. A round measures every one of them, in an order that turns from round to round, and ratios are of one round; their
median counts.

ours      `ignis serve` on the sample catalog, answering out of memory: with traces, metrics and logs by OTLP, durability strict and
          batched, against the same with OTEL_SDK_DISABLED=true.
stock     A bare grpc.aio handler that returns as many bytes, with contrib's aio_server_interceptor, BatchSpanProcessor and
          OTLPSpanExporter, which make spans only, against the same handler without.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop

from ignis.agents.v1 import agent_loader_pb2 as pb
from perf.cache.warm_hits import BRIEF, BUDGET_TOKENS, CALLERS, CLIENTS, METHOD, SERVERS, WARM_UP_SECONDS, once
from perf.serving import keep_to_core, serving, started
from perf.telemetry.arrivals import percentile
from perf.telemetry.stock import stock_command
from perf.telemetry.tables import table, write

CATALOG = Path(__file__).parents[1] / "examples" / "catalog"
# Each against its own without telemetry.
PAIRS = {"ours, strict": "ours, off", "ours, batched": "ours, off", "stock interceptor": "bare handler"}
CALL_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Rate:
    """What ten callers got of a server: calls a second, and the 99th percentile of their milliseconds."""

    per_second: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians over rounds: the rate and the p99 with telemetry, and both relative to those without."""

    per_second: float
    p99_ms: float
    rate_ratio: float
    p99_ratio: float


async def measured(*, rounds: int, seconds: float) -> dict[str, list[Rate]]:
    """Ask all servers in turns."""
    request = pb.LoadAgentsRequest(brief=BRIEF, budget_tokens=BUDGET_TOKENS).SerializeToString()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receive = (sys.executable, "-m", "perf.cache.warm_hits", "--receive")
        sink = await stack.enter_async_context(started(*receive, core=CLIENTS))
        collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{sink.address}"}
        environments = {
            "ours, off": collector | {"OTEL_SDK_DISABLED": "true", "IGNIS_OUTBOX_DIR": str(folder / "off")},
            "ours, strict": collector
            | {"IGNIS_OUTBOX_DURABILITY": "strict", "IGNIS_OUTBOX_DIR": str(folder / "strict")},
            "ours, batched": collector
            | {"IGNIS_OUTBOX_DURABILITY": "batched", "IGNIS_OUTBOX_DIR": str(folder / "batched")},
        }
        addresses: dict[str, str] = {}
        for name, environment in environments.items():
            server = await stack.enter_async_context(serving([CATALOG], environment=environment, core=SERVERS))
            addresses[name] = server.address
        size = len(await once(addresses["ours, off"], request))
        for name, way in (("bare handler", "none"), ("stock interceptor", "interceptor")):
            command = stock_command(sys.executable, method=METHOD, way=way, answer_bytes=size)
            stock = await stack.enter_async_context(started(*command, environment=collector, core=SERVERS))
            addresses[name] = stock.address
        keep_to_core(CLIENTS)
        for address in addresses.values():
            await rate(address, request, WARM_UP_SECONDS)
        return await _in_turns(addresses, request, rounds=rounds, seconds=seconds)


async def _in_turns(
    addresses: Mapping[str, str], request: bytes, *, rounds: int, seconds: float
) -> dict[str, list[Rate]]:
    found: dict[str, list[Rate]] = {name: [] for name in addresses}
    names = list(addresses)
    for number in range(1, rounds + 1):
        for name in names:
            found[name].append(await rate(addresses[name], request, seconds))
        names.reverse()
        ratios = (f"{name} {found[name][-1].per_second / found[off][-1].per_second:.3f}" for name, off in PAIRS.items())
        print(f"round {number} of {rounds}: {', '.join(ratios)}", flush=True)
    return found


async def rate(address: str, request: bytes, seconds: float) -> Rate:
    """Return what one connection gets answered, ten calls at a time."""
    async with grpc.aio.insecure_channel(address) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        milliseconds: list[float] = []
        began = time.perf_counter()

        async def caller() -> None:
            while (asked := time.perf_counter()) < began + seconds:
                await method(request, timeout=CALL_TIMEOUT_SECONDS)
                milliseconds.append((time.perf_counter() - asked) * 1e3)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        took = time.perf_counter() - began
    return Rate(len(milliseconds) / took, percentile(sorted(milliseconds), 99))


def cost(with_it: Sequence[Rate], without: Sequence[Rate]) -> Cost:
    """Compare the rounds of a pair."""
    pairs = list(zip(with_it, without, strict=True))
    return Cost(
        statistics.median(each.per_second for each in with_it),
        statistics.median(each.p99_ms for each in with_it),
        statistics.median(ours.per_second / off.per_second for ours, off in pairs),
        statistics.median(ours.p99_ms / off.p99_ms for ours, off in pairs),
    )


def rows_of(found: Mapping[str, Sequence[Rate]]) -> list[Sequence[str]]:
    """Return a row for each server."""
    rows: list[Sequence[str]] = []
    for name, rates in found.items():
        against = cost(rates, found[PAIRS.get(name, name)])
        is_compared = name in PAIRS
        rows.append(
            (
                name,
                f"{against.per_second:,.0f} calls/s",
                f"{against.p99_ms:.1f} ms",
                f"{against.rate_ratio:.3f} of {PAIRS[name]}" if is_compared else "",
                f"{against.p99_ratio:.2f} times" if is_compared else "",
            )
        )
    return rows


def main() -> None:
    """Parse, measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of all servers (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for telemetry-overhead.json and telemetry-overhead.md")
    given = parser.parse_args()
    found = uvloop.run(measured(rounds=given.rounds, seconds=given.seconds))
    text = table(("server", "throughput", "p99", "throughput, paired", "p99, paired"), rows_of(found))
    print(text)
    if given.out:
        figures = {
            name: {"per_second": [each.per_second for each in rates], "p99_ms": [each.p99_ms for each in rates]}
            for name, rates in found.items()
        }
        write(given.out, "telemetry-overhead", {"overhead": (text, figures)})


if __name__ == "__main__":
    main()
