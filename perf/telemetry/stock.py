"""A server with OpenTelemetry's SDK as its documentation has it: what the service is measured beside."""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from typing import Any

import grpc
import uvloop
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_server_interceptor
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from perf.serving import tell_started

__all__ = ["stock_command"]

WAYS = ("by-hand", "interceptor", "none")
STOP_SECONDS = 0.5


def stock_command(python: str, *, method: str, way: str, port: int = 0, answer_bytes: int = 0) -> Sequence[str]:
    """Return the command that runs such a server; OTEL_EXPORTER_OTLP_ENDPOINT says where spans go.

    Args:
        python: The interpreter.
        method: The one method that it has, as "/package.Service/Method".
        way: "by-hand": the handler begins and ends a span; "interceptor": contrib's does; "none": nobody.
        port: Of loopback; 0 takes a free one.
        answer_bytes: Size of its answers.
    """
    given = ("--method", method, "--way", way, "--port", str(port), "--answer", str(answer_bytes))
    return (python, "-m", "perf.telemetry.stock", *given)


async def serve(method: str, way: str, port: int, answer_bytes: int) -> None:
    """Serve until SIGTERM, and have the SDK send what it has then."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    provider = TracerProvider(resource=Resource.create({"service.name": "stock"}))
    if way != "none":
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("stock")
    payload = b"x" * answer_bytes

    async def answer_with_span(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        parent = extract(_texts(context.invocation_metadata()))
        with tracer.start_as_current_span(method, context=parent, kind=SpanKind.SERVER):
            return payload

    async def answer(_request: bytes, _context: object) -> bytes:
        return payload

    behaviour = answer_with_span if way == "by-hand" else answer
    service, _, name = method.lstrip("/").partition("/")
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {name: grpc.unary_unary_rpc_method_handler(behaviour)}
    interceptors: list[Any] = [_interceptor(provider)] if way == "interceptor" else []
    server = grpc.aio.server(interceptors=interceptors, options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    tell_started(bound)
    await told.wait()
    await server.stop(STOP_SECONDS)
    await asyncio.to_thread(provider.shutdown)


def _interceptor(provider: TracerProvider) -> Any:  # noqa: ANN401 - contrib has no types
    return aio_server_interceptor(tracer_provider=provider)  # type: ignore[no-untyped-call]  # likewise


def _texts(metadata: Any) -> dict[str, str]:  # noqa: ANN401 - types-grpcio has no better
    return {key: value for key, value in metadata or () if isinstance(value, str)}


def main() -> None:
    """Be the server."""
    parser = argparse.ArgumentParser(description="One of the processes that the measurements of telemetry start.")
    parser.add_argument("--method", required=True, help="the one that is served, as /package.Service/Method")
    parser.add_argument("--way", choices=WAYS, required=True, help="who makes a span of each call")
    parser.add_argument("--port", type=int, default=0, help="of loopback (default: a free one)")
    parser.add_argument(
        "--answer", type=int, default=0, metavar="BYTES", help="size of an answer (default: %(default)s)"
    )
    given = parser.parse_args()
    uvloop.run(serve(given.method, given.way, given.port, given.answer))


if __name__ == "__main__":
    main()
