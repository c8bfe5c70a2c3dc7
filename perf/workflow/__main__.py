"""python -m perf.workflow: runs of three steps on SQLite and on PostgreSQL, and the same on DBOS in the same run.

Ours are the use cases without gRPC, as DBOS has none: a run is begun, and its three steps are claimed and completed, each
committed to the disk before the next. Callers do any step that is ready, of whatever run. DBOS runs its workflow function with
three steps in its own process, with a database of its own at the same place; rounds alternate. `start` and `transition` are of one caller;
a transition is a claim, the looking for it included, or a completion. Watchers see events in this process, and through
PostgreSQL from another replica's journal.

PostgreSQL is the wheel's (extra `test`), or the one of POSTGRES_URL. DBOS comes with the extra `bench`, or from --dbos-python.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import uvloop

from ignis_server.clock import SystemClock
from ignis_server.signals import NoSignals
from ignis_server.workflow.agent_bundles import AgentBundle, Wish
from ignis_server.workflow.claims import ClaimedStep, Claims, StepWanted
from ignis_server.workflow.commands import CompleteStep, StartRun
from ignis_server.workflow.definitions import Definitions
from ignis_server.workflow.journal import Offer, Retention
from ignis_server.workflow.library import Library
from ignis_server.workflow.model import Definition, StepDefinition
from ignis_server.workflow.run_watch import Changes, RunWatch
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.stores import OpenStore, open_store
from perf.workflow.journal import postgres_url
from support.postgres import new_database

CHAIN = Definition(
    "chain",
    "Chain",
    steps=(
        StepDefinition("one", executor="echo"),
        StepDefinition("two", executor="echo", needs=("one",)),
        StepDefinition("three", executor="echo", needs=("two",)),
    ),
)
OFFER = Offer(frozenset({"echo"}))
LEASE = timedelta(seconds=30)


class NoAgents:
    """No step here wants an agent."""

    async def load(self, wish: Wish) -> AgentBundle:
        """Say so."""
        raise AssertionError(wish)


@dataclass
class Timed:
    """Seconds that things took."""

    starts: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    completions: list[float] = field(default_factory=list)


class Replica:
    """What a server has of workflows, on a store."""

    def __init__(self, store: OpenStore) -> None:
        self.runs = Runs(store.journal, Definitions(Library({CHAIN.id: CHAIN}, (), 1), store.journal), NoSignals())
        self.closing = asyncio.Event()
        self.claims = Claims(self.runs, store, NoAgents(), self.closing)
        self.watch = RunWatch(self.runs, store, self.closing)

    async def start(self) -> str:
        """Begin a run."""
        return (await self.runs.start(CHAIN.id, StartRun(str(uuid4())), "digest")).id

    async def claim(self, wait: float) -> ClaimedStep | None:
        """Claim any step."""
        wanted = StepWanted(str(uuid4()), "worker", OFFER, LEASE, timedelta(seconds=wait))
        return await self.claims.claim(wanted)

    async def complete(self, claimed: ClaimedStep) -> None:
        """Complete a step."""
        await self.runs.say(
            claimed.run.id, CompleteStep(claimed.step.id, claimed.step.attempt, "worker", {"text": "done"})
        )


async def one_by_one(replica: Replica, runs: int) -> Timed:
    """Have one caller do runs, and time each thing that it does."""
    timed = Timed()
    for _ in range(runs):
        begun = time.perf_counter()
        await replica.start()
        timed.starts.append(time.perf_counter() - begun)
        for _ in CHAIN.steps:
            begun = time.perf_counter()
            claimed = await replica.claim(5)
            if claimed is None:
                raise AssertionError("a step is ready")
            timed.claims.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await replica.complete(claimed)
            timed.completions.append(time.perf_counter() - begun)
    return timed


async def per_second(replica: Replica, runs: int, callers: int) -> float:
    """Have several callers do runs, and return how many they did a second."""
    left = iter(range(runs))

    async def caller() -> None:
        for _ in left:
            await replica.start()
            for _ in CHAIN.steps:
                # As many steps are ready as callers look for one.
                claimed = await replica.claim(30)
                if claimed is None:
                    raise AssertionError("a step is ready")
                await replica.complete(claimed)

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return runs / (time.perf_counter() - begun)


async def event_seconds(writer: Replica, watcher: Replica, runs: int) -> list[float]:
    """Return how long after a completion was written a watcher had it."""
    took: list[float] = []
    for _ in range(runs):
        run_id = await writer.start()
        written: dict[int, float] = {}
        seen: dict[int, float] = {}

        async def watch(run_id: str = run_id, seen: dict[int, float] = seen) -> None:
            async with aclosing(watcher.watch.watch(run_id, None)) as changes:
                async for each in changes:
                    now = time.perf_counter()
                    if isinstance(each, Changes):
                        seen.update((change.recorded.version, now) for change in each.changes)

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.01)
        for _ in CHAIN.steps:
            claimed = await writer.claim(5)
            if claimed is None:
                raise AssertionError("a step is ready")
            await writer.complete(claimed)
            written[(await writer.runs.run(run_id)).version] = time.perf_counter()
        await watching
        took += [max(0.0, seen[version] - at) for version, at in written.items()]
    return took


@asynccontextmanager
async def replica_at(url: str) -> AsyncIterator[Replica]:
    """Have a replica until the block ends."""
    async with open_store(url, clock=SystemClock(), retention=Retention()) as store:
        beside = asyncio.ensure_future(store.beside()) if store.beside else None
        await asyncio.sleep(0.2)
        try:
            yield Replica(store)
        finally:
            if beside:
                beside.cancel()


async def dbos(python: str, url: str, runs: int, callers: int) -> float:
    """Return what DBOS does a second; 0 where it is not there."""
    child = await asyncio.create_subprocess_exec(
        python, "-m", "perf.workflow.dbos_chain", url, str(runs), str(callers), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    return float(output.split()[-1]) if child.returncode == 0 else 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """What one database showed."""

    start_p50_ms: float
    claim_p50_ms: float
    completion_p50_ms: float
    runs_per_second: float
    dbos_runs_per_second: float
    ratio: float
    event_p99_ms: float


async def compared(ours: str, theirs: str, arguments: argparse.Namespace) -> Compared:
    """Measure one database: ours and DBOS's in alternating rounds."""
    async with replica_at(ours) as replica, replica_at(ours) as another:
        await one_by_one(replica, 20)
        timed = await one_by_one(replica, arguments.runs)
        rates, others = [], []
        for number in range(arguments.rounds):
            rates.append(await per_second(replica, arguments.runs * 4, arguments.callers))
            others.append(await dbos(arguments.dbos_python, theirs, arguments.runs, arguments.callers))
            print(
                f"round {number + 1} of {arguments.rounds}: {rates[-1]:.0f} and {others[-1]:.0f} runs/s",
                file=sys.stderr,
            )
        watcher = replica if ours.startswith("sqlite") else another
        took = await event_seconds(replica, watcher, arguments.runs)
    ratios = [mine / other for mine, other in zip(rates, others, strict=True) if other]
    return Compared(
        statistics.median(timed.starts) * 1e3,
        statistics.median(timed.claims) * 1e3,
        statistics.median(timed.completions) * 1e3,
        statistics.median(rates),
        statistics.median(others),
        statistics.median(ratios) if ratios else 0.0,
        sorted(took)[int(len(took) * 0.99)] * 1e3,
    )


