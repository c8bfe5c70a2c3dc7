"""The door of delivery: a real server, a real sink, and the client that asks what became of telemetry."""

import asyncio
import base64
import json
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider

from ignis_client import TelemetrySignal, Verification
from ignis_client.errors import (
    DestinationCannotVerify,
    DestinationNotFound,
    DestinationUnavailable,
    InvalidRequest,
)
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.sink.received import Received
from ignis_server.telemetry.sink.sink import otlp_sink
from support.collector import free_port, rotel
from support.otlp_receiver import otlp_receiver
from support.telemetry_door import all_delivered, eventually, spans_of, telling

SERVICE = "ignis.agents.v1.AgentLoaderService"


@dataclass(slots=True)
class Recording(Received):
    """What has arrived, and the requests themselves."""

    requests: list[tuple[Signal, bytes]] = field(default_factory=list)

    def take(self, signal: Signal, request: bytes, *, is_direct: bool = True) -> None:
        self.requests.append((signal, request))
        Received.take(self, signal, request, is_direct=is_direct)


async def test_what_is_captured_is_delivered_and_the_sink_has_it(small_catalog: Path, tmp_path: Path) -> None:
    async with otlp_sink() as sink:
        endpoint = f"http://127.0.0.1:{sink.port}"
        async with telling(endpoint, small_catalog, tmp_path, OTEL_METRIC_EXPORT_INTERVAL=2_000) as ignis:
            for _ in range(5):
                await ignis.get_catalog()
            ledger = await eventually(
                lambda: all_delivered(ignis, least=6), lambda ledger: all(row.captured_count for row in ledger.rows[:2])
            )
            verification = await ignis.verify_delivery("default")

    assert [(row.destination, row.signal) for row in ledger.rows] == [
        ("default", signal) for signal in (TelemetrySignal.TRACES, TelemetrySignal.METRICS, TelemetrySignal.LOGS)
    ]
    assert [row.captured_count for row in ledger.rows] == [row.delivered_count for row in ledger.rows]
    assert [(row.lost_count, row.oldest_waiting_time, row.last_error) for row in ledger.rows] == [(0, None, "")] * 3
    assert ledger.outbox_bytes < ledger.outbox_limit_bytes == 1 << 30
    assert verification.batch_count > 1
    assert verification == Verification(
        batch_count=verification.batch_count,
        equal_count=verification.batch_count,
        missing_sequences=(),
        differing_sequences=(),
        duplicated_sequences=(),
    )


async def test_a_sink_that_does_not_have_what_it_took_is_told(small_catalog: Path, tmp_path: Path) -> None:
    async with otlp_sink() as sink, telling(f"http://127.0.0.1:{sink.port}", small_catalog, tmp_path) as ignis:
        await eventually(lambda: all_delivered(ignis), lambda _: len(_only_box(sink.received)) > 3)
        batches = _only_box(sink.received)
        lost, other, twice, *_ = sorted(batches)
        del batches[lost]
        batches[other].digest = f"sha256:{'0' * 64}"
        batches[twice].copy_count = 2

        verification = await ignis.verify_delivery("default")
        rest = await ignis.verify_delivery("default", from_sequence=twice)

    assert verification.missing_sequences == (lost,)
    assert verification.differing_sequences == (other,)
    assert verification.duplicated_sequences == (twice,)
    assert verification.equal_count == verification.batch_count - 2
    assert not verification.is_equal
    assert rest.is_equal
    assert rest.duplicated_sequences == (twice,)


@pytest.mark.parametrize(
    ("protocol", "why"),
    [("grpc", "it does not say what it has"), ("http/protobuf", "it is not reached by gRPC")],
)
async def test_a_plain_receiver_cannot_be_verified(
    small_catalog: Path, tmp_path: Path, protocol: str, why: str
) -> None:
    async with otlp_receiver() as receiver:
        endpoint = receiver.grpc_url if protocol == "grpc" else receiver.http_url
        more = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        async with telling(endpoint, small_catalog, tmp_path, **more) as ignis:
            with pytest.raises(DestinationCannotVerify, match=why) as caught:
                await ignis.verify_delivery("default")

    assert (caught.value.destination, caught.value.why) == ("default", why)


async def test_a_collector_cannot_be_verified_though_what_is_behind_it_has_all(
    small_catalog: Path, tmp_path: Path
) -> None:
    async with (
        otlp_sink() as sink,
        rotel(sink.port) as collector,
        telling(collector.grpc, small_catalog, tmp_path) as ignis,
    ):
        await all_delivered(ignis)
        with pytest.raises(DestinationCannotVerify):
            await ignis.verify_delivery("default")


