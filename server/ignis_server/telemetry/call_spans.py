"""Spans of calls, written straight into OTLP.

A span of the SDK costs some 60 microseconds to make and to encode, a fifth of what gRPC itself needs for a call. All that
differs between two calls of one method that end the same way are two ids and two times; the rest is encoded once.
"""

import struct
from functools import lru_cache
from typing import NamedTuple

import grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ignis_server.telemetry.otlp import FIELD_2, length_delimited

__all__ = ["CallEnd", "FinishedCall", "attributes_of", "encode_attributes", "encode_span"]

# Tags of a span's fields (trace.proto): a number of 3 bits tells how long what follows is.
TRACE_ID, SPAN_ID, PARENT_ID, ATTRIBUTE = b"\x0a\x10", b"\x12\x08", b"\x22\x08", b"\x4a"
TIMES = struct.Struct("<cQcQ")
START, END = b"\x39", b"\x41"
# Kinds of ends are few: methods times codes. What is beyond is encoded anew each time.
MAX_ENDS = 1_024


class CallEnd(NamedTuple):
    """How a call ended: the full name of its method, its code, the type of its error, and whether the server is to blame."""

    method: str
    code: str
    error_type: str
    is_fault: bool


class FinishedCall(NamedTuple):
    """A call that is over.

    Its ids (that of the parent may be empty), its times since the epoch, its end, and what else is said of it, encoded.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    began_ns: int
    ended_ns: int
    end: CallEnd
    attributes: bytes = b""


def encode_span(call: FinishedCall, *, with_old: bool = False) -> bytes:
    """Return a call as an item of a batch of traces: a span as field 2 of a ScopeSpans.

    Fields stand in the order of their numbers, as all libraries write them. So what a collector decodes and encodes again is the
    same to the byte, and the digest of the batch holds.
    """
    parent = PARENT_ID + call.parent_id if call.parent_id else b""
    times = TIMES.pack(START, call.began_ns, END, call.ended_ns)
    name, attributes, status = _parts(call.end, with_old)
    ids = (TRACE_ID, call.trace_id, SPAN_ID, call.span_id, parent)
    return length_delimited(FIELD_2, b"".join((*ids, name, times, attributes, call.attributes, status)))


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


@lru_cache(MAX_ENDS)
def _parts(end: CallEnd, with_old: bool) -> tuple[bytes, bytes, bytes]:  # noqa: FBT001 - cached by place
    """Return what all calls that end so have in common: name and kind, attributes, status."""
    return (
        Span(name=end.method, kind=Span.SPAN_KIND_SERVER).SerializeToString(),
        encode_attributes(attributes_of(end, with_old=with_old)),
        Span(status=Status(code=Status.STATUS_CODE_ERROR)).SerializeToString() if end.is_fault else b"",
    )


def _value(value: str | int | bool) -> AnyValue:  # noqa: FBT001 - a value, no option
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case str():
            return AnyValue(string_value=value)
