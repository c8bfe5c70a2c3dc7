"""Destinations that are away, cut connections, or answer too late: everything arrives in the end, and nobody else waits."""

import asyncio
from collections.abc import Callable

import pytest

from ignis_server.telemetry.delivery.destination import Compression, Destination, Protocol
from ignis_server.telemetry.delivery.endpoint import http_endpoint
from ignis_server.telemetry.model import Signal
from support.batches import BatchMaker
from support.collector import free_port
from support.delivering import World, delivering, shipped
from support.otlp_receiver import Accept, Answer, Got, OtlpReceiver, otlp_receiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory
from support.relay import relay

To = Callable[..., Destination]


async def test_down_at_first_and_up_later(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    destination = to_receiver()
    await receiver.stop()

    async with delivering(destination, pending, world):
        await pending.until_failed("")
        await receiver.start()
        await pending.until_settled("d")

    assert world.reasons() == ["unreachable", ""]
    assert receiver.accepted_names == ["one"]


async def test_goes_away_and_comes_back_while_work_goes_on(
    receiver: OtlpReceiver, to_receiver: To, world: World
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans("before"))

    async with delivering(to_receiver(), pending, world):
        await pending.until_settled("d")
        await receiver.stop()
        await pending.add(*(maker.spans(f"during {number}") for number in range(20)))
        await pending.until_failed("")
        await receiver.start()
        await pending.until_settled("d")

    assert sorted(set(receiver.accepted_names)) == sorted(["before", *(f"during {number}" for number in range(20))])
    assert world.reasons()[0] == ""
    assert world.reasons()[-1] == ""


async def test_a_name_that_nobody_knows_is_unreachable(wire: Wire, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    routes = wire.routes("http://nowhere.invalid:4317")

    async with delivering(Destination("d", routes), pending, world):
        await pending.until_failed("")

    assert set(world.reasons()) == {"unreachable"}


async def test_each_try_connects_anew(wire: Wire, world: World) -> None:
    """A library that pauses by itself between attempts to connect, longer and longer, would come on top of our own pauses."""
    pending = PendingInMemory(BatchMaker().spans("one"))

    async with (
        asyncio.timeout(30),
        relay(free_port()) as to_nobody,
        delivering(Destination("d", wire.routes(f"http://localhost:{to_nobody.port}")), pending, world),
    ):
        while len(world.slept) < 20:  # noqa: ASYNC110 - nothing tells of a pause that begins
            await asyncio.sleep(0.01)

    assert to_nobody.connections >= 20


async def test_a_connection_that_is_cut_before_the_answer(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    """Whether the request was taken is not known, so it is sent again: twice rather than never."""
    pending = PendingInMemory(BatchMaker().spans("one"))

    async with relay(receiver.http_port if wire.protocol is Protocol.HTTP else receiver.grpc_port) as between:
        receiver.script.append(Accept(seconds=30))
        async with delivering(Destination("d", wire.routes(wire.url(receiver, between.port))), pending, world):
            await receiver.until(1)
            between.cut()
            (receipt,) = await pending.until_settled("d")

    assert receipt.delivered == 1
    assert receiver.accepted_names == ["one", "one"]
    assert world.reasons() == ["unreachable", ""]


async def test_a_connection_on_which_nothing_comes_back_is_given_up(
    receiver: OtlpReceiver, wire: Wire, world: World
) -> None:
    """As when a firewall forgets a connection: it stands, and leads nowhere, for ever."""
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans("one"))

    async with relay(receiver.http_port if wire.protocol is Protocol.HTTP else receiver.grpc_port) as between:
        routes = wire.routes(wire.url(receiver, between.port), timeout_seconds=0.3)
        async with delivering(Destination("d", routes), pending, world):
            await pending.until_settled("d")
            between.hold()
            await pending.add(maker.spans("two"))
            await pending.until_failed("")
            between.let_go()
            await pending.until_settled("d")

    assert between.connections >= 2
    assert "timeout" in world.reasons()
    assert set(receiver.accepted_names) == {"one", "two"}


async def test_an_answer_that_comes_too_late_is_none(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    receiver.script.append(Accept(seconds=30))

    (receipt,) = await shipped(to_receiver(timeout_seconds=0.2), pending, world)

    assert (receipt.delivered, len(receiver.got)) == (1, 2)
    assert world.reasons() == ["timeout", ""]


async def test_an_answer_that_comes_a_byte_at_a_time_does_not_hold_on_for_ever(world: World) -> None:
    """A time-out that begins anew with each byte would."""
    pending = PendingInMemory(BatchMaker().spans("one"))
    wire = Wire(Protocol.HTTP)
    dripping = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            while not dripping.is_set():
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(drip, "localhost", 0)
    port = server.sockets[0].getsockname()[1]
    async with delivering(
        Destination("d", wire.routes(f"http://localhost:{port}", timeout_seconds=0.3)), pending, world
    ):
        await pending.until_failed("no answer in 0.3 s")
    dripping.set()
    server.close()
    await server.wait_closed()

    assert world.reasons() == ["timeout"]


async def test_one_that_is_down_does_not_delay_another(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(20)))
    gone = Destination("gone", Wire(Protocol.GRPC).routes(f"http://localhost:{free_port()}"))

    async with delivering(gone, pending, World()), delivering(to_receiver(), pending, world):
        await pending.until_settled("d")

    assert sorted(receiver.accepted_names, key=int) == [str(number) for number in range(20)]
    assert pending.receipts["gone"] == {}


async def test_one_that_is_slow_does_not_delay_another(to_receiver: To, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(20)))

    async with otlp_receiver() as slow:
        slow.rule = lambda _: Accept(seconds=30)
        slow_one = Destination("slow", Wire(Protocol.HTTP).routes(slow.http_url))
        async with delivering(slow_one, pending, World()), delivering(to_receiver(), pending, world):
            await slow.until(1)
            await pending.until_settled("d")

    assert pending.receipts["slow"] == {}


async def test_one_signal_that_is_not_taken_does_not_delay_another(
    receiver: OtlpReceiver, to_receiver: To, world: World, wire: Wire
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(
        *(maker.make(signal, [str(number)]) for number in range(6) for signal in (Signal.TRACES, Signal.LOGS))
    )
    receiver.rule = lambda got: wire.answer(503) if got.signal is Signal.TRACES else Accept()

    async with delivering(to_receiver(), pending, world):
        receipts = await pending.until_settled("d", 6)

    assert {each.signal for each in receipts} == {Signal.LOGS}


async def test_one_batch_that_is_not_taken_lets_the_others_pass(
    receiver: OtlpReceiver, to_receiver: To, world: World, wire: Wire
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(40)))
    is_taken = False

    def rule(got: Got) -> Answer:
        return wire.answer(503, "not this one") if got.sequence == 3 and not is_taken else Accept()

    receiver.rule = rule
    async with delivering(to_receiver(), pending, world):
        receipts = await pending.until_settled("d", 39)
        assert 3 not in {each.sequence for each in receipts}
        is_taken = True
        await pending.until_settled("d", 40)


async def test_one_item_that_is_not_taken_holds_up_itself_only(
    receiver: OtlpReceiver, to_receiver: To, world: World, wire: Wire
) -> None:
    """A batch that fails while others do not is cut until what is at fault stands alone, and that is not given up either."""
    maker = BatchMaker()
    pending = PendingInMemory(maker.spans(*"abcde"))
    is_taken = False
    accepted: list[str] = []

    def rule(got: Got) -> Answer:
        if "d" in got.names and not is_taken:
            return wire.answer(503, "not this one")
        accepted.extend(name for name in got.names if name in "abcde")
        return Accept()

    receiver.rule = rule
    async with asyncio.timeout(30), delivering(to_receiver(), pending, world):
        while len(accepted) < 4:
            await pending.add(maker.spans("other"))
            await pending.until_settled("d", len(pending.batches) - 1)
        is_taken = True
        receipts = await pending.until_settled("d")

    assert sorted(accepted) == list("abcde")
    assert (receipts[0].delivered, receipts[0].rejected) == (5, 0)


async def test_both_protocols_get_everything_by_themselves(receiver: OtlpReceiver, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(10)))
    both = [Destination(str(protocol), Wire(protocol).routes(Wire(protocol).url(receiver))) for protocol in Protocol]

    async with delivering(both[0], pending, world), delivering(both[1], pending, world):
        for each in both:
            await pending.until_settled(each.name)

    assert sorted(receiver.accepted_names) == sorted(2 * [str(number) for number in range(10)])
    assert len([got for got in receiver.got if got.arrived.path == "/v1/traces"]) == 10