async def test_a_name_that_is_none_is_told_with_those_that_are(small_catalog: Path, tmp_path: Path) -> None:
    async with otlp_sink() as sink, telling(f"http://127.0.0.1:{sink.port}", small_catalog, tmp_path) as ignis:
        for asked in (ignis.get_delivery_ledger, ignis.verify_delivery, ignis.preview_egress):
            with pytest.raises(DestinationNotFound) as caught:
                await asked("platfrm")

            assert (caught.value.destination, caught.value.known) == ("platfrm", ("default",))
        with pytest.raises(InvalidRequest, match="destination"):
            await ignis.verify_delivery("")


async def test_a_sink_that_is_gone_cannot_be_asked_now(small_catalog: Path, tmp_path: Path) -> None:
    async with otlp_sink() as sink:
        port = sink.port
    async with telling(f"http://127.0.0.1:{port}", small_catalog, tmp_path) as ignis:
        with pytest.raises(DestinationUnavailable, match="cannot be asked now") as caught:
            await ignis.verify_delivery("default")
        ledger = await eventually(ignis.get_delivery_ledger, lambda ledger: ledger.rows[0].last_error)

    assert (caught.value.destination, caught.value.why) == ("default", "UNAVAILABLE")
    assert caught.value.retry_after
    assert ledger.rows[0].waiting_count == ledger.rows[0].captured_count > 0
    assert ledger.rows[0].oldest_waiting_time


async def test_what_is_shown_is_what_arrives(small_catalog: Path, tmp_path: Path) -> None:
    port, received = free_port(), Recording()
    async with telling(f"http://127.0.0.1:{port}", small_catalog, tmp_path) as ignis:
        await ignis.get_catalog()
        (shown,) = await eventually(lambda: ignis.preview_egress("default", signal=TelemetrySignal.TRACES), bool)
        async with otlp_sink(f"127.0.0.1:{port}", received):
            await all_delivered(ignis)

    (span,) = (each for each in spans_of((shown,)) if each["name"] == f"{SERVICE}/GetCatalog")
    assert (len(bytes.fromhex(span["traceId"])), len(bytes.fromhex(span["spanId"]))) == (16, 8)
    expected = ParseDict(_with_base64_ids(json.loads(shown.otlp_json)), ExportTraceServiceRequest())
    arrived = [ExportTraceServiceRequest.FromString(each) for signal, each in received.requests if signal == "traces"]
    assert expected in arrived
    assert _only_box(received)[shown.sequence].digest == shown.digest


async def test_only_as_much_is_shown_as_is_asked_for(small_catalog: Path, tmp_path: Path) -> None:
    async with telling(f"http://127.0.0.1:{free_port()}", small_catalog, tmp_path) as ignis:
        shown = await eventually(lambda: ignis.preview_egress("default", batches=2), lambda shown: len(shown) == 2)
        metrics = await ignis.preview_egress("default", signal=TelemetrySignal.METRICS)

    assert shown[0].sequence < shown[1].sequence
    assert metrics == ()


async def test_spans_of_the_server_are_children_of_the_callers(small_catalog: Path, tmp_path: Path) -> None:
    """A watch that is left ends on the server, too: its span is written when it does."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("caller")
    async with telling(f"http://127.0.0.1:{free_port()}", small_catalog, tmp_path) as ignis:
        with tracer.start_as_current_span("caller") as span:
            await ignis.get_catalog()
            async with aclosing(ignis.watch_catalog()) as changes:
                await anext(changes)
        spans = await eventually(
            lambda: _named(ignis.preview_egress("default", batches=100)),
            lambda spans: {f"{SERVICE}/GetCatalog", f"{SERVICE}/WatchCatalog"} <= spans.keys(),
        )

    context = span.get_span_context()
    for name in ("GetCatalog", "WatchCatalog"):
        child = spans[f"{SERVICE}/{name}"]
        assert child["traceId"] == f"{context.trace_id:032x}"
        assert child["parentSpanId"] == f"{context.span_id:016x}"
    assert "parentSpanId" not in spans["ignis.telemetry.v1.TelemetryService/PreviewEgress"]


async def test_a_busy_server_is_verified_while_it_delivers(small_catalog: Path, tmp_path: Path) -> None:
    """What is delivered after the destination was asked is no loss."""
    async with otlp_sink() as sink, telling(f"http://127.0.0.1:{sink.port}", small_catalog, tmp_path) as ignis:
        await all_delivered(ignis)
        verifications = [
            (await asyncio.gather(ignis.verify_delivery("default"), ignis.get_catalog()))[0] for _ in range(50)
        ]

    assert {(each.missing_sequences, each.is_equal) for each in verifications} == {((), True)}


async def _named(shown: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - JSON
    return {span["name"]: span for span in spans_of(await shown)}


def _only_box(received: Received) -> dict[int, Any]:
    (batches,) = received.batches.values()
    return batches


def _with_base64_ids(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {
                name: base64.b64encode(bytes.fromhex(each)).decode()
                if name in {"traceId", "spanId", "parentSpanId"}
                else _with_base64_ids(each)
                for name, each in value.items()
            }
        case list():
            return [_with_base64_ids(each) for each in value]
        case _:
            return value
