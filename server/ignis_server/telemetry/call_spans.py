"""Spans of calls, written straight into OTLP.

A span of the SDK costs some 60 microseconds to make and to encode, a fifth of what gRPC itself needs for a call. All that
differs between two calls of one method that end the same way are ids and times; the rest is encoded once, and those are packed
into it.
"""

from collections.abc import Callable
from struct import Struct, calcsize
from typing import Final, NamedTuple, TypeAlias

import grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ignis_server.rpc.trace import CallTrace
from ignis_server.telemetry.otlp import FIELD_2, lead, length_delimited

__all__ = ["CallEnd", "CallSpans", "attributes_of", "encode_attributes"]

# Tags of a span's fields (trace.proto): a number of 3 bits tells how long what follows is.
TRACE_ID, SPAN_ID, PARENT_ID, ATTRIBUTE = b"\x0a\x10", b"\x12\x08", b"\x22\x08", b"\x4a"
START, END = b"\x39", b"\x41"
# What one end's spans may say beyond the conventions is as manifold as answers are; beyond this all forms are made anew.
MAX_FORMS: Final = 4_096

# What packs a span, and those of its parts that stay the same: its lead, the tag of its parent, what is before its times and after.
Form: TypeAlias = tuple[Callable[..., bytes], bytes, bytes, bytes, bytes]


class CallEnd(NamedTuple):
    """How a call ended: the full name of its method, its code, the type of its error, and whether the server is to blame."""

    method: str
    code: str
    error_type: str
    is_fault: bool


class CallSpans:
    """The spans of calls that end one way."""

    def __init__(self, end: CallEnd, *, with_old: bool = False) -> None:
        """Encode what they have in common: name and kind, attributes, status."""
        self._name = Span(name=end.method, kind=Span.SPAN_KIND_SERVER).SerializeToString()
        self._attributes = encode_attributes(attributes_of(end, with_old=with_old))
        self._status = Span(status=Status(code=Status.STATUS_CODE_ERROR)).SerializeToString() if end.is_fault else b""
        # By what else they say, and by how long the id of their parent is.
        self._forms: dict[tuple[bytes, int], Form] = {}

    def encoded(self, trace: CallTrace, began_ns: int, ended_ns: int, attributes: bytes = b"") -> bytes:
        """Return a span as an item of a batch of traces: as field 2 of a ScopeSpans.

        Fields stand in the order of their numbers, as all libraries write them. So what a collector decodes and encodes again
        is the same to the byte, and the digest of the batch holds.

        Args:
            trace: Its ids.
            began_ns: When the call began, since the epoch.
            ended_ns: When it ended.
            attributes: What else is said of it, encoded.
        """
        pack, first, parent, start, last = self._forms.get((attributes, len(trace.parent_id))) or self._form(
            attributes, len(trace.parent_id)
        )
        return pack(
            first,
            TRACE_ID,
            trace.trace_id,
            SPAN_ID,
            trace.span_id,
            parent,
            trace.parent_id,
            start,
            began_ns,
            END,
            ended_ns,
            last,
        )

    def _form(self, attributes: bytes, parent_bytes: int) -> Form:
        parent = PARENT_ID if parent_bytes else b""
        start = self._name + START
        last = self._attributes + attributes + self._status
        fields = f"2s16s2s8s{len(parent)}s{parent_bytes}s{len(start)}sQ1sQ{len(last)}s"
        first = lead(FIELD_2, calcsize(f"<{fields}"))
        if len(self._forms) >= MAX_FORMS:
            self._forms.clear()
        form = self._forms[attributes, parent_bytes] = (
            Struct(f"<{len(first)}s{fields}").pack,
            first,
            parent,
            start,
            last,
        )
        return form


def encode_attributes(attributes: dict[str, str | int | bool]) -> bytes:
    """Return attributes as fields of a span."""
    return b"".join(
        length_delimited(ATTRIBUTE, KeyValue(key=key, value=_value(value)).SerializeToString())
        for key, value in attributes.items()
    )


def attributes_of(end: CallEnd, *, with_old: bool = False) -> dict[str, str | int | bool]:
    """Return the attributes by which conventions tell calls apart; the old ones, too, where they are asked for."""
    attributes: dict[str, str | int | bool] = {
        "rpc.system.name": "grpc",
        "rpc.method": end.method,
        "rpc.response.status_code": end.code,
    }
    if end.error_type:
        attributes["error.type"] = end.error_type
    if with_old:
        # The old rpc.method, without its service, has given its name to the new one.
        code: int = grpc.StatusCode[end.code].value[0]
        service = end.method.rpartition("/")[0]
        attributes |= {"rpc.system": "grpc", "rpc.service": service, "rpc.grpc.status_code": code}
    return attributes


def _value(value: str | int | bool) -> AnyValue:  # noqa: FBT001 - a value, no option
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case str():
            return AnyValue(string_value=value)
