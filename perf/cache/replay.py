"""The workload replayed against two replicas of the real server on one Redis."""

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from redis.asyncio import Redis

from ignis.agents.v1 import agent_loader_pb2 as pb
from perf.cache.computations import Computations
from perf.cache.workload import Popularity, Workload
from perf.serving import Started, serving

__all__ = ["Asked", "Replay", "Replayed"]

METHOD = "/ignis.agents.v1.AgentLoaderService/LoadAgents"
EDIT = "\nAlways say in one sentence what was done. (Edit {number})\n"
PROGRESS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A call and its answer.

    `answer` is the response but for where it came from, or the error's text; `revision` and `outcome` are empty for errors.
    Times are seconds since the beginning.
    """

    request: int
    replica: str
    began: float
    ended: float
    revision: str
    outcome: str
    answer: bytes


@dataclass(slots=True)
class Replayed:
    """What was seen: all calls in the order in which they ended, and how often answers were computed."""

    asked: list[Asked] = field(default_factory=list)
    computations: Computations = field(default_factory=Computations)
    rerouted: int = 0
    edited: int = 0
    versions: list[Path] = field(default_factory=list)


class Fleet:
    """Two replicas, of which one may be away for a moment."""

    def __init__(self, catalog: Path, redis_url: str, workload: Workload) -> None:
        self._catalog = catalog
        self._environment = {
            "IGNIS_REDIS_URL": redis_url,
            "IGNIS_CACHE_DIR": "",
            "IGNIS_ANSWER_CACHE_MEMORY_SECONDS": str(workload.memory_seconds),
            "IGNIS_ANSWER_CACHE_SECONDS": str(workload.shared_seconds),
        }
        self._stacks: dict[int, AsyncExitStack] = {}
        self.methods: dict[int, tuple[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]]] = {}

    async def start(self, number: int) -> None:
        """Start a replica."""
        stack = AsyncExitStack()
        server: Started = await stack.enter_async_context(serving((self._catalog,), environment=self._environment))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
        self._stacks[number] = stack
        self.methods[number] = (server.address, channel.unary_unary(METHOD))

    async def stop(self, number: int) -> None:
        """Send callers elsewhere, and end a replica."""
        del self.methods[number]
        await self._stacks.pop(number).aclose()

    async def aclose(self) -> None:
        """End all replicas."""
        for number in list(self._stacks):
            await self.stop(number)


class Replay:
    """One replay of a workload."""

    def __init__(
        self, catalog: Path, requests: Sequence[bytes], redis_url: str, workload: Workload, folder: Path
    ) -> None:
        """Make a replay.

        Args:
            catalog: A folder of agents that may be edited.
            requests: What is asked for, the most popular first.
            redis_url: An empty Redis.
            workload: How.
            folder: Takes a copy of the catalog as it was before each edit and after the last.
        """
        self._catalog = catalog
        self._files = sorted(catalog.rglob("*.md"))
        self._requests = requests
        self._redis_url = redis_url
        self._workload = workload
        self._folder = folder
        self._fleet = Fleet(catalog, redis_url, workload)
        self._seen = Replayed()
        self._began = 0.0

    async def run(self) -> Replayed:
        """Replay, and return what was seen."""
        try:
            await asyncio.gather(self._fleet.start(0), self._fleet.start(1))
            async with computations_seen(self._redis_url, self._seen.computations):
                self._began = time.perf_counter()
                async with asyncio.TaskGroup() as group:
                    beside = [group.create_task(work()) for work in (self._edit, self._restart, self._tell)]
                    users = [group.create_task(self._use(user)) for user in range(self._workload.users)]
                    await asyncio.gather(*users)
                    for task in beside:
                        task.cancel()
        finally:
            await self._fleet.aclose()
        self._keep_version()
        return self._seen

    async def _use(self, user: int) -> None:
        workload = self._workload
        chance = random.Random(workload.seed * 1_000 + user)  # noqa: S311 - a workload that repeats, no secret
        popularity = Popularity(workload)
        while time.perf_counter() - self._began < 60 * workload.minutes:
            await asyncio.sleep(chance.expovariate(workload.calls_per_second / workload.users))
            await self._ask_any(user, popularity.draw(chance))

    async def _ask_any(self, user: int, number: int) -> None:
        """Ask as through a load balancer: who is away is not asked, and who goes away meanwhile gives way to the other."""
        for replica in sorted(self._fleet.methods, key=lambda each: (each - user) % 2):
            asked = await _ask(number, self._requests[number], self._fleet.methods[replica], self._began)
            if asked is not None:
                self._seen.asked.append(asked)
                return
            self._seen.rerouted += 1

    async def _edit(self) -> None:
        chance = random.Random(self._workload.seed)  # noqa: S311 - as above
        for number in range(1, round(self._workload.minutes)):
            await asyncio.sleep(60)
            self._keep_version()
            with chance.choice(self._files).open("a", encoding="utf-8") as file:
                file.write(EDIT.format(number=number))
            self._seen.edited += 1

    async def _restart(self) -> None:
        await asyncio.sleep(60 * self._workload.minutes / 2)
        await self._fleet.stop(0)
        await self._fleet.start(0)

    async def _tell(self) -> None:
        """Show that it goes on."""
        for passed in range(1, 10_000):
            await asyncio.sleep(PROGRESS_SECONDS)
            outcomes = Counter(each.outcome for each in self._seen.asked)
            print(
                f"{passed * PROGRESS_SECONDS:.0f} of {60 * self._workload.minutes:.0f} s: {len(self._seen.asked):,} calls, "
                f"{outcomes['computed']:,} computed for a caller",
                flush=True,
            )

    def _keep_version(self) -> None:
        version = self._folder / f"version-{len(self._seen.versions)}"
        shutil.copytree(self._catalog, version)
        self._seen.versions.append(version)


@asynccontextmanager
async def computations_seen(redis_url: str, computations: Computations) -> AsyncIterator[None]:
    """Have Redis tell what it is told to do."""
    async with Redis.from_url(redis_url) as client, client.monitor() as monitor:

        async def watch() -> None:
            async for command in monitor.listen():
                computations.see(str(command["command"]), float(command["time"]))

        watching = asyncio.create_task(watch())
        try:
            yield
            await asyncio.sleep(0.5)  # What was done last is told, too.
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _ask(
    number: int, request: bytes, replica: tuple[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]], zero: float
) -> Asked | None:
    address, method = replica
    began = time.perf_counter()
    try:
        body = await method(request, timeout=20)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return None
        ended = time.perf_counter()
        return Asked(number, address, began - zero, ended - zero, "", "", (error.details() or "").encode())
    ended = time.perf_counter()
    response = pb.LoadAgentsResponse.FromString(body)
    outcome = pb.CacheOutcome.Name(response.cache_outcome).removeprefix("CACHE_OUTCOME_").lower().replace("_", "-")
    response.ClearField("cache_outcome")
    answer = response.SerializeToString(deterministic=True)
    return Asked(number, address, began - zero, ended - zero, response.catalog_revision, outcome, answer)
