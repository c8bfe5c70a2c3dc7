"""An endpoint that speaks OpenAI's chat completions, streamed, and does as it is told for each request."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Asked", "Chat", "Fault", "Given", "OpenAIServer", "openai_server"]


@dataclass(frozen=True, slots=True)
class Chat:
    """Stream an answer piece by piece.

    Attributes:
        pieces: Its text.
        finish_reason: How it ends; None: it does not say.
        usage: What the last chunk says of tokens; None: there is no such chunk.
        refusal: What the model says instead.
        seconds: Wait so long before each piece.
        cut_after: Cut the connection after so many pieces.
        hang_after: Say nothing more after so many pieces.
        raw: Events to be sent before the pieces, as they are.
        is_done: Whether "[DONE]" ends it.
    """

    pieces: Sequence[str] = ()
    finish_reason: str | None = "stop"
    usage: Mapping[str, Any] | None = None
    refusal: str = ""
    seconds: float = 0.0
    cut_after: int | None = None
    hang_after: int | None = None
    raw: Sequence[str] = ()
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """Answer with a status of HTTP's."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Given: TypeAlias = Chat | Fault


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class OpenAIServer:
    """Serves on loopback; the last of its answers stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: deque[Given] = deque()
        self.began = asyncio.Event()
        self.disconnected = asyncio.Event()
        self.base_url = ""
        self._writers: set[asyncio.StreamWriter] = set()

    def script(self, *answers: Given) -> None:
        """Set the answers."""
        self.answers = deque(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection for as long as it stands."""
        self._writers.add(writer)
        try:
            while (asked := await _request(reader)) is not None:
                self.asked.append(asked)
                answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
                if not await self._respond(answer, reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            self.disconnected.set()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def abort(self) -> None:
        """Cut all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _respond(self, answer: Given, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer; tell whether the connection still stands."""
        match answer:
            case Fault(status, headers, body):
                lines = [f"HTTP/1.1 {status} Fault", *(f"{name}: {value}" for name, value in headers.items())]
                writer.write("\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body)
                await writer.drain()
                return True
            case Chat():
                return await self._stream(answer, reader, writer)

    async def _stream(self, chat: Chat, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await writer.drain()
        # A client that goes away is one whose end of the connection is read to its end.
        gone = asyncio.create_task(reader.read(1))
        try:
            for event in (": hello", *chat.raw):
                await _chunk(writer, f"{event}\n\n")
            for number, piece in enumerate(chat.pieces):
                if chat.cut_after == number:
                    return False
                if chat.hang_after == number:
                    self.began.set()
                    await gone
                    self.disconnected.set()
                    return False
                await asyncio.sleep(chat.seconds)
                await _chunk(writer, _event(choices=[{"index": 0, "delta": {"content": piece}}]))
                self.began.set()
            if chat.cut_after == len(chat.pieces):
                return False
            delta = {"refusal": chat.refusal} if chat.refusal else {}
            await _chunk(writer, _event(choices=[{"index": 0, "delta": delta, "finish_reason": chat.finish_reason}]))
            if chat.usage is not None:
                await _chunk(writer, _event(choices=[], usage=chat.usage))
            if chat.is_done:
                await _chunk(writer, "data: [DONE]\n\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            gone.cancel()
            await asyncio.wait({gone})
        return True


@asynccontextmanager
async def openai_server() -> AsyncIterator[OpenAIServer]:
    """Serve until the block ends."""
    endpoint = OpenAIServer()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield endpoint
    finally:
        server.close()
        endpoint.abort()
        await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(path=first.split(" ")[1], headers=headers, body=json.loads(body))


def _event(**chunk: Any) -> str:  # noqa: ANN401 - what JSON can say
    return f"data: {json.dumps({'object': 'chat.completion.chunk', **chunk})}\n\n"


async def _chunk(writer: asyncio.StreamWriter, text: str) -> None:
    data = text.encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()
