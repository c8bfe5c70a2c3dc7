"""Batches on the wire: OTLP requests put together from parts that are serialised already.

Requests of all three signals have one shape: a resource, a scope within it, items within that, each as field 1, the lists as
field 2. So nothing is decoded and encoded again to be sent.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ignis_server.telemetry.model import Batch

__all__ = ["batch_headers", "export_request", "length_delimited"]

# Tags of length-delimited fields: the number of the field in the upper five bits, the wire type 2 in the lower three.
FIELD_1: Final = b"\x0a"
FIELD_2: Final = b"\x12"


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
        "ignis-batch-digest": _named(batch.digest),
    }


def length_delimited(tag: bytes, content: bytes) -> bytes:
    """Return a field of bytes: its tag, its length as a varint, itself."""
    length = len(content)
    encoded = bytearray(tag)
    while length > 0x7F:  # noqa: PLR2004 - seven bits a byte, the eighth says that more follow
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + content


def _named(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"
