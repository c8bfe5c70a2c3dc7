"""Requests that are put together by hand are what the libraries of every receiver read."""

import hashlib

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from ignis_server.telemetry.model import Batch, Signal
from ignis_server.telemetry.otlp import batch_headers, export_request, fields_of, length_delimited

SCOPE = InstrumentationScope(name="ignis_server")
SERVICE = KeyValue(key="service.name", value=AnyValue(string_value="ignis"))


def batch(signal: Signal, content: Message) -> Batch:
    serialised = content.SerializeToString()
    digest = hashlib.sha256(serialised).digest()
    return Batch("box", 7, signal, 2, 5, digest, Resource(attributes=[SERVICE]).SerializeToString(), serialised)


def attributes(resource: Resource) -> dict[str, object]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in resource.attributes
    }


def expected(made: Batch) -> dict[str, object]:
    return {
        "service.name": "ignis",
        "ignis.outbox.id": "box",
        "ignis.batch.sequence": 7,
        "ignis.batch.items": 2,
        "ignis.batch.digest": f"sha256:{made.digest.hex()}",
    }


def test_spans_are_sent_with_their_resource_and_what_names_the_batch() -> None:
    content = ScopeSpans(scope=SCOPE, spans=[Span(name="one"), Span(name="two")])
    made = batch(Signal.TRACES, content)

    (found,) = ExportTraceServiceRequest.FromString(export_request(made)).resource_spans

    assert list(found.scope_spans) == [content]
    assert attributes(found.resource) == expected(made)


def test_metrics_are() -> None:
    content = ScopeMetrics(scope=SCOPE, metrics=[Metric(name="one"), Metric(name="two")])
    made = batch(Signal.METRICS, content)

    (found,) = ExportMetricsServiceRequest.FromString(export_request(made)).resource_metrics

    assert list(found.scope_metrics) == [content]
    assert attributes(found.resource) == expected(made)


def test_log_records_are() -> None:
    content = ScopeLogs(scope=SCOPE, log_records=[LogRecord(event_name="one"), LogRecord(event_name="two")])
    made = batch(Signal.LOGS, content)

    (found,) = ExportLogsServiceRequest.FromString(export_request(made)).resource_logs

    assert list(found.scope_logs) == [content]
    assert attributes(found.resource) == expected(made)


def test_what_travels_beside_a_request_names_the_batch_and_its_digest() -> None:
    made = batch(Signal.TRACES, ScopeSpans(scope=SCOPE))

    assert batch_headers(made) == {
        "ignis-outbox-id": "box",
        "ignis-batch-sequence": "7",
        "ignis-batch-digest": f"sha256:{hashlib.sha256(made.content).hexdigest()}",
    }


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384, 3_000_000])
def test_fields_of_every_length_are_read_back(length: int) -> None:
    name = b"\x2a"

    assert Span.FromString(length_delimited(name, b"x" * length)).name == "x" * length


def test_fields_are_taken_apart_as_they_were_put_together() -> None:
    fields = [(1, b"a"), (2, b""), (15, b"x" * 300), (1, b"b")]
    message = b"".join(length_delimited(bytes([number << 3 | 2]), content) for number, content in fields)

    assert list(fields_of(message)) == fields


@pytest.mark.parametrize("message", [b"\x08\x01", b"\x0a\x02a", b"\x0a", b"\x80"])
def test_what_is_no_message_of_such_fields_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        list(fields_of(message))
