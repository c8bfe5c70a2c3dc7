"""A destination: where each signal goes, by which protocol, with what credentials, and how large and how long a request may be."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from ignis_server.telemetry.delivery.headers import header_mistakes
from ignis_server.telemetry.model import Signal

__all__ = ["Compression", "Destination", "Mistake", "OAuth2", "Protocol", "Route", "TlsFiles"]

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
# What OTLP recommends (opentelemetry-proto, docs/specification.md).
MAX_REQUEST_BYTES = 64 << 20
TIMEOUT_SECONDS = 10.0
# Longer than this nobody waits for an answer on purpose; a request under way for so long holds memory and a place.
LONGEST_TIMEOUT_SECONDS = 3_600.0
MAX_CONCURRENT_REQUESTS = 64


class Protocol(StrEnum):
    """A form of OTLP, in the words of OTEL_EXPORTER_OTLP_PROTOCOL."""

    GRPC = "grpc"
    HTTP = "http/protobuf"


class Compression(StrEnum):
    """How requests are compressed."""

    NONE = "none"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with settings: which of them, and fact, limit and remedy in a sentence without secrets."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM for TLS; they are read again when they change.

    Attributes:
        ca: Authorities to trust; None: those that the system trusts (with gRPC: those that it brings along).
        certificate: Our certificate, with what leads to its authority, for mutual TLS.
        key: Its key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(path for path in (self.ca, self.certificate, self.key) if path is not None)


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Credentials that are fetched: a client's own, by RFC 6749, 4.4.

    Attributes:
        token_url: Where tokens are had.
        client_id: Who asks.
        client_secret_file: A file with the secret, read for each token.
        scope: What for; empty: what the server grants by itself.
        audience: For whom, where the server wants to be told.
        is_secret_in_body: Send id and secret as fields, for servers that do not take them as HTTP Basic.
        ca: Authorities to trust with `token_url`; None: the system's.
    """

    token_url: str
    client_id: str
    client_secret_file: Path
    scope: str = ""
    audience: str = ""
    is_secret_in_body: bool = False
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one signal.

    Attributes:
        protocol: How.
        endpoint: Where: with HTTP the whole URL; with gRPC a host and a port, or another name that gRPC knows.
        is_secure: Whether by TLS.
        headers: What goes along with each request; names in lower case.
        headers_file: A file with more of them, a `name: value` on each line; read again when it changes.
        token_file: A file with a bearer token; read again when it changes.
        oauth2: Where a bearer token is fetched.
        compression: How requests are compressed.
        timeout_seconds: How long one try may take, from the first byte to the last.
        tls: Files for TLS.
    """

    protocol: Protocol
    endpoint: str
    is_secure: bool
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers_file: Path | None = None
    token_file: Path | None = None
    oauth2: OAuth2 | None = None
    compression: Compression = Compression.NONE
    timeout_seconds: float = TIMEOUT_SECONDS
    tls: TlsFiles = TlsFiles()

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong with it; the endpoint was checked when it was read."""
        for name, value in self.headers:
            yield from (Mistake("headers", each) for each in header_mistakes(name, value))
        if not 0 < self.timeout_seconds <= LONGEST_TIMEOUT_SECONDS:
            limit = f"greater than 0 and at most {LONGEST_TIMEOUT_SECONDS:.0f} seconds"
            yield Mistake("timeout_seconds", f"{self.timeout_seconds:g} is refused: it must be {limit}")
        if (self.tls.certificate is None) != (self.tls.key is None):
            missing = "key_file" if self.tls.key is None else "certificate_file"
            yield Mistake(missing, "is missing: for mutual TLS both a certificate and its key are needed")
        givers = self._givers_of_authorization()
        if len(givers) > 1:
            yield Mistake(givers[1], f"is one too many: {' and '.join(givers)} each give an authorization; keep one")
        if self.oauth2 is not None:
            yield from _oauth2_mistakes(self.oauth2)

    def _givers_of_authorization(self) -> list[str]:
        givers = {
            "headers": any(name == "authorization" for name, _ in self.headers),
            "token_file": self.token_file is not None,
            "oauth2": self.oauth2 is not None,
        }
        return [name for name, gives in givers.items() if gives]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where telemetry goes.

    Attributes:
        name: What receipts are kept by: under another name it is another destination, which gets everything that is still there.
        routes: The way of each signal that goes there.
        concurrent_requests: How many requests of each signal may be under way at once.
        max_request_bytes: The size that a request may have before compression; larger ones are cut.
    """

    name: str
    routes: Mapping[Signal, Route]
    concurrent_requests: int = 4
    max_request_bytes: int = MAX_REQUEST_BYTES

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong with it, its routes aside."""
        if not NAME.fullmatch(self.name):
            form = "lower-case letters, digits, '-', '_' and '.', 63 at most, the first a letter or a digit"
            yield Mistake("name", f"{self.name!r} is refused: it must be of {form}")
        if not 1 <= self.concurrent_requests <= MAX_CONCURRENT_REQUESTS:
            limit = f"1 to {MAX_CONCURRENT_REQUESTS}"
            yield Mistake("concurrent_requests", f"{self.concurrent_requests} is refused: it must be {limit}")
        if not 1 <= self.max_request_bytes <= MAX_REQUEST_BYTES:
            limit = f"1 to {MAX_REQUEST_BYTES}, OTLP's own limit"
            yield Mistake("max_request_bytes", f"{self.max_request_bytes} is refused: it must be {limit}")
        if not self.routes:
            yield Mistake(
                "signals", "is empty: name at least one of traces, metrics and logs, or remove the destination"
            )


def _oauth2_mistakes(oauth2: OAuth2) -> Iterator[Mistake]:
    try:
        parts = urlsplit(oauth2.token_url)
        host, is_secure, has_user = parts.hostname, parts.scheme == "https", parts.username is not None
        is_url = bool(host) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        host, is_secure, has_user, is_url = None, False, False, False
    if not is_url or has_user:
        yield Mistake(
            "oauth2.token_url", "must be a URL without user and password, such as https://login.example.com/token"
        )
    elif not is_secure and not _is_loopback(host or ""):
        yield Mistake(
            "oauth2.token_url", f"http://{host} would send the secret in the clear: it must begin with https://"
        )
    if not oauth2.client_id:
        yield Mistake("oauth2.client_id", "is empty: it must name this client")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
