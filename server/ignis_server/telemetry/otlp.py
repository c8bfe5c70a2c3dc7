"""Batches on the wire: OTLP requests put together from parts that are serialised already.

Requests of all three signals have one shape: a resource, a scope within it, items within that, each as field 1, the lists as
field 2. So nothing is decoded and encoded again to be sent.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ignis_server.telemetry.model import Batch, Signal

__all__ = [
    "DIGEST_HEADER",
    "EXPORT_METHODS",
    "FIELD_1",
    "FIELD_2",
    "batch_headers",
    "export_request",
    "fields_of",
    "lead",
    "length_delimited",
]

# Tags of length-delimited fields: the number of the field in the upper five bits, the wire type 2 in the lower three.
FIELD_1: Final = b"\x0a"
FIELD_2: Final = b"\x12"
LENGTH_DELIMITED: Final = 2
DIGEST_HEADER: Final = "ignis-batch-digest"
# What OTLP calls over gRPC.
EXPORT_METHODS: Final[Mapping[Signal, str]] = MappingProxyType(
    {
        Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
)


def export_request(batch: Batch) -> bytes:
    """Return an Export(Trace|Metrics|Logs)ServiceRequest.

    The resource tells which batch it is, so that a receiver anywhere behind it can see gaps and repetitions.
    """
    # Fields of a message may be concatenated: the attributes are put behind those that are there.
    resource = batch.resource + Resource(
        attributes=[
            KeyValue(key="ignis.outbox.id", value=AnyValue(string_value=batch.outbox_id)),
            KeyValue(key="ignis.batch.sequence", value=AnyValue(int_value=batch.sequence)),
            KeyValue(key="ignis.batch.items", value=AnyValue(int_value=batch.items)),
            KeyValue(key="ignis.batch.digest", value=AnyValue(string_value=_named(batch.digest))),
        ]
    ).SerializeToString(deterministic=True)
    of_resource = length_delimited(FIELD_1, resource) + length_delimited(FIELD_2, batch.content)
    return length_delimited(FIELD_1, of_resource)


def batch_headers(batch: Batch) -> Mapping[str, str]:
    """Return what travels beside a request, for receivers that look no further."""
    return {
        "ignis-outbox-id": batch.outbox_id,
        "ignis-batch-sequence": str(batch.sequence),
        DIGEST_HEADER: _named(batch.digest),
    }


def length_delimited(tag: bytes, content: bytes) -> bytes:
    """Return a field of bytes: its tag, its length, itself."""
    return lead(tag, len(content)) + content


def lead(tag: bytes, length: int) -> bytes:
    """Return what stands before the content of a field of bytes: its tag, and its length as a varint."""
    encoded = bytearray(tag)
    while length > 0x7F:  # noqa: PLR2004 - seven bits a byte, the eighth says that more follow
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def fields_of(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a message that has none but length-delimited ones: their numbers, and their content as it stands.

    Raises:
        ValueError: It has others, or ends amid one.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        length, place = _varint(message, place)
        if tag & 0b111 != LENGTH_DELIMITED or place + length > len(message):
            raise ValueError("the bytes are no message of such fields")
        yield tag >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte <= 0x7F:  # noqa: PLR2004 - the eighth bit says that more follow
            return value, place
        shift += 7
    raise ValueError("the bytes end amid a number")


def _named(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"
