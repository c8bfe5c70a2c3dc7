"""A real third-party OTLP collector: rotel, from its wheel, which passes on what it gets to a sink of ours."""

import asyncio
import importlib.util
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["Collector", "free_port", "rotel"]


class Collector(NamedTuple):
    """Where a collector takes OTLP, as URLs."""

    grpc: str
    http: str


def free_port() -> int:
    """Return a port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def rotel(sink_port: int) -> AsyncIterator[Collector]:
    """Run a collector until the block ends; what it gets it passes on by OTLP over gRPC."""
    package = importlib.util.find_spec("rotel")
    assert package, "rotel is part of the test extra"
    assert package.origin
    grpc_port, http_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        Path(package.origin).parent / "rotel-agent",
        "start",
        f"--otlp-grpc-endpoint=127.0.0.1:{grpc_port}",
        f"--otlp-http-endpoint=127.0.0.1:{http_port}",
        "--exporter=otlp",
        f"--otlp-exporter-endpoint=http://127.0.0.1:{sink_port}",
        "--batch-timeout=100ms",
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _accepts(grpc_port)
        await _accepts(http_port)
        yield Collector(f"http://127.0.0.1:{grpc_port}", f"http://127.0.0.1:{http_port}")
    finally:
        process.terminate()
        await process.wait()


async def _accepts(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
