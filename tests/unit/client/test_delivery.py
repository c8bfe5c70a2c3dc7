"""What became of telemetry: the ledger, its comparison, and what would leave."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.telemetry.v1 import telemetry_pb2 as pb
from ignis_client import DeliveryLedger, EgressBatch, IgnisClient, LedgerRow, TelemetrySignal, Verification
from ignis_client.errors import InvalidRequest
from unit.client.scripted_server import ScriptedServer

ROW = LedgerRow(
    destination="default",
    signal=TelemetrySignal.TRACES,
    captured_count=10,
    delivered_count=7,
    rejected_count=0,
    shed_count=0,
    waiting_count=3,
    oldest_waiting_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    last_error="UNAVAILABLE",
)


async def test_ledger_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.GetDeliveryLedgerResponse(
            rows=[
                pb.LedgerRow(
                    destination="default",
                    signal=pb.SIGNAL_TRACES,
                    captured_count=10,
                    delivered_count=7,
                    waiting_count=3,
                    oldest_waiting_time=Timestamp(seconds=1_767_323_045),
                    last_error="UNAVAILABLE",
                ),
                pb.LedgerRow(destination="other", signal=pb.SIGNAL_LOGS, rejected_count=2, shed_count=1),
            ],
            outbox_bytes=4_096,
            outbox_limit_bytes=1 << 30,
        )
    )

    ledger = await ignis.get_delivery_ledger("default")

    other = LedgerRow(
        destination="other",
        signal=TelemetrySignal.LOGS,
        captured_count=0,
        delivered_count=0,
        rejected_count=2,
        shed_count=1,
        waiting_count=0,
        oldest_waiting_time=None,
        last_error="",
    )
    assert ledger == DeliveryLedger(rows=(ROW, other), outbox_bytes=4_096, outbox_limit_bytes=1 << 30)
    assert server.requests == [pb.GetDeliveryLedgerRequest(destination="default")]


@pytest.mark.parametrize(
    ("row", "missing", "lost"),
    [
        (ROW, 0, 0),
        (replace(ROW, delivered_count=6), 1, 1),
        (replace(ROW, delivered_count=9), -2, 2),
        (replace(ROW, delivered_count=4, rejected_count=1, shed_count=2), 0, 3),
    ],
)
def test_a_row_says_what_is_lost(row: LedgerRow, missing: int, lost: int) -> None:
    assert (row.missing_count, row.lost_count) == (missing, lost)


async def test_comparison_is_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(
        pb.VerifyDeliveryResponse(
            batch_count=5, equal_count=3, missing_sequences=[2], differing_sequences=[3], duplicated_sequences=[4, 5]
        ),
        pb.VerifyDeliveryResponse(batch_count=5, equal_count=5, duplicated_sequences=[1]),
    )

    differing = await ignis.verify_delivery("default")
    equal = await ignis.verify_delivery("default", from_sequence=0)

    assert differing == Verification(
        batch_count=5, equal_count=3, missing_sequences=(2,), differing_sequences=(3,), duplicated_sequences=(4, 5)
    )
    assert (differing.is_equal, equal.is_equal) == (False, True)
    assert [request.HasField("from_sequence") for request in server.requests] == [False, True]


async def test_batches_that_wait_are_decoded_whole(server: ScriptedServer, ignis: IgnisClient) -> None:
    batch = pb.EgressBatch(sequence=7, signal=pb.SIGNAL_METRICS, digest="sha256:aa", otlp_json="{}")
    server.script(pb.PreviewEgressResponse(batches=[batch]))

    batches = await ignis.preview_egress("default", signal=TelemetrySignal.METRICS, batches=3)
    await ignis.preview_egress("default")

    assert batches == (EgressBatch(sequence=7, signal=TelemetrySignal.METRICS, digest="sha256:aa", otlp_json="{}"),)
    assert server.requests == [
        pb.PreviewEgressRequest(destination="default", signal=pb.SIGNAL_METRICS, batch_count=3),
        pb.PreviewEgressRequest(destination="default", batch_count=1),
    ]


async def test_numbers_that_no_request_can_hold_are_refused_here(server: ScriptedServer, ignis: IgnisClient) -> None:
    with pytest.raises(InvalidRequest, match="from_sequence: 9223372036854775808 does not fit into 64 bits"):
        await ignis.verify_delivery("default", from_sequence=1 << 63)
    with pytest.raises(InvalidRequest, match="batch_count: 2147483648 does not fit into 32 bits: at most 2147483647"):
        await ignis.preview_egress("default", batches=1 << 31)

    assert server.requests == []
