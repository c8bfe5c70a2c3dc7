"""The trace that a call belongs to: what the caller's OpenTelemetry says of it, where there is one (the extra `otel`).

It goes with each call as metadata, and not by an interceptor: those of opentelemetry-instrumentation-grpc do not pass on the
cancellation of a call to the server (open-telemetry/opentelemetry-python-contrib issue 3271).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from ignis_client._channel import Metadata

__all__ = ["continued", "trace_context"]

# Of all that an application's propagators write. Baggage stays at home: it may say anything of users, and no server here reads it.
NAMES = ("traceparent", "tracestate")

Inject = Callable[[dict[str, str]], None]


def trace_context() -> Metadata:
    """Return W3C's trace context of the current span; nothing where there is none, or no OpenTelemetry."""
    inject = _inject()
    if inject is None:
        return ()
    carrier: dict[str, str] = {}
    inject(carrier)
    return tuple((name, carrier[name]) for name in NAMES if name in carrier)


@contextmanager
def continued(carrier: Mapping[str, str]) -> Iterator[None]:
    """Make the trace that a server told of the current one until the block ends; tasks that begin in it keep it."""
    if _inject() is None or not carrier:
        yield
        return
    from opentelemetry.context import attach, detach  # noqa: PLC0415 - as in `_inject`
    from opentelemetry.propagate import extract  # noqa: PLC0415 - as in `_inject`

    token = attach(extract(carrier))
    try:
        yield
    finally:
        detach(token)


@cache
def _inject() -> Inject | None:
    """Import OpenTelemetry with the first call: it looks through all installed packages, and callers may not have it."""
    try:
        from opentelemetry.propagate import inject  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        return None
    return inject
