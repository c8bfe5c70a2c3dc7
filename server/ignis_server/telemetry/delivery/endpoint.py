"""Endpoints: what OpenTelemetry's specification makes of a URL, for each protocol (protocol/exporter.md)."""

from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from ignis_server.telemetry.model import Signal

__all__ = ["Endpoint", "grpc_endpoint", "http_base_endpoint", "http_endpoint"]

# OTLP's port for gRPC, where a URL in the clear has none; by TLS it is that of https.
PLAIN_PORT = 4_317
SECURE_PORT = 443


class Endpoint(NamedTuple):
    """Where to connect, and whether by TLS."""

    address: str
    is_secure: bool


def grpc_endpoint(text: str, *, is_insecure: bool) -> Endpoint:
    """Return what gRPC connects to.

    A URL says by its scheme whether it is secure. Other names that gRPC knows, such as `collector:4317` and
    `unix:///run/otlp.sock`, are left as they are, and are secure unless told otherwise.

    Raises:
        ValueError: It is a URL without a host, or with more than gRPC can use.
    """
    if not text.startswith(("http://", "https://")):
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"{text!r} is refused: it must be a URL such as http://localhost:4317, or HOST:PORT")
        return Endpoint(text, not is_insecure)
    parts = _checked(text)
    if parts.path not in {"", "/"} or parts.query:
        raise ValueError(f"{text!r} is refused: gRPC has no use for a path: keep {parts.scheme}://{parts.netloc}")
    is_secure = parts.scheme == "https"
    port = parts.port or (SECURE_PORT if is_secure else PLAIN_PORT)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return Endpoint(f"{host}:{port}", is_secure)


def http_endpoint(text: str) -> Endpoint:
    """Return the URL of one signal: as it is given, with the path "/" where it has none.

    Raises:
        ValueError: It is no URL of http or https with a host.
    """
    parts = _checked(text)
    return Endpoint(parts._replace(path=parts.path or "/", fragment="").geturl(), parts.scheme == "https")


def http_base_endpoint(text: str, signal: Signal) -> Endpoint:
    """Return the URL of one signal below a URL that is given for all of them.

    Raises:
        ValueError: It is no URL of http or https with a host.
    """
    parts = _checked(text)
    path = f"{parts.path.removesuffix('/')}/v1/{signal}"
    return Endpoint(parts._replace(path=path, fragment="").geturl(), parts.scheme == "https")


def _checked(text: str) -> SplitResult:
    example = "it must be a URL of a host, such as http://localhost:4318"
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is refused: {example}")
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError(f"{_without_user(text)!r} is refused: {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{_without_user(text)!r} is refused: credentials in a URL are not used: give them as headers")
    return parts


def _without_user(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else text.rpartition("@")[2]
