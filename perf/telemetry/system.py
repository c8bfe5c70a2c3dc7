"""The two that lose telemetry or not: the service, and a server with the stock SDK; each started, killed, ended and started again."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from perf.serving import Started, serving, started
from perf.telemetry.load import METHOD
from perf.telemetry.stock import stock_command

__all__ = ["SYSTEMS", "Program", "Start", "free_port", "start_ours", "start_stock"]

CATALOG = Path(__file__).parents[2] / "examples" / "catalog"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program listens, where its telemetry goes, and the folder that it may keep it in until then."""

    port: int
    collector_port: int
    folder: Path

    @property
    def collector(self) -> str:
        """The receiver as a URL."""
        return f"http://127.0.0.1:{self.collector_port}"


Start: TypeAlias = Callable[[Place], AbstractAsyncContextManager[Started]]


def start_ours(place: Place) -> AbstractAsyncContextManager[Started]:
    """Run the service with all telemetry, strict, on the sample catalog."""
    environment = {"IGNIS_OUTBOX_DIR": str(place.folder), "OTEL_EXPORTER_OTLP_ENDPOINT": place.collector}
    return serving([CATALOG], "--listen", f"127.0.0.1:{place.port}", environment=environment)


def start_stock(place: Place) -> AbstractAsyncContextManager[Started]:
    """Run a bare handler that makes a span of each call with the stock SDK."""
    command = stock_command(sys.executable, method=METHOD, way="by-hand", port=place.port)
    return started(*command, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": place.collector})


SYSTEMS: dict[str, Start] = {"ours": start_ours, "stock": start_stock}


class Program:
    """One of the two; it keeps its port and its folder when it is started again."""

    def __init__(self, start: Start, *, collector_port: int, folder: Path) -> None:
        self._start = start
        self._place = Place(free_port(), collector_port, folder)
        self._life = AsyncExitStack()
        self.pid = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._place.port

    async def start(self) -> None:
        """Start it, and wait until it accepts calls."""
        self.pid = (await self._life.enter_async_context(self._start(self._place))).pid

    async def end(self) -> None:
        """Send SIGTERM, and wait for the end."""
        await self._life.aclose()

    async def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        os.kill(self.pid, signal.SIGKILL)
        await self._life.aclose()


def free_port() -> int:
    """Return a port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