async def test_gzip_makes_requests_smaller_and_changes_nothing_else(
    receiver: OtlpReceiver, wire: Wire, world: World
) -> None:
    pending = PendingInMemory(BatchMaker().spans(*(f"span {number}" for number in range(1_000))))
    sent = {}

    for compression in Compression:
        async with relay(receiver.http_port if wire.protocol is Protocol.HTTP else receiver.grpc_port) as between:
            routes = wire.routes(wire.url(receiver, between.port), compression=compression)
            (receipt,) = await shipped(Destination(compression, routes), pending, world)
            assert receipt.delivered == 1_000
            sent[compression] = between.bytes_sent

    assert sent[Compression.GZIP] < sent[Compression.NONE] / 2
    plain, gzipped = receiver.got
    assert plain.digest == gzipped.digest
    if wire.protocol is Protocol.HTTP:
        assert gzipped.headers["content-encoding"] == "gzip"


async def test_each_signal_may_go_its_own_way(receiver: OtlpReceiver, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.make(signal, [str(signal)]) for signal in Signal))
    by_http, by_grpc = Wire(Protocol.HTTP), Wire(Protocol.GRPC)
    receiver.paths["/intake"] = Signal.METRICS

    async with otlp_receiver() as other:
        intake = by_http.route(receiver.http_url, endpoint=http_endpoint(f"{receiver.http_url}/intake").address)
        routes = {
            Signal.TRACES: by_grpc.route(receiver.grpc_url),
            Signal.METRICS: intake,
            Signal.LOGS: by_http.route(other.http_url, Signal.LOGS),
        }
        await shipped(Destination("d", routes), pending, world)

        assert {(got.signal, got.arrived.path) for got in receiver.got} == {
            (Signal.TRACES, ""),
            (Signal.METRICS, "/intake"),
        }
        assert [(got.signal, got.arrived.path) for got in other.got] == [(Signal.LOGS, "/v1/logs")]


