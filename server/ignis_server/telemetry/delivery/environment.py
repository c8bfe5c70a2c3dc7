"""Destinations as the environment names them: OpenTelemetry's own variables, and a file for all others.

OTEL_EXPORTER_OTLP_* and their variants for each signal are read as OpenTelemetry's specification has it (protocol/exporter.md and
configuration/sdk-environment-variables.md), with two differences, for the sake of deployments that exist: without an endpoint
nothing leaves, unless OTEL_*_EXPORTER=otlp asks for it; and the protocol is gRPC where none is named.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ignis_server.errors import SettingsInvalid
from ignis_server.telemetry.delivery.destination import Compression, Destination, Mistake, Protocol, Route, TlsFiles
from ignis_server.telemetry.delivery.destinations_file import read_destinations
from ignis_server.telemetry.delivery.endpoint import Endpoint, grpc_endpoint, http_base_endpoint, http_endpoint
from ignis_server.telemetry.delivery.headers import headers_of_list
from ignis_server.telemetry.model import Signal

__all__ = ["DEFAULT_NAME", "DESTINATIONS_VARIABLE", "Destinations", "destinations_of"]

DEFAULT_NAME = "default"
DESTINATIONS_VARIABLE = "IGNIS_DESTINATIONS"
MAX_DESTINATIONS = 16
# Ways to export that the specification knows and this service does not: whoever asks for one of them alone does not ask for OTLP.
OTHER_EXPORTERS = frozenset({"console", "logging", "none", "otlp/stdout", "prometheus", "zipkin"})
DEFAULT_ENDPOINTS: Mapping[Protocol, str] = {
    Protocol.GRPC: "http://localhost:4317",
    Protocol.HTTP: "http://localhost:4318",
}
NUMBER = re.compile(r"[0-9]{1,10}")
MILLISECONDS = 1_000.0
# What the specification has for "no limit": a very long time.
UNLIMITED_MILLISECONDS = 3_600_000
DEFAULT_MILLISECONDS = 10_000


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where telemetry goes, and what of the settings was passed over, for a log.

    The specification wants values of OTEL_* variables that mean nothing to be passed over with a warning, not to be errors: one
    environment is made for many programs.
    """

    destinations: tuple[Destination, ...]
    warnings: tuple[str, ...] = ()


def destinations_of(environ: Mapping[str, str]) -> Destinations:
    """Return the destinations that an environment names; reads the file in IGNIS_DESTINATIONS, and nothing else.

    Raises:
        SettingsInvalid: An endpoint, a header or the file is wrong; all mistakes at once.
    """
    found = _Environment(environ)
    if found.is_true("OTEL_SDK_DISABLED"):
        return Destinations((), tuple(found.warnings))
    destinations: list[Destination] = []
    routes = {signal: route for signal in Signal if (route := found.route(signal)) is not None}
    if routes:
        destinations.append(Destination(DEFAULT_NAME, routes))
    path = environ.get(DESTINATIONS_VARIABLE)
    if path:
        more, mistakes = read_destinations(Path(path))
        destinations.extend(more)
        found.mistakes.extend(f"{DESTINATIONS_VARIABLE}: {each}" for each in mistakes)
    found.mistakes.extend(_of_all(destinations))
    if found.mistakes:
        raise SettingsInvalid(tuple(found.mistakes))
    return Destinations(tuple(destinations), tuple(found.warnings))


def _of_all(destinations: list[Destination]) -> Iterator[str]:
    names = [each.name for each in destinations]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{DESTINATIONS_VARIABLE}: {names.count(name)} destinations are named {name!r}: give each a name of its own"
    if len(names) > MAX_DESTINATIONS:
        yield f"{DESTINATIONS_VARIABLE}: {len(names)} destinations are named, of which {MAX_DESTINATIONS} are allowed"


