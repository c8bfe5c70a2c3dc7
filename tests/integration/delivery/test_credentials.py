"""Credentials that expire, rotate, or cannot be had for a while: nothing is lost, and no secret is told."""

import asyncio
import json
import os
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest

from ignis_server.telemetry.delivery.destination import Destination, OAuth2
from ignis_server.telemetry.delivery.shipping import credentials_of
from support.batches import BatchMaker
from support.delivering import World, delivering, shipped
from support.otlp_receiver import Accept, Answer, Got, OtlpReceiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory

To = Callable[..., Destination]
SECRET = "p&ss:word%"  # noqa: S105 - of a test


def lets_in(receiver: OtlpReceiver, wire: Wire, *tokens: str, status: int = 401) -> None:
    """Let the receiver take these tokens only."""

    def rule(got: Got) -> Answer:
        is_known = got.headers.get("authorization") in {f"Bearer {token}" for token in tokens}
        return Accept() if is_known else wire.answer(status, "who are you?")

    receiver.rule = rule


@pytest.fixture
def pending() -> PendingInMemory:
    return PendingInMemory(BatchMaker().spans("one"))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_not_taken_waits_for_one_that_is(
    receiver: OtlpReceiver, wire: Wire, world: World, tmp_path: Path, status: int
) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    token = tmp_path / "token"
    token.write_text("expired\n")
    lets_in(receiver, wire, "fresh", status=status)

    async with delivering(Destination("d", wire.routes(wire.url(receiver), token_file=token)), pending, world):
        await pending.until_failed("who are you?")
        token.write_text("fresh\n")
        (receipt,) = await pending.until_settled("d")

    assert receipt.delivered == 1
    assert world.reasons() == ["auth", ""]
    assert "expired" not in str(pending.failures) + str(world.signals.reported)


async def test_a_token_that_rotates_is_used_with_the_next_request(
    receiver: OtlpReceiver, wire: Wire, to_receiver: To, world: World, tmp_path: Path
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans("one"))
    token = tmp_path / "token"
    token.write_text("first")
    lets_in(receiver, wire, "first", "second")

    async with delivering(to_receiver(token_file=token), pending, world):
        await pending.until_settled("d")
        replacement = tmp_path / "new"
        replacement.write_text("second")
        replacement.replace(token)
        await pending.add(maker.spans("two"))
        await pending.until_settled("d")

    assert [got.headers["authorization"] for got in receiver.got] == ["Bearer first", "Bearer second"]


async def test_a_token_that_is_replaced_within_a_tick_of_the_clock_is_found(
    receiver: OtlpReceiver, wire: Wire, to_receiver: To, world: World, tmp_path: Path
) -> None:
    """The file looks as before: its size, its time, its place on the disk."""
    pending = PendingInMemory(BatchMaker().spans("one"))
    token = tmp_path / "token"
    token.write_text("old")
    before = token.stat()
    lets_in(receiver, wire, "new")

    async with delivering(to_receiver(token_file=token), pending, world):
        await pending.until_failed("who are you?")
        token.write_text("new")
        os.utime(token, ns=(before.st_atime_ns, before.st_mtime_ns))
        (receipt,) = await pending.until_settled("d")

    assert receipt.delivered == 1


async def test_a_file_of_headers_comes_after_the_headers_that_are_fixed(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World, tmp_path: Path
) -> None:
    headers = tmp_path / "headers"
    headers.write_text("# of the platform\nApi-Key: abc: def\n\nx-tenant: two\n")

    await shipped(to_receiver(headers=(("x-tenant", "one"), ("x-fixed", "f")), headers_file=headers), pending, world)

    (got,) = receiver.got
    assert (got.headers["api-key"], got.headers["x-tenant"], got.headers["x-fixed"]) == ("abc: def", "two", "f")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file or directory"),
        (b"", "has no token in it"),
        (b"two words", "does not hold a token"),
        (b"x" * 70_000, "is larger than 65536 bytes"),
        (b"\xff", "is not UTF-8"),
    ],
)
async def test_a_token_file_that_is_wrong_is_named_and_waited_for(
    to_receiver: To, world: World, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)

    async with delivering(to_receiver(token_file=token), pending, world):
        await pending.until_failed(complaint)
        assert pending.receipts["d"] == {}
        token.write_text("fine")
        await pending.until_settled("d")

    assert world.reasons() == ["auth", ""]
    assert str(token) in pending.messages()[0]