async def measured(arguments: argparse.Namespace, url: str) -> dict[str, Compared]:
    """Measure both databases."""
    with tempfile.TemporaryDirectory(prefix="ignis-perf-") as folder:
        sqlite = await compared(f"sqlite:///{folder}/ours.db", f"sqlite:///{folder}/theirs.db", arguments)
    async with new_database(url) as ours, new_database(url) as theirs:
        return {"SQLite": sqlite, "PostgreSQL": await compared(ours, theirs, arguments)}


def table(results: dict[str, Compared]) -> str:
    """Return the results as a table of Markdown."""
    rows = (
        ("durable start, p50", "ms", "start_p50_ms"),
        ("claim, p50", "ms", "claim_p50_ms"),
        ("completion, p50", "ms", "completion_p50_ms"),
        ("runs of three steps", "runs/s", "runs_per_second"),
        ("the same on DBOS", "runs/s", "dbos_runs_per_second"),
        ("ours beside it, median of paired rounds", "times", "ratio"),
        ("event to watcher, p99", "ms", "event_p99_ms"),
    )
    lines = [f"| what | {' | '.join(results)} |", f"|---|{'---:|' * len(results)}"]
    for name, unit, key in rows:
        lines.append(f"| {name} | {' | '.join(f'{getattr(each, key):,.2f} {unit}' for each in results.values())} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="runs of DBOS in a round; ours are four times as many")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callers", type=int, default=10)
    parser.add_argument("--dbos-python", default=sys.executable, help="a Python that has DBOS")
    parser.add_argument("--out", type=Path, help="a folder for workflow.json and workflow.md")
    given = parser.parse_args(arguments)
    # uvloop runs no process as another user, which PostgreSQL wants.
    with asyncio.Runner() as outside:
        stack = AsyncExitStack()
        url = outside.run(stack.enter_async_context(postgres_url()))
        try:
            results = uvloop.run(measured(given, url))
        finally:
            outside.run(stack.aclose())
    print(table(results))
    if given.out:
        (given.out / "workflow.md").write_text(table(results) + "\n", encoding="utf-8")
        content = {name: {key: getattr(each, key) for key in Compared.__slots__} for name, each in results.items()}
        (given.out / "workflow.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
