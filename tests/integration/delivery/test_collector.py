"""Through a real third-party collector, over both of its doors, into a receiver behind it."""

import asyncio

from ignis_server.telemetry.delivery.destination import Compression, Destination, Protocol
from ignis_server.telemetry.model import Signal
from support.batches import BatchMaker
from support.collector import rotel
from support.delivering import World, shipped
from support.otlp_receiver import OtlpReceiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory


async def test_what_a_collector_took_arrives_behind_it(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    maker = BatchMaker()
    batches = [maker.make(signal, [f"{signal} {n}" for n in range(100)]) for signal in Signal for _ in range(5)]
    pending = PendingInMemory(*batches)

    async with asyncio.timeout(60), rotel(receiver.grpc_port) as collector:
        url = collector.grpc if wire.protocol is Protocol.GRPC else collector.http
        receipts = await shipped(Destination("d", wire.routes(url, compression=Compression.GZIP)), pending, world)
        # It answers when it has a request, and sends it on later.
        while len(receiver.accepted_names) < 1_500:
            await receiver.until(len(receiver.got) + 1)

    assert [(each.delivered, each.rejected) for each in receipts] == 15 * [(100, 0)]
    assert sorted(receiver.accepted_names) == sorted(
        f"{signal} {n}" for signal in Signal for _ in range(5) for n in range(100)
    )


async def test_a_collector_lets_pass_what_names_the_batch(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    """So that a platform behind any number of collectors can see gaps and repetitions."""
    pending = PendingInMemory(BatchMaker().spans("one"))

    async with asyncio.timeout(60), rotel(receiver.grpc_port) as collector:
        url = collector.grpc if wire.protocol is Protocol.GRPC else collector.http
        await shipped(Destination("d", wire.routes(url)), pending, world)
        (got,) = await receiver.until(1)

    assert (got.resource["ignis.outbox.id"], got.sequence) == ("box", 1)
    assert got.resource["ignis.batch.digest"] == f"sha256:{pending.batches[0].digest.hex()}"


async def test_more_than_a_collector_takes_at_once_arrives_all_the_same(
    receiver: OtlpReceiver, wire: Wire, world: World
) -> None:
    """Over gRPC this one takes 4 MiB, and says so by a code after which OTLP would have the same sent again, for ever."""
    big = "x" * 1_000
    pending = PendingInMemory(BatchMaker().spans(*(f"{n:05}{big}" for n in range(6_000))))

    async with asyncio.timeout(60), rotel(receiver.grpc_port) as collector:
        url = collector.grpc if wire.protocol is Protocol.GRPC else collector.http
        (receipt,) = await shipped(Destination("d", wire.routes(url)), pending, world)
        while len(receiver.accepted_names) < 6_000:
            await receiver.until(len(receiver.got) + 1)

    assert (receipt.delivered, receipt.rejected) == (6_000, 0)
