"""The trace that a caller's calls belong to, by the real OpenTelemetry."""

import asyncio
import re
import subprocess
import sys

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.span import TraceState

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_client import IgnisClient
from unit.client.scripted_server import Hang, ScriptedServer

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SPAN = NonRecordingSpan(
    SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("shop", "1")]),
    )
)
SECOND = "second page"
CATALOG = pb.GetCatalogResponse(catalog=pb.Catalog(revision="sha256:77"))

WITHOUT = """
import asyncio, sys
sys.modules["opentelemetry"] = None
from ignis_client import IgnisClient
async def main():
    async with IgnisClient("{target}") as ignis:
        print((await ignis.get_catalog()).revision)
asyncio.run(main())
"""


async def test_calls_carry_the_current_span(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(CATALOG)

    with trace.use_span(SPAN):
        await ignis.get_catalog()
    await ignis.get_catalog()

    within, outside = server.metadata
    assert (within["traceparent"], within["tracestate"]) == (TRACEPARENT, "shop=1")
    assert not {"traceparent", "tracestate"} & outside.keys()


async def test_each_page_is_a_call_of_the_span_that_asks_for_it(server: ScriptedServer, ignis: IgnisClient) -> None:
    server.script(pb.ListAgentsResponse(next_page_token=SECOND), pb.ListAgentsResponse())

    with trace.use_span(SPAN):
        assert [agent async for agent in ignis.list_agents()] == []

    assert [each["traceparent"] for each in server.metadata] == [TRACEPARENT] * 2


async def test_what_the_client_was_told_to_send_comes_first(server: ScriptedServer) -> None:
    other = re.sub("b7ad", "aaaa", TRACEPARENT)
    server.script(CATALOG)

    async with IgnisClient(server.target, metadata={"traceparent": other}) as ignis:
        with trace.use_span(SPAN):
            await ignis.get_catalog()

    assert server.metadata[0]["traceparent"] == other


async def test_baggage_stays_at_home(server: ScriptedServer, ignis: IgnisClient) -> None:
    """It may say anything of users."""
    server.script(CATALOG)
    token = context.attach(baggage.set_baggage("user", "jo", trace.set_span_in_context(SPAN)))

    try:
        await ignis.get_catalog()
    finally:
        context.detach(token)

    assert server.metadata[0]["traceparent"] == TRACEPARENT
    assert "baggage" not in server.metadata[0]


async def test_a_cancelled_call_ends_on_the_server_within_a_span_too(
    server: ScriptedServer, ignis: IgnisClient
) -> None:
    """OpenTelemetry's own interceptors of clients do not pass it on (opentelemetry-python-contrib issue 3271)."""
    server.script(Hang())
    with trace.use_span(SPAN):
        call = asyncio.create_task(ignis.get_catalog(), name="call to be cancelled")
        await server.called.wait()

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
    await asyncio.wait_for(server.cancelled.wait(), 5.0)
    assert server.metadata[0]["traceparent"] == TRACEPARENT


async def test_calls_are_made_where_there_is_no_opentelemetry(server: ScriptedServer) -> None:
    server.script(CATALOG)

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", WITHOUT.format(target=server.target)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == "sha256:77\n"
    assert "traceparent" not in server.metadata[0]
