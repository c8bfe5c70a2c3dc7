"""A file of destinations: YAML, JSON or TOML, each with a name and with as many of the settings as differ from the usual.

destinations:
  - name: platform
    endpoint: https://otlp.example.com        # or one for each signal, below
    protocol: http/protobuf                   # or grpc, the usual
    signals: [traces, metrics]                # all three, where nothing is said
    token_file: /run/secrets/otlp-token
    compression: gzip
    traces: {endpoint: https://traces.example.com/intake, timeout_seconds: 30}
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from ignis_server.telemetry.delivery.destination import (
    MAX_REQUEST_BYTES,
    TIMEOUT_SECONDS,
    Compression,
    Destination,
    OAuth2,
    Protocol,
    Route,
    TlsFiles,
)
from ignis_server.telemetry.delivery.endpoint import Endpoint, grpc_endpoint, http_base_endpoint, http_endpoint
from ignis_server.telemetry.model import Signal

__all__ = ["read_destinations"]

MAX_FILE_BYTES = 1 << 20
MAX_FILE_DESTINATIONS = 16

Text = Annotated[str, Field(min_length=1, max_length=4_096)]


class _Strict(BaseModel):
    """Settings of which each that is not known is a mistake: a name that is mistyped must not be passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _OAuth2(_Strict):
    token_url: Text
    client_id: Text
    client_secret_file: Text
    scope: str = ""
    audience: str = ""
    secret_in_body: bool = False
    ca_file: Text | None = None

    def oauth2(self) -> OAuth2:
        return OAuth2(
            self.token_url,
            self.client_id,
            Path(self.client_secret_file),
            scope=self.scope,
            audience=self.audience,
            is_secret_in_body=self.secret_in_body,
            ca=_path(self.ca_file),
        )


class _Way(_Strict):
    """What may be said for all signals, and for each one differently."""

    endpoint: Text | None = None
    protocol: Literal["grpc", "http/protobuf"] | None = None
    insecure: bool | None = None
    headers: dict[str, SecretStr] | None = Field(default=None, max_length=64)
    headers_file: Text | None = None
    token_file: Text | None = None
    oauth2: _OAuth2 | None = None
    compression: Literal["gzip", "none"] | None = None
    timeout_seconds: float | int | None = None
    ca_file: Text | None = None
    certificate_file: Text | None = None
    key_file: Text | None = None


class _Destination(_Way):
    name: str
    signals: list[Literal["traces", "metrics", "logs"]] | None = Field(default=None, max_length=3)
    concurrent_requests: int = 4
    max_request_bytes: int = MAX_REQUEST_BYTES
    traces: _Way = _Way()
    metrics: _Way = _Way()
    logs: _Way = _Way()


class _File(_Strict):
    destinations: list[_Destination] = Field(max_length=MAX_FILE_DESTINATIONS)


def read_destinations(path: Path) -> tuple[list[Destination], list[str]]:
    """Read a file of destinations.

    Returns:
        The destinations, and all that is wrong with the file, none of it with a value that may be a secret.
    """
    try:
        content = _content(path)
    except OSError as error:
        return [], [f"cannot read {path}: {error.strerror or type(error).__name__}"]
    except ValueError as error:
        return [], [f"{path}: {error}"]
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        return [], [_worded(each) for each in error.errors(include_input=False, include_url=False)]
    destinations: list[Destination] = []
    mistakes: list[str] = []
    for place, each in enumerate(file.destinations):
        found, wrong = _destination(each)
        destinations.append(found)
        mistakes.extend(f"destinations.{place}.{mistake}" for mistake in wrong)
    return destinations, mistakes


def _content(path: Path) -> Any:  # noqa: ANN401 - whatever the file has
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        # JSON is YAML.
        return tomllib.loads(data.decode()) if path.suffix == ".toml" else yaml.safe_load(data)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {error}") from None
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"is not YAML: {error.problem}{where}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise ValueError("is not YAML, JSON or TOML: it must be one of them, in UTF-8") from None


def _worded(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _destination(given: _Destination) -> tuple[Destination, list[str]]:
    mistakes: list[str] = []
    routes: dict[Signal, Route] = {}
    for signal in Signal if given.signals is None else map(Signal, given.signals):
        own: _Way = getattr(given, signal)
        try:
            route = _route(given, own, signal)
        except ValueError as error:
            field = f"{signal}.endpoint" if own.endpoint else "endpoint"
            mistakes.append(f"{field}: {error}")
        else:
            routes[signal] = route
            own_fields = own.model_fields_set
            mistakes.extend(
                f"{f'{signal}.' if each.field.partition('.')[0] in own_fields else ''}{each.field}: {each.description}"
                for each in route.mistakes()
            )
    destination = Destination(
        given.name,
        routes,
        concurrent_requests=given.concurrent_requests,
        max_request_bytes=given.max_request_bytes,
    )
    # Signals whose endpoint is wrong are not missing.
    wrong = (each for each in destination.mistakes() if each.field != "signals" or given.signals == [])
    mistakes.extend(f"{each.field}: {each.description}" for each in wrong)
    return destination, list(dict.fromkeys(mistakes))


def _route(given: _Destination, own: _Way, signal: Signal) -> Route:
    def either(name: str, otherwise: Any = None) -> Any:  # noqa: ANN401 - as the field has it
        value = getattr(own, name)
        value = getattr(given, name) if value is None else value
        return otherwise if value is None else value

    protocol = Protocol(either("protocol", Protocol.GRPC))
    endpoint = _endpoint(given, own, signal, protocol)
    oauth2: _OAuth2 | None = either("oauth2")
    headers: Mapping[str, SecretStr] = either("headers", {})
    return Route(
        protocol=protocol,
        endpoint=endpoint.address,
        is_secure=endpoint.is_secure,
        headers=tuple((name.lower(), value.get_secret_value()) for name, value in headers.items()),
        headers_file=_path(either("headers_file")),
        token_file=_path(either("token_file")),
        oauth2=oauth2.oauth2() if oauth2 else None,
        compression=Compression(either("compression", Compression.NONE)),
        timeout_seconds=float(either("timeout_seconds", TIMEOUT_SECONDS)),
        tls=TlsFiles(*(_path(either(name)) for name in ("ca_file", "certificate_file", "key_file"))),
    )


def _endpoint(given: _Destination, own: _Way, signal: Signal, protocol: Protocol) -> Endpoint:
    text = own.endpoint or given.endpoint
    if text is None:
        raise ValueError("is missing: it must say where, as in https://otlp.example.com")
    if protocol is Protocol.GRPC:
        is_insecure = given.insecure if own.insecure is None else own.insecure
        return grpc_endpoint(text, is_insecure=bool(is_insecure))
    return http_endpoint(text) if own.endpoint else http_base_endpoint(text, signal)


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None
