"""The life of a client: connecting, deadlines, retries, cancellation, metadata, the end."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import grpc
import pytest

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.telemetry.v1 import telemetry_pb2
from ignis_client import IgnisClient
from ignis_client.errors import DeadlineExceeded, ServerError, Unavailable
from unit.client.scripted_server import Abort, Hang, ScriptedServer, serving

# Nothing listens on port 1 of a machine where tests run.
NOWHERE = "127.0.0.1:1"

BUSY = Abort(grpc.StatusCode.UNAVAILABLE, "not now")
CATALOG = pb.GetCatalogResponse(catalog=pb.Catalog(revision="sha256:77"))


async def test_server_that_is_busy_twice_is_asked_three_times(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(BUSY, BUSY, CATALOG)

    catalog = await ignis.get_catalog()

    assert catalog.revision == "sha256:77"
    assert len(server.requests) == 3


async def test_server_that_stays_busy_is_asked_four_times(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(BUSY)

    with pytest.raises(Unavailable, match="not now"):
        await ignis.get_catalog()

    assert len(server.requests) == 4


async def test_a_ledger_is_read_again_where_a_server_is_busy(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(BUSY, telemetry_pb2.GetDeliveryLedgerResponse(outbox_bytes=7))

    ledger = await ignis.get_delivery_ledger()

    assert ledger.outbox_bytes == 7


async def test_a_destination_that_is_away_is_not_asked_again(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(BUSY)

    with pytest.raises(Unavailable):
        await ignis.verify_delivery("default")

    assert len(server.requests) == 1


async def test_retries_keep_to_the_deadline(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(BUSY, Hang())

    with pytest.raises(DeadlineExceeded):
        await ignis.get_catalog(timeout=0.3)

    assert len(server.requests) == 2


async def test_failures_of_other_kinds_are_not_retried(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(Abort(grpc.StatusCode.INTERNAL, "broken"), CATALOG)

    with pytest.raises(ServerError):
        await ignis.get_catalog()

    assert len(server.requests) == 1


async def test_server_that_is_not_there_is_unavailable() -> None:
    async with IgnisClient(NOWHERE) as ignis:
        with pytest.raises(Unavailable):
            await ignis.get_catalog()


async def test_call_lasts_until_a_server_comes_back() -> None:
    """A retry waits for the next attempt to connect, so that one must not wait longer than the retries."""
    restarting = ScriptedServer()
    restarting.script(CATALOG)
    async with serving(restarting):
        target = restarting.target
    async with IgnisClient(target) as ignis:
        with pytest.raises(Unavailable):
            await ignis.get_catalog()

        async with serving(restarting, target):
            catalog = await ignis.get_catalog()

    assert catalog.revision == "sha256:77"


async def test_call_has_the_clients_deadline(server: ScriptedServer) -> None:
    server.script(CATALOG)

    async with IgnisClient(server.target) as usual, IgnisClient(server.target, timeout=3.0) as hasty:
        await usual.get_catalog()
        await hasty.get_catalog()
        await hasty.get_catalog(timeout=60.0)

    assert server.time_limits == [pytest.approx(limit, abs=1.0) for limit in (10.0, 3.0, 60.0)]


@pytest.mark.parametrize(
    "call",
    [
        lambda ignis: ignis.load_agents("a shop", timeout=0.05),
        lambda ignis: ignis.search_agents("a shop", timeout=0.05),
        lambda ignis: ignis.get_agent("nextjs", timeout=0.05),
        lambda ignis: anext(ignis.list_agents(timeout=0.05)),
        lambda ignis: ignis.get_catalog(timeout=0.05),
        lambda ignis: anext(ignis.list_diagnostics(timeout=0.05)),
        lambda ignis: ignis.get_delivery_ledger(timeout=0.05),
        lambda ignis: ignis.verify_delivery("default", timeout=0.05),
        lambda ignis: ignis.preview_egress("default", timeout=0.05),
    ],
)
async def test_every_method_has_a_timeout_of_its_own(
    call: Callable[[IgnisClient], Awaitable[object]], server: ScriptedServer, ignis: IgnisClient
) -> None:
    server.script(Hang())

    async with asyncio.timeout(5.0):
        with pytest.raises(DeadlineExceeded):
            await call(ignis)


async def test_call_that_takes_too_long_ends_on_both_sides(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(Hang())

    with pytest.raises(DeadlineExceeded):
        await ignis.load_agents("a shop", timeout=0.1)

    await asyncio.wait_for(server.cancelled.wait(), 5.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
async def test_timeout_without_a_limit_is_refused(seconds: float, ignis: IgnisClient) -> None:
    with pytest.raises(ValueError, match="is not a positive and finite number of seconds"):
        await ignis.get_catalog(timeout=seconds)
    with pytest.raises(ValueError, match="is not a positive and finite number of seconds"):
        IgnisClient(NOWHERE, timeout=seconds)


async def test_cancellation_passes_untouched_and_reaches_the_server(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(Hang())
    call = asyncio.create_task(ignis.get_catalog(), name="call to be cancelled")
    await server.called.wait()

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.cancelled.wait(), 5.0)


async def test_client_is_usable_after_a_cancelled_call(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(Hang(), CATALOG)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ignis.get_catalog(), 0.1)

    catalog = await ignis.get_catalog()

    assert catalog.revision == "sha256:77"


async def test_calls_share_one_client(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(CATALOG)

    catalogs = await asyncio.gather(*(ignis.get_catalog() for _ in range(50)))

    assert {catalog.revision for catalog in catalogs} == {"sha256:77"}


async def test_wait_ready_waits_for_a_server_that_starts_later() -> None:
    late = ScriptedServer()
    async with serving(late):
        target = late.target
    async with IgnisClient(target) as ignis:
        waiting = asyncio.create_task(ignis.wait_ready(), name="waiting for the server")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.1)

        async with serving(late, target):
            await asyncio.wait_for(waiting, 5.0)


async def test_wait_ready_gives_up() -> None:
    async with IgnisClient(NOWHERE) as ignis:
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"no connection to 127\.0\.0\.1:1 after 0\.2 s"):
            await ignis.wait_ready(timeout=0.2)

    assert time.monotonic() - started < 2.0


async def test_metadata_goes_with_every_call(server: ScriptedServer) -> None:
    server.script(CATALOG)

    async with IgnisClient(server.target, metadata={"Authorization": "Bearer x", "team": "shop"}) as ignis:
        await ignis.get_catalog()

    assert server.metadata[0]["authorization"] == "Bearer x"
    assert server.metadata[0]["team"] == "shop"


@pytest.mark.parametrize(
    "target",
    [
        "ignis.internal:50051",
        "dns:///ignis.internal:50051",
        "10.0.0.7:50051",
        "[2001:db8::1]:50051",
        "localhost.example:50051",
        "ipv4:10.0.0.7:50051,127.0.0.1:50051",
    ],
)
async def test_authorization_is_not_sent_openly_to_other_machines(target: str) -> None:
    token = {"Authorization": "Bearer x"}

    with pytest.raises(ValueError, match="authorization would be sent to"):
        IgnisClient(target, metadata=token)

    await IgnisClient(target, metadata=token, allow_insecure_authorization=True).close()
    await IgnisClient(target, metadata=token, credentials=grpc.ssl_channel_credentials()).close()
    await IgnisClient(target, metadata={"team": "shop"}).close()


@pytest.mark.parametrize(
    "target",
    [
        "localhost:50051",
        "127.0.0.1:50051",
        "[::1]:50051",
        "dns:///localhost:50051",
        "unix:/run/ignis.sock",
    ],
)
async def test_authorization_may_be_sent_to_this_machine(target: str) -> None:
    await IgnisClient(target, metadata={"authorization": "Bearer x"}).close()


async def test_client_with_credentials_does_not_speak_to_a_server_without(server: ScriptedServer) -> None:
    server.script(CATALOG)

    async with IgnisClient(server.target, credentials=grpc.ssl_channel_credentials()) as ignis:
        with pytest.raises(Unavailable):
            await ignis.get_catalog()

    assert server.requests == []


async def test_closed_client_refuses_calls(server: ScriptedServer) -> None:
    server.script(CATALOG)
    async with IgnisClient(server.target) as ignis:
        await ignis.get_catalog()

    with pytest.raises(grpc.aio.UsageError):
        await ignis.get_catalog()


async def test_closing_cancels_the_calls_under_way(server: ScriptedServer) -> None:
    server.script(Hang())
    ignis = IgnisClient(server.target)
    call = asyncio.create_task(ignis.get_catalog(), name="call under way")
    await server.called.wait()

    await ignis.close()

    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.cancelled.wait(), 5.0)


def test_client_is_made_where_an_event_loop_runs() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        IgnisClient(NOWHERE)