@dataclass(slots=True)
class _Environment:
    """Reads variables, and notes what is wrong with them."""

    environ: Mapping[str, str]
    warnings: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def is_true(self, name: str) -> bool:
        """Return a Boolean: true is "true" in any case, and nothing else."""
        value = self.environ.get(name, "").strip().lower()
        if value not in {"", "true", "false"}:
            self._warn(f"{name}: {self.environ[name]!r} is taken for false: it must be true or false")
        return value == "true"

    def route(self, signal: Signal) -> Route | None:
        """Return the way of a signal, or None where it goes nowhere."""
        exporter = self._exports(signal)
        if exporter is False:
            return None
        protocol = self._protocol(signal)
        endpoint = self._endpoint(signal, protocol, is_asked_for=exporter is True)
        if endpoint is None:
            return None
        route = Route(
            protocol=protocol,
            endpoint=endpoint.address,
            is_secure=endpoint.is_secure,
            headers=self._headers(signal),
            compression=self._compression(signal),
            timeout_seconds=self._milliseconds(signal) / MILLISECONDS,
            tls=self._tls(signal),
        )
        for mistake in route.mistakes():
            self._mistake(self._variable_of(mistake, signal), mistake.description)
        return route

    def _exports(self, signal: Signal) -> bool | None:
        """Return whether a signal is to leave by OTLP; None where nothing is said of that."""
        name = f"OTEL_{signal.upper()}_EXPORTER"
        chosen = [each.strip().lower() for each in self.environ.get(name, "").split(",") if each.strip()]
        if "otlp" in chosen:
            return True
        if chosen != ["none"]:
            for each in chosen:
                known = "is not offered here" if each in OTHER_EXPORTERS else "is not known"
                self._warn(f"{name}: {each!r} {known}: it must be otlp or none")
        return False if any(each in OTHER_EXPORTERS for each in chosen) else None

    def _endpoint(self, signal: Signal, protocol: Protocol, *, is_asked_for: bool) -> Endpoint | None:
        name, text = self._either(signal, "ENDPOINT")
        if not text:
            if not is_asked_for:
                return None
            text = DEFAULT_ENDPOINTS[protocol]
        try:
            if protocol is Protocol.GRPC:
                return grpc_endpoint(text, is_insecure=self._is_insecure(signal))
            is_own = name == _variable("ENDPOINT", signal)
            return http_endpoint(text) if is_own else http_base_endpoint(text, signal)
        except ValueError as error:
            self._mistake(name, str(error))
            return None

    def _is_insecure(self, signal: Signal) -> bool:
        name, _ = self._either(signal, "INSECURE")
        return self.is_true(name)

    def _protocol(self, signal: Signal) -> Protocol:
        name, text = self._either(signal, "PROTOCOL")
        try:
            return Protocol(text.lower()) if text else Protocol.GRPC
        except ValueError:
            self._warn(f"{name}: {text!r} is not offered here, and is passed over: it must be grpc or http/protobuf")
            return Protocol.GRPC

    def _compression(self, signal: Signal) -> Compression:
        name, text = self._either(signal, "COMPRESSION")
        try:
            return Compression(text.lower()) if text else Compression.NONE
        except ValueError:
            self._warn(f"{name}: {text!r} is not offered here, and is passed over: it must be gzip or none")
            return Compression.NONE

    def _milliseconds(self, signal: Signal) -> int:
        name, text = self._either(signal, "TIMEOUT")
        if not text:
            return DEFAULT_MILLISECONDS
        if not NUMBER.fullmatch(text) or int(text) > UNLIMITED_MILLISECONDS:
            limit = f"whole milliseconds, {UNLIMITED_MILLISECONDS} at most"
            self._warn(f"{name}: {text[:64]!r} is passed over: it must be {limit}")
            return DEFAULT_MILLISECONDS
        return int(text) or UNLIMITED_MILLISECONDS

    def _headers(self, signal: Signal) -> tuple[tuple[str, str], ...]:
        name, text = self._either(signal, "HEADERS")
        headers, mistakes = headers_of_list(text)
        for each in mistakes:
            self._mistake(name, each)
        return headers

    def _tls(self, signal: Signal) -> TlsFiles:
        return TlsFiles(
            *(
                Path(text) if text else None
                for _, text in (
                    self._either(signal, each) for each in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
                )
            )
        )

    def _either(self, signal: Signal, option: str) -> tuple[str, str]:
        """Return the variable that an option of a signal is taken from, and its value; empty is as good as not there."""
        own, general = _variable(option, signal), _variable(option)
        name = own if self.environ.get(own, "").strip() else general
        return name, self.environ.get(name, "").strip()

    def _variable_of(self, mistake: Mistake, signal: Signal) -> str:
        option = {"certificate_file": "CLIENT_CERTIFICATE", "key_file": "CLIENT_KEY", "headers": "HEADERS"}
        return self._either(signal, option[mistake.field])[0]

    def _mistake(self, name: str, description: str) -> None:
        # What is wrong for all signals is said once.
        mistake = f"{name}: {description}"
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


def _variable(option: str, signal: Signal | None = None) -> str:
    return f"OTEL_EXPORTER_OTLP_{signal.upper()}_{option}" if signal else f"OTEL_EXPORTER_OTLP_{option}"
