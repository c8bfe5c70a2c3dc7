"""The two protocols of OTLP, for tests that hold for either: how one says things in them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import grpc

from ignis_server.telemetry.delivery.destination import Protocol, Route
from ignis_server.telemetry.delivery.endpoint import grpc_endpoint, http_base_endpoint
from ignis_server.telemetry.model import Signal
from support.otlp_receiver import Answer, GrpcAnswer, HttpAnswer, OtlpReceiver

__all__ = ["Wire"]

CODES: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Wire:
    """A protocol, and how one says things in it."""

    protocol: Protocol

    def url(self, receiver: OtlpReceiver, port: int | None = None) -> str:
        """Return where a receiver is, or a relay in front of it."""
        scheme = "https" if receiver.tls else "http"
        own = receiver.grpc_port if self.protocol is Protocol.GRPC else receiver.http_port
        return f"{scheme}://localhost:{port or own}"

    def routes(self, url: str, **options: Any) -> dict[Signal, Route]:  # noqa: ANN401 - the fields of a route
        """Return the same way for all signals."""
        return {signal: self.route(url, signal, **options) for signal in Signal}

    def route(self, url: str, signal: Signal = Signal.TRACES, **options: Any) -> Route:  # noqa: ANN401 - as above
        """Return the way of one signal."""
        is_grpc = self.protocol is Protocol.GRPC
        where = grpc_endpoint(url, is_insecure=False) if is_grpc else http_base_endpoint(url, signal)
        return replace(Route(self.protocol, *where), **options)

    def answer(self, status: int, text: str = "", retry_seconds: int | None = None) -> Answer:
        """Return an answer that means the same in both."""
        if self.protocol is Protocol.GRPC:
            return GrpcAnswer(CODES[status], text, retry_seconds)
        headers = {"content-type": "text/plain"}
        return HttpAnswer(
            status, headers | ({} if retry_seconds is None else {"retry-after": str(retry_seconds)}), text.encode()
        )
