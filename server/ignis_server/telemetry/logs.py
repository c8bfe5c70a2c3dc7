"""Log lines as OTLP log records: events of the signal table, with the attributes that it names and no others."""

import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType, TracebackType
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from ignis_server.clock import Clock
from ignis_server.rpc.call import current_call
from ignis_server.signal_table import EVENTS
from ignis_server.telemetry.capture import Capture
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.otlp import FIELD_2, length_delimited

__all__ = ["LogRelay"]

SEVERITIES: Final = MappingProxyType(
    {
        "debug": SeverityNumber.SEVERITY_NUMBER_DEBUG,
        "info": SeverityNumber.SEVERITY_NUMBER_INFO,
        "warning": SeverityNumber.SEVERITY_NUMBER_WARN,
        "error": SeverityNumber.SEVERITY_NUMBER_ERROR,
        "critical": SeverityNumber.SEVERITY_NUMBER_FATAL,
    }
)
ALLOWED: Final = MappingProxyType({row.name: frozenset(each.name for each in row.attributes) for row in EVENTS})
MAX_FRAMES: Final = 50


class LogRelay:
    """A processor of structlog that ties lines to the trace of the call they belong to, and hands them on as telemetry.

    It is there from the first line on; lines before `relay_to`, such as those about settings, are written and not handed on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._capture: Capture | None = None

    def relay_to(self, capture: Capture | None) -> None:
        """Hand lines on from now on, or no longer."""
        self._capture = capture

    def __call__(self, _logger: object, severity: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Tie a line to its trace, and hand it on; the line itself goes on as it came otherwise."""
        call = current_call()
        trace = None if call is None else call.trace
        if self._capture is not None and line.get("event") in ALLOWED:
            record = self._record(severity, line)
            if trace is not None:
                record.trace_id, record.span_id = trace.trace_id, trace.span_id
            self._capture.capture(Signal.LOGS, 1, length_delimited(FIELD_2, record.SerializeToString()))
        if trace is not None:
            line.update(trace_id=trace.trace_id.hex(), span_id=trace.span_id.hex())
        return line

    def _record(self, severity: str, line: Mapping[str, Any]) -> LogRecord:
        event = str(line["event"])
        said = dict(line)
        error = line.get("exc_info")
        if error is True:
            # As `log.exception` has it: the one that is being handled.
            error = sys.exception()
        if isinstance(error, BaseException):
            said |= {"exception.type": type(error).__name__, "exception.stacktrace": _frames(error.__traceback__)}
        now_ns = self._clock.now_ns()
        return LogRecord(
            time_unix_nano=now_ns,
            observed_time_unix_nano=now_ns,
            severity_number=SEVERITIES.get(severity, SeverityNumber.SEVERITY_NUMBER_UNSPECIFIED),
            severity_text=severity.upper(),
            event_name=event,
            body=AnyValue(string_value=event),
            attributes=[
                KeyValue(key=name, value=_value(value))
                for name, value in sorted(said.items())
                if name in ALLOWED[event]
            ],
        )


def _frames(trace: TracebackType | None) -> str:
    """Return where an error arose, innermost last: modules, lines and functions, which hold no values of callers."""
    frames = [
        (frame.f_globals.get("__name__", "?"), line, frame.f_code.co_name) for frame, line in traceback.walk_tb(trace)
    ]
    return "\n".join(f"{module}:{line} in {function}" for module, line, function in frames[-MAX_FRAMES:])


def _value(value: object) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case _:
            return AnyValue(string_value=str(value))
