"""The installed program `ignis`, run as a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "Running", "Serving", "ignis_program", "run_ignis", "serving_ignis", "starting_ignis"]

TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended: its exit status, and what it printed."""

    status: int
    output: str
    complaints: str


@dataclass(slots=True)
class Running:
    """A process of a command that goes on until it is told to stop."""

    process: asyncio.subprocess.Process
    _read: str = ""

    async def line_with(self, text: str) -> str:
        """Return the next line of its output that holds a text."""
        assert self.process.stdout
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for line in self.process.stdout:
                self._read += line.decode()
                if text in line.decode():
                    return line.decode()
        raise AssertionError(f"the program ended before it printed {text!r}: {self._read}")

    async def ended(self) -> Ended:
        """Wait for its end, and return all that it printed."""
        ended = await _ended(self.process)
        return Ended(ended.status, self._read + ended.output, ended.complaints)


@dataclass(frozen=True, slots=True)
class Serving:
    """A process of `ignis serve` that accepts calls."""

    address: str
    process: asyncio.subprocess.Process

    async def terminate(self) -> Ended:
        """Send SIGTERM and wait for the end."""
        self.process.send_signal(signal.SIGTERM)
        return await _ended(self.process)


def ignis_program() -> Path:
    """Return where the program lies: beside this Python."""
    return Path(sys.executable).parent / "ignis"


async def run_ignis(*arguments: str | Path, **environment: str) -> Ended:
    """Run a command of the program to its end."""
    return await _ended(await _started(*arguments, **environment))


@asynccontextmanager
async def starting_ignis(*arguments: str | Path, **environment: str) -> AsyncIterator[Running]:
    """Run a command of the program until it ends or the block does."""
    process = await _started(*arguments, **environment)
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def serving_ignis(*arguments: str | Path, **environment: str) -> AsyncIterator[Serving]:
    """Run `ignis serve` on a free port until the block ends."""
    process = await _started("serve", "--listen", "127.0.0.1:0", *arguments, **environment)
    try:
        yield Serving(await _address(process), process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _started(*arguments: str | Path, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        ignis_program(),
        *arguments,
        env={"PATH": os.defpath, "COLUMNS": "160", "IGNIS_CACHE_DIR": ""} | environment,
        # Whoever runs the tests at a terminal is not to be asked what a run asks.
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _ended(process: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        output, complaints = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), complaints.decode())


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for line in process.stderr:
            event = json.loads(line) if line.startswith(b"{") else {}
            if event.get("event") == "server.started":
                return str(event["address"])
    raise AssertionError("the server ended before it accepted calls")
