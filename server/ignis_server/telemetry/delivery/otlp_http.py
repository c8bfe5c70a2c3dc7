"""OTLP over HTTP/1.1, with Protobuf."""

import asyncio
import gzip
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from ignis_server.clock import Clock
from ignis_server.telemetry.delivery.answers import MAX_ANSWER_BYTES, accepted
from ignis_server.telemetry.delivery.connection import CurrentConnection
from ignis_server.telemetry.delivery.credentials import Credentials, CredentialsUnusable
from ignis_server.telemetry.delivery.destination import Compression, Route
from ignis_server.telemetry.delivery.tls import TlsUnusable, ssl_context
from ignis_server.telemetry.delivery.transport import (
    USER_AGENT,
    Accepted,
    Reason,
    Refused,
    Retry,
    SendOutcome,
    TooLarge,
    tidied,
)
from ignis_server.telemetry.model import Signal

__all__ = ["HttpTransport", "retry_after_seconds"]

PROTOBUF = "application/x-protobuf"
# The standard library has changed its name for it.
CONTENT_TOO_LARGE = 413
# Of an answer that is no success only the beginning is of use.
MAX_COMPLAINT_BYTES = 16 << 10
# Level 6 takes twice the time for 5 % fewer bytes (docs/decisions/0011-delivery.md).
GZIP_LEVEL = 1
KEPT_ALIVE_SECONDS = 30.0

# The only ones after which OTLP sends again, and those that are a matter of our credentials (407: with a proxy), which are no
# reason to throw data away.
RETRYABLE: Mapping[int, Reason] = {
    401: "auth",
    403: "auth",
    407: "auth",
    429: "throttled",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


class HttpTransport:
    """Sends requests to one URL, over connections that are kept for the next."""

    def __init__(self, route: Route, credentials: Credentials, clock: Clock) -> None:
        self._route = route
        self._credentials = credentials
        self._clock = clock
        files = route.tls.paths if route.is_secure else ()
        self._current = CurrentConnection(files, lambda: _client(route), httpx2.AsyncClient.aclose)

    async def send(self, signal: Signal, request: bytes, headers: Mapping[str, str]) -> SendOutcome:
        """Send a request once."""
        try:
            known_by = await self._credentials.headers()
            # Over all that it takes: the library's own time-outs begin anew with every byte.
            async with asyncio.timeout(self._route.timeout_seconds):
                outcome = await self._tried(signal, request, {**known_by, **headers})
        except (TimeoutError, httpx2.TimeoutException):
            return Retry("timeout", f"no answer in {self._route.timeout_seconds:g} s")
        except CredentialsUnusable as error:
            return Retry("auth", str(error))
        except TlsUnusable as error:
            return Retry("tls", str(error))
        except httpx2.HTTPError as error:
            said = tidied(str(error)) or type(error).__name__
            return Retry("tls" if "SSL" in said or "TLS" in said else "unreachable", said)
        if isinstance(outcome, Retry) and outcome.reason == "auth":
            self._credentials.doubt()
        return outcome

    async def aclose(self) -> None:
        """Close all connections."""
        await self._current.aclose()

    async def _tried(self, signal: Signal, request: bytes, headers: Mapping[str, str]) -> SendOutcome:
        sent = {
            **headers,
            "content-type": PROTOBUF,
            "user-agent": USER_AGENT,
            # An answer is a few bytes; one that is not compressed cannot turn out to be a gigabyte.
            "accept-encoding": "identity",
        }
        body = request
        if self._route.compression is Compression.GZIP:
            body = await asyncio.to_thread(gzip.compress, request, GZIP_LEVEL, mtime=0)
            sent["content-encoding"] = "gzip"
        connection = await self._current.get()
        async with (
            connection.in_use() as client,
            client.stream("POST", self._route.endpoint, content=body, headers=sent) as response,
        ):
            return await self._understood(signal, response)

    async def _understood(self, signal: Signal, response: httpx2.Response) -> SendOutcome:
        status, kind = response.status_code, response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not response.is_success:
            complaint = await _beginning(response, MAX_COMPLAINT_BYTES)
            return self._failed(response, _said(kind, complaint))
        body = await _beginning(response, MAX_ANSWER_BYTES + 1)
        if len(body) > MAX_ANSWER_BYTES:
            return Refused(f"HTTP {status} with an answer of more than {MAX_ANSWER_BYTES} bytes")
        if kind == "text/html":
            # A page for people: of a proxy that wants a login, or of a web server that is no receiver.
            return Retry("unavailable", f"HTTP {status} with a web page, which is no answer of a receiver")
        return accepted(signal, body) if kind == PROTOBUF else Accepted()

    def _failed(self, response: httpx2.Response, said: str) -> SendOutcome:
        status = response.status_code
        message = f"HTTP {status}{': ' if said else ''}{said}"
        if status == CONTENT_TOO_LARGE:
            return TooLarge(message)
        if response.is_redirect:
            # Not followed: what goes along with a request is meant for one host only.
            return Retry(
                "redirected",
                f"HTTP {status}: the endpoint is now {tidied(response.headers.get('location', 'elsewhere'))}",
            )
        reason = RETRYABLE.get(status)
        if reason is None:
            return Refused(message)
        return Retry(reason, message, retry_after_seconds(response.headers.get("retry-after"), self._clock.now()))


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return what a Retry-After header asks for, which is a number of seconds or a date; None where it is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


def _client(route: Route) -> httpx2.AsyncClient:
    # Who speaks no TLS trusts nobody, and spares the second that it takes to read all authorities.
    context = ssl_context(route.tls) if route.is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.AsyncClient(
        verify=context,
        timeout=route.timeout_seconds,
        limits=httpx2.Limits(keepalive_expiry=KEPT_ALIVE_SECONDS),
    )


async def _beginning(response: httpx2.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _said(kind: str, complaint: bytes) -> str:
    """Return what a receiver complains of: the message of a google.rpc.Status, or text as it is."""
    if kind == PROTOBUF:
        try:
            return tidied(str(Status.FromString(complaint).message))
        except DecodeError:
            return ""
    return "" if kind == "text/html" else tidied(complaint.decode(errors="replace"))