async def test_signals_that_go_the_same_way_share_a_connection(receiver: OtlpReceiver, world: World) -> None:
    maker, wire = BatchMaker(), Wire(Protocol.GRPC)
    pending = PendingInMemory(*(maker.make(signal, [str(signal)]) for signal in Signal))

    async with relay(receiver.grpc_port) as between:
        await shipped(Destination("d", wire.routes(wire.url(receiver, between.port))), pending, world)

    assert between.connections == 1


async def test_a_signal_that_does_not_go_there_is_not_sent(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.make(signal, [str(signal)]) for signal in Signal))
    routes = {Signal.LOGS: wire.route(wire.url(receiver), Signal.LOGS)}

    await shipped(Destination("d", routes), pending, world)

    assert receiver.accepted_names == ["logs"]


async def test_a_cut_in_the_middle_of_many(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(100)))

    async with relay(receiver.http_port if wire.protocol is Protocol.HTTP else receiver.grpc_port) as between:

        def rule(got: Got) -> Answer:
            if got.sequence % 10 == 0 and len(receiver.got) < 200:
                between.cut()
            return Accept()

        receiver.rule = rule
        async with delivering(Destination("d", wire.routes(wire.url(receiver, between.port))), pending, world):
            for count in range(1, 101):
                await pending.until_settled("d", count)
                if count == 60:
                    receiver.rule = lambda _: Accept()

    assert set(receiver.accepted_names) == {str(number) for number in range(100)}


@pytest.mark.parametrize("connections", [1, 3])
async def test_no_more_requests_are_under_way_than_are_allowed(
    receiver: OtlpReceiver, wire: Wire, world: World, connections: int
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(12)))
    receiver.rule = lambda _: Accept(seconds=0.02)
    await shipped(Destination("d", wire.routes(wire.url(receiver)), concurrent_requests=connections), pending, world)

    assert receiver.most_under_way == connections