async def test_a_line_that_is_no_header_is_named_by_its_number_only(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World, tmp_path: Path
) -> None:
    headers = tmp_path / "headers"
    headers.write_text("api-key: fine\nsecret-without-colon\ngrpc-timeout: 1\n")

    async with delivering(to_receiver(headers_file=headers), pending, world):
        await pending.until_failed("line 2 has no ':'")

    assert receiver.got == []
    assert "'grpc-timeout' is set by each request itself" in pending.messages()[0]
    assert "secret-without-colon" not in pending.messages()[0]


@dataclass(slots=True)
class TokenServer:
    """A real token endpoint: gives a new token each time, for as long as it is told to."""

    port: int = 0
    expires_in: object = 3_600
    secret: str = SECRET
    given: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        form = dict(parse_qsl((await reader.readexactly(int(headers["content-length"]))).decode()))
        self.asked.append(form)
        basic = next((line for line in head.split("\r\n") if line.lower().startswith("authorization: basic ")), None)
        pair = b64decode(basic.rpartition(" ")[2]).decode().split(":") if basic else []
        secret = unquote_plus(pair[1]) if pair else form.get("client_secret")
        status, body = self.answer or self._given(secret)
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    def _given(self, secret: str | None) -> tuple[int, bytes]:
        if secret != self.secret:
            return 401, b'{"error": "invalid_client"}'
        token = f"token-{len(self.given) + 1}"
        self.given.append(token)
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        return 200, json.dumps(answer).encode()


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    server = TokenServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token endpoint, the secret for it, and the receiver that takes its tokens."""

    tokens: TokenServer
    secret_file: Path
    receiver: OtlpReceiver
    wire: Wire

    def destination(self, **options: Any) -> Destination:  # noqa: ANN401 - the fields of OAuth2
        oauth2 = OAuth2(self.tokens.url, "ign:is", self.secret_file, **options)
        return Destination("d", self.wire.routes(self.wire.url(self.receiver), oauth2=oauth2))

    def take_newest(self) -> None:
        def rule(got: Got) -> Answer:
            newest = f"Bearer {self.tokens.given[-1]}"
            return Accept() if got.headers.get("authorization") == newest else self.wire.answer(401, "expired")

        self.receiver.rule = rule


@pytest.fixture
def fetched(tokens: TokenServer, secret_file: Path, receiver: OtlpReceiver, wire: Wire) -> Fetched:
    made = Fetched(tokens, secret_file, receiver, wire)
    made.take_newest()
    return made


async def test_a_token_is_fetched_once_and_used_while_it_is_good(fetched: Fetched, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(10)))

    await shipped(fetched.destination(scope="otlp.write", audience="platform"), pending, world)

    assert fetched.tokens.given == ["token-1"]
    assert fetched.tokens.asked == [{"grant_type": "client_credentials", "scope": "otlp.write", "audience": "platform"}]
    assert {got.headers["authorization"] for got in fetched.receiver.got} == {"Bearer token-1"}


async def test_id_and_secret_may_be_sent_as_fields(fetched: Fetched, pending: PendingInMemory, world: World) -> None:
    await shipped(fetched.destination(is_secret_in_body=True), pending, world)

    assert fetched.tokens.asked == [
        {"grant_type": "client_credentials", "client_id": "ign:is", "client_secret": SECRET}
    ]


async def test_a_token_is_renewed_before_it_expires(fetched: Fetched, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans("one"))

    async with delivering(fetched.destination(), pending, world):
        await pending.until_settled("d")
        world.clock.turn(3_600 - 59)
        await pending.add(maker.spans("two"))
        await pending.until_settled("d")

    assert [got.headers["authorization"] for got in fetched.receiver.got] == ["Bearer token-1", "Bearer token-2"]


async def test_a_token_that_is_still_good_is_used_while_the_endpoint_is_down(fetched: Fetched, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans("one"))

    async with delivering(fetched.destination(), pending, world):
        await pending.until_settled("d")
        await fetched.tokens.stop()
        world.clock.turn(3_600 - 59)
        await pending.add(maker.spans("two"))
        await pending.until_settled("d")

    assert world.reasons() == [""]
    assert fetched.tokens.given == ["token-1"]


async def test_a_token_endpoint_that_is_down_is_waited_for(
    fetched: Fetched, pending: PendingInMemory, world: World
) -> None:
    await fetched.tokens.stop()

    async with delivering(fetched.destination(), pending, world):
        await pending.until_failed("cannot be reached")
        assert fetched.receiver.got == []
        await fetched.tokens.start()
        await pending.until_settled("d")

    assert world.reasons() == ["auth", ""]


async def test_a_token_that_is_withdrawn_is_fetched_anew(fetched: Fetched, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans("one"))

    async with delivering(fetched.destination(), pending, world):
        await pending.until_settled("d")
        fetched.tokens.given.append("withdrawn by its owner")
        await pending.add(maker.spans("two"))
        await pending.until_settled("d")

    assert fetched.receiver.got[-1].headers["authorization"] == "Bearer token-3"
    # At once, not when the one before would have expired.
    assert world.clock.elapsed_seconds() < 60


async def test_a_secret_that_rotates_is_read_for_the_next_token(
    fetched: Fetched, pending: PendingInMemory, world: World
) -> None:
    fetched.tokens.secret = "rotated"  # noqa: S105 - of a test

    async with delivering(fetched.destination(), pending, world):
        await pending.until_failed("answered 401 invalid_client")
        fetched.secret_file.write_text("rotated")
        await pending.until_settled("d")

    assert SECRET not in str(pending.failures)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ((500, b"<html>"), "answered 500"),
        ((200, b"<html>"), "answered without a bearer token"),
        ((200, b'{"access_token": "t", "token_type": "mac"}'), "answered without a bearer token"),
        ((200, b'{"access_token": "t\\n", "token_type": "bearer"}'), "does not hold a token"),
        ((200, b"x" * 70_000), "answered with more than 65536 bytes"),
        ((302, b""), "answered 302"),
    ],
)
async def test_an_endpoint_that_gives_no_token_is_named(
    fetched: Fetched, pending: PendingInMemory, world: World, answer: tuple[int, bytes], complaint: str
) -> None:
    fetched.tokens.answer = answer

    async with delivering(fetched.destination(), pending, world):
        await pending.until_failed(complaint)
        fetched.tokens.answer = None
        await pending.until_settled("d")

    assert fetched.tokens.url in pending.messages()[0]


@pytest.mark.parametrize("expires_in", ["60", None, "soon", -1])
async def test_a_life_that_is_said_in_words_or_not_at_all(
    fetched: Fetched, pending: PendingInMemory, world: World, expires_in: object
) -> None:
    fetched.tokens.expires_in = expires_in

    (receipt,) = await shipped(fetched.destination(), pending, world)

    assert receipt.delivered == 1


async def test_a_secret_file_that_is_missing_is_named(fetched: Fetched, pending: PendingInMemory, world: World) -> None:
    fetched.secret_file.unlink()

    async with delivering(fetched.destination(), pending, world):
        await pending.until_failed(f"cannot read {fetched.secret_file}: No such file or directory")


async def test_requests_that_need_a_token_at_once_fetch_one(tokens: TokenServer, secret_file: Path, wire: Wire) -> None:
    route = wire.route("http://localhost:1", oauth2=OAuth2(tokens.url, "ignis", secret_file))
    credentials = credentials_of(route, World().clock)

    found = await asyncio.gather(*(credentials.headers() for _ in range(10)))

    assert [dict(each) for each in found] == 10 * [{"authorization": "Bearer token-1"}]
    assert tokens.given == ["token-1"]
