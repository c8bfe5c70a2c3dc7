"""The port to a destination: a request goes out, and one of four things becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Final, Literal, Protocol, TypeAlias

from ignis_server.telemetry.model import Signal

__all__ = [
    "USER_AGENT",
    "Accepted",
    "Reason",
    "Refused",
    "Retry",
    "RoutedTransport",
    "SendOutcome",
    "TooLarge",
    "Transport",
    "tidied",
]

# In the form that OpenTelemetry wants of exporters (specification, protocol/exporter.md, "User Agent").
USER_AGENT: Final = f"ignis-agents/{version('ignis-agents')} OTLP-Exporter-Python/{version('ignis-agents')}"

# What a destination says is kept in a ledger and in logs.
MAX_MESSAGE_LENGTH = 300

# Why a request is to be sent again, in a word: the connection fails or was cut, nothing came back in time, the certificates do
# not fit, the credentials are not taken or cannot be had, a pause is asked for, something is out of order over there, or the
# destination is elsewhere.
Reason = Literal["unreachable", "timeout", "tls", "auth", "throttled", "unavailable", "redirected"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination has the request, but for some of its items, which it rejects for good and which are not sent again.

    `message` is what it says of those; where it rejects none, a remark.
    """

    rejected_items: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The destination will never take this request."""

    message: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The destination takes requests, but none of this size."""

    message: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Whether the destination has the request is not known, or it has not: send it again, not before `after_seconds`.

    Attributes:
        reason: Why, in a word.
        message: Why, in a sentence.
        after_seconds: What the destination asks for; None where it asks for nothing.
    """

    reason: Reason
    message: str
    after_seconds: float | None = None


SendOutcome: TypeAlias = Accepted | Refused | TooLarge | Retry


class Transport(Protocol):
    """Sends requests by one protocol.

    Several may be under way at once. What can go wrong on the way is an outcome, not an error.
    """

    async def send(self, signal: Signal, request: bytes, headers: Mapping[str, str]) -> SendOutcome:
        """Send an Export(Trace|Metrics|Logs)ServiceRequest once, and tell what became of it.

        Takes no longer than the time-out of the destination and that of its credentials. Cancelling gives the request up; it
        may arrive all the same.

        Args:
            signal: What the request holds.
            request: The request, serialised.
            headers: What goes along, besides the credentials of the destination; names in lower case.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections; nothing may be sent after that."""
        ...


class RoutedTransport:
    """Sends each signal its own way: where a destination takes traces here and logs there."""

    def __init__(self, routes: Mapping[Signal, Transport]) -> None:
        self._routes = MappingProxyType(dict(routes))

    async def send(self, signal: Signal, request: bytes, headers: Mapping[str, str]) -> SendOutcome:
        """Send a request by the transport of its signal."""
        return await self._routes[signal].send(signal, request, headers)

    async def aclose(self) -> None:
        """Close the transports, each once."""
        for transport in {id(each): each for each in self._routes.values()}.values():
            await transport.aclose()


def tidied(text: str) -> str:
    """Return what a destination or a library said as one line of bounded length."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= MAX_MESSAGE_LENGTH else line[: MAX_MESSAGE_LENGTH - 1] + "…"
