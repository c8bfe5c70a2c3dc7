"""Each answer that OTLP knows, by a real receiver over both protocols: what is sent again, when, and what is not."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import grpc
import pytest
from google.rpc.status_pb2 import Status

from ignis_server.telemetry.delivery.destination import Destination, Protocol, Route
from ignis_server.telemetry.model import Signal
from support.batches import BatchMaker
from support.delivering import World, delivering, shipped
from support.otlp_receiver import Accept, Cut, GrpcAnswer, HttpAnswer, OtlpReceiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory

To = Callable[..., Destination]


@pytest.fixture
def pending() -> PendingInMemory:
    return PendingInMemory(BatchMaker().spans("one", "two"))


@pytest.fixture
def by_grpc(receiver: OtlpReceiver) -> Destination:
    return Destination("d", {Signal.TRACES: Route(Protocol.GRPC, f"localhost:{receiver.grpc_port}", is_secure=False)})


@pytest.fixture
def by_http(receiver: OtlpReceiver) -> Destination:
    return Destination("d", {Signal.TRACES: Route(Protocol.HTTP, f"{receiver.http_url}/v1/traces", is_secure=False)})


async def test_all_three_signals_arrive_whole_and_named(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.make(signal, [f"{signal} 1", f"{signal} 2"]) for signal in Signal))

    receipts = await shipped(to_receiver(headers=(("api-key", "k"),)), pending, world)

    assert [(each.signal, each.delivered, each.rejected, each.message) for each in receipts] == [
        (signal, 2, 0, "") for signal in Signal
    ]
    for batch in pending.batches:
        (got,) = [each for each in receiver.got if each.signal is batch.signal]
        assert got.names == (f"{batch.signal} 1", f"{batch.signal} 2")
        assert got.digest == f"sha256:{batch.digest.hex()}" == got.headers["ignis-batch-digest"]
        assert got.headers["ignis-outbox-id"] == "box"
        assert got.headers["ignis-batch-sequence"] == str(batch.sequence)
        assert "ignis-batch-part" not in got.headers
        assert got.headers["api-key"] == "k"
        assert got.headers["user-agent"].startswith("ignis-agents/")
        assert got.resource["service.name"] == "ignis"


async def test_batches_arrive_in_order_and_once(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(50)))
    one_by_one = Destination("d", to_receiver().routes, concurrent_requests=1)

    await shipped(one_by_one, pending, world)

    assert receiver.accepted_names == [str(number) for number in range(50)]


async def test_what_comes_later_is_delivered_too(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory()
    async with delivering(to_receiver(), pending, world):
        for number in range(3):
            await pending.add(maker.spans(str(number)))
            await pending.until_settled("d")

    assert receiver.accepted_names == ["0", "1", "2"]


async def test_partial_success_is_counted_and_not_sent_again(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World
) -> None:
    receiver.script.append(Accept(rejected=1, message="no such tenant"))

    (receipt,) = await shipped(to_receiver(), pending, world)

    assert (receipt.delivered, receipt.rejected, receipt.message) == (1, 1, "no such tenant")
    assert len(receiver.got) == 1
    assert [(each.delivered, each.rejected) for each in world.delivered()] == [(1, 1)]


async def test_a_remark_to_full_success_rejects_nothing(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World
) -> None:
    receiver.script.append(Accept(message="please upgrade"))

    (receipt,) = await shipped(to_receiver(), pending, world)

    assert (receipt.delivered, receipt.rejected, receipt.message) == (2, 0, "")


async def test_more_rejected_than_sent_counts_what_was_sent(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World
) -> None:
    receiver.script.append(Accept(rejected=1_000, message="all of it"))

    (receipt,) = await shipped(to_receiver(), pending, world)

    assert (receipt.delivered, receipt.rejected) == (0, 2)


@pytest.mark.parametrize("signal", list(Signal))
async def test_each_signal_has_its_own_count_of_what_was_rejected(
    receiver: OtlpReceiver, to_receiver: To, world: World, signal: Signal
) -> None:
    pending = PendingInMemory(BatchMaker().make(signal, ["one", "two", "three"]))
    receiver.script.append(Accept(rejected=2, message="old"))

    (receipt,) = await shipped(to_receiver(), pending, world)

    assert (receipt.delivered, receipt.rejected) == (1, 2)


async def test_a_permanent_rejection_in_the_middle_holds_nothing_up(
    receiver: OtlpReceiver, to_receiver: To, world: World, wire: Wire
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number), "x") for number in range(9)))
    receiver.rule = lambda got: wire.answer(400, "bad data") if got.sequence == 5 else Accept()

    receipts = await shipped(to_receiver(), pending, world)

    assert [each.rejected for each in receipts] == [0, 0, 0, 0, 2, 0, 0, 0, 0]
    assert [each.delivered for each in receipts] == [2, 2, 2, 2, 0, 2, 2, 2, 2]
    assert "bad data" in receipts[4].message
    assert len(receiver.got) == 9
    assert "refused" in world.reasons()
    assert world.reasons()[-1] == ""
    assert any("bad data" in message for message in pending.messages())


async def test_what_is_unavailable_is_asked_again_for_as_long_as_it_takes(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World, wire: Wire
) -> None:
    receiver.script.extend([wire.answer(503, "starting")] * 30)

    (receipt,) = await shipped(to_receiver(), pending, world)

    assert receipt.delivered == 2
    assert len(receiver.got) == 31
    assert len(world.slept) == 30
    assert max(world.slept) <= 5
    # With full jitter each is short by chance; together they are not.
    assert sum(world.slept[10:]) > 20
    assert world.reasons() == ["unavailable", ""]
    assert len(pending.failures) == 1


async def test_the_pause_that_is_asked_for_is_kept(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World, wire: Wire
) -> None:
    receiver.script.append(wire.answer(503, "later", retry_seconds=17))

    await shipped(to_receiver(), pending, world)

    first, second = receiver.got
    assert 17 <= second.arrived.at - first.arrived.at <= 17.2


async def test_a_pause_of_years_is_kept_for_ten_minutes(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World, wire: Wire
) -> None:
    receiver.script.append(wire.answer(503, "later", retry_seconds=10**9))

    await shipped(to_receiver(), pending, world)

    first, second = receiver.got
    assert 600 <= second.arrived.at - first.arrived.at <= 601


async def test_a_pause_holds_for_all_batches_of_the_signal(
    receiver: OtlpReceiver, to_receiver: To, world: World, wire: Wire
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(8)))
    receiver.script.append(wire.answer(503, "slow down", retry_seconds=60))

    one_by_one = Destination("d", to_receiver().routes, concurrent_requests=1)
    await shipped(one_by_one, pending, world)

    times = [got.arrived.at for got in receiver.got]
    assert times[0] == 0
    assert min(times[1:]) >= 60


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        # Ours, beside OTLP's table.
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    ],
)
async def test_codes_of_grpc_after_which_it_is_sent_again(
    receiver: OtlpReceiver, by_grpc: Destination, pending: PendingInMemory, world: World, code: grpc.StatusCode
) -> None:
    receiver.script.append(GrpcAnswer(code, "not now"))

    (receipt,) = await shipped(by_grpc, pending, world)

    assert (receipt.delivered, len(receiver.got)) == (2, 2)


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ],
)
async def test_codes_of_grpc_after_which_it_is_not(
    receiver: OtlpReceiver, by_grpc: Destination, pending: PendingInMemory, world: World, code: grpc.StatusCode
) -> None:
    receiver.script.append(GrpcAnswer(code, "never"))

    (receipt,) = await shipped(by_grpc, pending, world)

    assert (receipt.rejected, receipt.message, len(receiver.got)) == (2, f"{code.name}: never", 1)


async def test_exhausted_with_advice_is_sent_again_when_advised(
    receiver: OtlpReceiver, by_grpc: Destination, pending: PendingInMemory, world: World
) -> None:
    receiver.script.append(GrpcAnswer(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota", retry_seconds=2.5))

    (receipt,) = await shipped(by_grpc, pending, world)

    first, second = receiver.got
    assert receipt.delivered == 2
    assert 2.5 <= second.arrived.at - first.arrived.at <= 2.7
    assert world.reasons() == ["throttled", ""]


@pytest.mark.parametrize("status", [401, 403, 407, 429, 502, 503, 504])
async def test_statuses_of_http_after_which_it_is_sent_again(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World, status: int
) -> None:
    receiver.script.append(HttpAnswer(status))

    (receipt,) = await shipped(by_http, pending, world)

    assert (receipt.delivered, len(receiver.got)) == (2, 2)


@pytest.mark.parametrize("status", [400, 404, 405, 408, 415, 422, 500, 501, 505])
async def test_statuses_of_http_after_which_it_is_not(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World, status: int
) -> None:
    receiver.script.append(HttpAnswer(status, {"content-type": "text/plain"}, b"never"))

    (receipt,) = await shipped(by_http, pending, world)

    assert (receipt.rejected, receipt.message, len(receiver.got)) == (2, f"HTTP {status}: never", 1)


async def test_what_a_status_of_googles_says_is_kept_with_the_receipt(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World
) -> None:
    body = Status(message="span 3 has no id").SerializeToString()
    receiver.script.append(HttpAnswer(400, {"content-type": "application/x-protobuf"}, body))

    (receipt,) = await shipped(by_http, pending, world)

    assert receipt.message == "HTTP 400: span 3 has no id"


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_may_be_a_date(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World, status: int
) -> None:
    date = format_datetime(world.clock.now() + timedelta(seconds=42), usegmt=True)
    receiver.script.append(HttpAnswer(status, {"retry-after": date}))

    await shipped(by_http, pending, world)

    first, second = receiver.got
    assert 42 <= second.arrived.at - first.arrived.at <= 42.2


async def test_a_redirect_is_not_followed(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World
) -> None:
    """What goes along with a request is a secret between us and one host."""
    elsewhere = f"{receiver.http_url}/elsewhere"
    receiver.script.append(HttpAnswer(308, {"location": elsewhere}))

    await shipped(by_http, pending, world)

    assert [got.arrived.path for got in receiver.got] == ["/v1/traces", "/v1/traces"]
    assert world.reasons() == ["redirected", ""]
    assert elsewhere in pending.messages()[0]


@pytest.mark.parametrize(
    "answer",
    [
        HttpAnswer(200),
        HttpAnswer(202, {"content-type": "application/json"}, b"{}"),
        HttpAnswer(200, {"content-type": "application/x-protobuf"}, b"\xff"),
    ],
)
async def test_success_is_success_whatever_the_body_is(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World, answer: HttpAnswer
) -> None:
    receiver.script.append(answer)

    (receipt,) = await shipped(by_http, pending, world)

    assert (receipt.delivered, len(receiver.got)) == (2, 1)


async def test_a_web_page_is_no_answer_of_a_receiver(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World
) -> None:
    """A proxy that wants a login answers 200 too; what was sent to it is lost if it counts as delivered."""
    receiver.script.append(HttpAnswer(200, {"content-type": "text/html; charset=utf-8"}, b"<h1>Welcome</h1>"))

    (receipt,) = await shipped(by_http, pending, world)

    assert (receipt.delivered, len(receiver.got)) == (2, 2)


async def test_an_answer_that_is_too_large_is_final(
    receiver: OtlpReceiver, to_receiver: To, pending: PendingInMemory, world: World
) -> None:
    """As OTLP obliges us to have it; and the request is not cut, which would not make the answer smaller."""
    receiver.script.append(Accept(message="x" * (5 << 20)))

    (receipt,) = await shipped(to_receiver(), pending, world)

    assert (receipt.rejected, len(receiver.got)) == (2, 1)
    assert "larger than max" in receipt.message or "more than 4194304 bytes" in receipt.message


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\ncontent-le"])
async def test_a_connection_that_is_cut_is_an_answer_that_is_not_known(
    receiver: OtlpReceiver, by_http: Destination, pending: PendingInMemory, world: World, first: bytes
) -> None:
    receiver.script.append(Cut(first))

    (receipt,) = await shipped(by_http, pending, world)

    assert (receipt.delivered, len(receiver.got)) == (2, 2)
    assert world.reasons() == ["unreachable", ""]
