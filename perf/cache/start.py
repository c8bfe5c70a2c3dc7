"""How soon a replica is ready: from nothing, and where another has left in Redis what it compiled."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ignis_client import IgnisClient
from perf.serving import serving

__all__ = ["Start", "Starts", "starts"]


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds to have the catalog compiled, and from the start of the process to its first answer."""

    compile_seconds: float
    ready_seconds: float


@dataclass(frozen=True, slots=True)
class Starts:
    """A first replica, and those after it, of which the median counts."""

    agents: int
    first: Start
    second: Start

    @property
    def compile_ratio(self) -> float:
        """What is left of the time to compile."""
        return self.second.compile_seconds / self.first.compile_seconds

    @property
    def ready_ratio(self) -> float:
        """The second's time to the first answer, relative to the first's time to compile alone."""
        return self.second.ready_seconds / self.first.compile_seconds


async def starts(catalogs: Sequence[Path], redis_url: str, *, times: int) -> Starts:
    """Start a replica on an empty Redis, and others after it; nothing is on disk."""
    agents, first = await _start(catalogs, redis_url)
    others = sorted([(await _start(catalogs, redis_url))[1] for _ in range(times)], key=lambda each: each.ready_seconds)
    return Starts(agents, first, others[times // 2])


async def _start(catalogs: Sequence[Path], redis_url: str) -> tuple[int, Start]:
    began = time.perf_counter()
    async with (
        serving(catalogs, environment={"IGNIS_REDIS_URL": redis_url, "IGNIS_CACHE_DIR": ""}) as server,
        IgnisClient(server.address) as ignis,
    ):
        catalog = await ignis.get_catalog()
        ready = time.perf_counter() - began
        return catalog.agent_count, Start(catalog.compile_duration.total_seconds(), ready)
