"""A relay on TCP between a client and a server: counts bytes, holds them back, and cuts connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Relay", "relay"]


class Relay:
    """Passes bytes on in both directions."""

    def __init__(self, port: int) -> None:
        self.bytes_sent = 0
        self.connections = 0
        self.port = 0
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Pass nothing on for now; connections stand."""
        self._open.clear()

    def let_go(self) -> None:
        """Pass on what was held back, and what comes."""
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pass(reader, back, counts=True), self._pass(there, writer, counts=False))
        except OSError:
            pass
        finally:
            self._writers -= {writer, back}
            writer.transport.abort()
            back.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        while data := await reader.read(65_536):
            await self._open.wait()
            self.bytes_sent += len(data) if counts else 0
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def relay(port: int) -> AsyncIterator[Relay]:
    """Relay to a port of loopback until the block ends."""
    made = Relay(port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.let_go()
        made.cut()
        await server.wait_closed()
