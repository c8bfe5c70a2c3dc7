"""What is larger than a receiver takes is cut until it fits, and only a single item that does not fit is given up."""

from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ScopeMetrics

from ignis_server.telemetry.delivery.destination import Destination, Protocol, Route
from ignis_server.telemetry.model import Batch, Signal
from support.batches import BatchMaker
from support.delivering import World, shipped
from support.otlp_receiver import Accept, Answer, Got, GrpcAnswer, OtlpReceiver, otlp_receiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory

MAX_BYTES = 4_096


@pytest.fixture
async def strict(world: World) -> AsyncIterator[OtlpReceiver]:
    """A receiver whose own limit is small: gRPC's, and 413."""
    async with otlp_receiver(max_bytes=MAX_BYTES, now=world.clock.elapsed_seconds) as started:
        yield started


def names(count: int) -> list[str]:
    return [f"{number:03}-{'x' * 96}" for number in range(count)]


@pytest.mark.parametrize("signal", list(Signal))
async def test_a_batch_that_is_too_large_arrives_in_parts(
    strict: OtlpReceiver, wire: Wire, world: World, signal: Signal
) -> None:
    pending = PendingInMemory(BatchMaker().make(signal, names(200)))

    (receipt,) = await shipped(Destination("d", wire.routes(wire.url(strict))), pending, world)

    assert (receipt.delivered, receipt.rejected) == (200, 0)
    assert strict.accepted_names == names(200)
    assert max(got.arrived.size_bytes for got in strict.got) <= MAX_BYTES
    # Each part says which one it is, and of which batch: whoever gets all of them can tell that nothing is missing.
    parts = [got.headers["ignis-batch-part"] for got in strict.got]
    assert parts == [f"{number}/{len(parts)}" for number in range(1, len(parts) + 1)]
    for got in strict.got:
        assert got.resource["ignis.batch.part"] == got.headers["ignis-batch-part"]
        assert got.resource["ignis.batch.items"] == 200
        assert got.resource["ignis.batch.digest"] == f"sha256:{pending.batches[0].digest.hex()}"


async def test_the_one_item_that_is_too_large_is_rejected_and_no_other(
    strict: OtlpReceiver, wire: Wire, world: World
) -> None:
    sizes = ["a", "b", "c" * 5_000, "d", "e"]
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans(*sizes), maker.spans("f"))

    receipts = await shipped(Destination("d", wire.routes(wire.url(strict))), pending, world)

    assert [(each.delivered, each.rejected) for each in receipts] == [(4, 1), (1, 0)]
    assert "an item is too large" in receipts[0].message
    assert sorted(strict.accepted_names) == ["a", "b", "d", "e", "f"]


async def test_points_of_one_metric_are_cut_too(strict: OtlpReceiver, wire: Wire, world: World) -> None:
    points = [NumberDataPoint(as_int=number, start_time_unix_nano=1 << 60) for number in range(1_000)]
    content = ScopeMetrics(metrics=[Metric(name="m", gauge=Gauge(data_points=points))]).SerializeToString()
    pending = PendingInMemory(Batch("box", 1, Signal.METRICS, 1_000, 0, b"", b"", content))

    (receipt,) = await shipped(Destination("d", wire.routes(wire.url(strict))), pending, world)

    assert (receipt.delivered, receipt.rejected) == (1_000, 0)
    assert set(strict.accepted_names) == {"m"}


async def test_what_is_rejected_of_parts_adds_up(strict: OtlpReceiver, wire: Wire, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans(*names(60)))
    strict.rule = lambda got: Accept(rejected=1, message=f"of part {got.headers['ignis-batch-part']}")

    (receipt,) = await shipped(Destination("d", wire.routes(wire.url(strict))), pending, world)

    assert (receipt.delivered, receipt.rejected) == (60 - len(strict.got), len(strict.got))
    assert receipt.message == "of part 1/2"


async def test_a_part_is_sent_again_by_itself(strict: OtlpReceiver, wire: Wire, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans(*names(60)))
    tries: list[str] = []

    def rule(got: Got) -> Answer:
        part = got.headers["ignis-batch-part"]
        tries.append(part)
        return wire.answer(503) if tries.count(part) == 1 else Accept()

    strict.rule = rule
    (receipt,) = await shipped(Destination("d", wire.routes(wire.url(strict))), pending, world)

    assert receipt.delivered == 60
    assert tries == ["1/2", "1/2", "2/2", "2/2"]


async def test_our_own_limit_is_kept_without_asking(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans(*names(100)))
    destination = Destination("d", wire.routes(wire.url(receiver)), max_request_bytes=2_000)

    (receipt,) = await shipped(destination, pending, world)

    assert receipt.delivered == 100
    assert max(got.arrived.size_bytes for got in receiver.got) <= 2_000
    assert receiver.accepted_names == names(100)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: received message after decompression larger than max 4"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (5 vs. 4)"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4: 5"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message exceeds the maximum configured message size."),
        (grpc.StatusCode.OUT_OF_RANGE, "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"),
        (grpc.StatusCode.INVALID_ARGUMENT, "request too large"),
    ],
)
async def test_words_of_several_servers_for_too_large(
    receiver: OtlpReceiver, world: World, code: grpc.StatusCode, text: str
) -> None:
    """In Go, in C, in Java, in .NET, and in Rust, whose code would have it sent again for ever."""
    pending = PendingInMemory(BatchMaker().spans("one", "two"))
    route = Route(Protocol.GRPC, f"localhost:{receiver.grpc_port}", is_secure=False)
    receiver.script.append(GrpcAnswer(code, text))

    (receipt,) = await shipped(Destination("d", {Signal.TRACES: route}), pending, world)

    assert receipt.delivered == 2
    assert [got.names for got in receiver.got] == [("one", "two"), ("one",), ("two",)]


async def test_content_that_cannot_be_cut_is_given_up_and_the_rest_goes_on(
    receiver: OtlpReceiver, wire: Wire, world: World
) -> None:
    maker = BatchMaker()
    broken = Batch("box", 1, Signal.TRACES, 3, 0, b"", b"", b"\xff" * 3_000)
    maker.spans("the first number is taken")
    pending = PendingInMemory(broken, maker.spans("fine"))
    destination = Destination("d", wire.routes(wire.url(receiver)), max_request_bytes=2_000)

    receipts = await shipped(destination, pending, world)

    assert [(each.delivered, each.rejected) for each in receipts] == [(0, 3), (1, 0)]
    assert receiver.accepted_names == ["fine"]
