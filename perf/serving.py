"""Processes that are measured: `ignis serve`, and others that tell the same way where they listen."""

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

__all__ = ["Started", "keep_to_core", "memory_mb", "serving", "started", "tell_started"]

START_SECONDS = 300
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Started:
    """A process that accepts calls."""

    address: str
    pid: int


def serving(
    catalogs: Sequence[Path], *flags: str, environment: Mapping[str, str] = NOTHING, core: int | None = None
) -> AbstractAsyncContextManager[Started]:
    """Run `ignis serve` on a free port until the block ends; see `started`."""
    folders = [flag for path in catalogs for flag in ("--catalog", str(path))]
    program = str(Path(sys.executable).parent / "ignis")
    command = (program, "serve", "--listen", "127.0.0.1:0", *folders, *flags)
    return started(*command, environment=environment, core=core)


@asynccontextmanager
async def started(
    *command: str, environment: Mapping[str, str] = NOTHING, core: int | None = None
) -> AsyncIterator[Started]:
    """Run a server until the block ends.

    Args:
        command: What to run; it writes a line of JSON to standard error whose event is "server.started", with its address.
        environment: Variables beside those of this process.
        core: The one that it is kept to, where there are as many.
    """
    # What it does not deliver is not delivered by the next one that is measured.
    with tempfile.TemporaryDirectory(prefix="ignis-perf-") as outbox:
        child = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, "IGNIS_OUTBOX_DIR": outbox, **environment},
            stderr=asyncio.subprocess.PIPE,
        )
        assert child.stderr  # noqa: S101 - a pipe was asked for
        try:
            keep_to_core(core, pid=child.pid)
            async with asyncio.timeout(START_SECONDS):
                address = await _address(child.stderr)
            # What it says from now on is read and forgotten, or it would wait for a reader some day.
            rest = asyncio.create_task(_forget(child.stderr), name="standard-error")
            yield Started(address, child.pid)
        finally:
            if child.returncode is None:
                child.terminate()
            await child.wait()
        await rest


def tell_started(port: int) -> None:
    """Tell whoever started this process where it listens."""
    print(json.dumps({"event": "server.started", "address": f"127.0.0.1:{port}"}), file=sys.stderr, flush=True)


def keep_to_core(core: int | None, *, pid: int = 0) -> None:
    """Keep a process (0: this one) to a core, where there are as many, so that it does not take part of another's."""
    if core is not None and core < (os.cpu_count() or 1):
        os.sched_setaffinity(pid, {core})


def memory_mb(pid: int, field: str) -> float:
    """Return a figure of a process's memory in MiB; VmHWM is the greatest it ever was, VmRSS what it is now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1_024 if found else 0.0


async def _address(stream: asyncio.StreamReader) -> str:
    said = b""
    async for line in stream:
        event = json.loads(line) if line.startswith(b"{") else {}
        if event.get("event") == "server.started":
            return str(event["address"])
        said = line
    raise SystemExit(f"perf: a server did not start; it said last: {said.decode(errors='replace').strip()}")


async def _forget(stream: asyncio.StreamReader) -> None:
    async for _ in stream:
        pass
