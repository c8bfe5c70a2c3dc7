"""Requests that no well-behaved client sends, made by hand: each gets one clear error."""

import base64
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceStub
from ignis.workflow.v1 import workflow_pb2
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceStub
from ignis_server.rpc.server import RpcServer

if TYPE_CHECKING:
    from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceAsyncStub


@pytest.fixture
async def channel(server: RpcServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> "AgentLoaderServiceAsyncStub":
    return AgentLoaderServiceStub(channel)


def violations_of(error: grpc.aio.AioRpcError) -> list[BadRequest.FieldViolation]:
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    bad = BadRequest()
    Status.FromString(packed).details[1].Unpack(bad)
    return list(bad.field_violations)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            info = ErrorInfo()
            Status.FromString(value).details[0].Unpack(info)
            return str(info.reason)
    return ""


async def test_invalid_utf8_is_the_callers_mistake(channel: grpc.aio.Channel) -> None:
    method: Any = channel.unary_unary("/ignis.agents.v1.AgentLoaderService/LoadAgents")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(b"\x0a\x02\xff\xfe")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "MALFORMED_MESSAGE"
    assert "ignis.agents.v1.LoadAgentsRequest" in (caught.value.details() or "")


async def test_an_unknown_enum_value_is_refused_with_those_there_are(stub: "AgentLoaderServiceAsyncStub") -> None:
    request = pb.ListAgentsRequest.FromString(b"\x0a\x03\x0a\x01\x63")  # filter.formats = [99]

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListAgents(request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "filter.formats[0]: 99 is no AgentFormat" in (caught.value.details() or "")
    assert "AGENT_FORMAT_BMAD_AGENT" in (caught.value.details() or "")


@pytest.mark.parametrize("token", ["x", "ü", "e30", "A" * 9_000])
async def test_a_malformed_page_token_is_refused(stub: "AgentLoaderServiceAsyncStub", token: str) -> None:
    calls: tuple[tuple[Any, Any], ...] = (
        (stub.ListAgents, pb.ListAgentsRequest(page_token=token)),
        (stub.SearchAgents, pb.SearchAgentsRequest(query="x", page_token=token)),
        (stub.ListDiagnostics, pb.ListDiagnosticsRequest(page_token=token)),
    )

    for method, request in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(request)

        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(caught.value) == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("position", ["abc", "-12", "1.5", "٣", "9" * 12])
async def test_a_forged_position_is_refused(stub: "AgentLoaderServiceAsyncStub", position: str) -> None:
    """Tokens are not signed: anybody may change the position in one."""
    first = await stub.SearchAgents(pb.SearchAgentsRequest(query="code, queries, release", page_size=1))
    payload = json.loads(base64.urlsafe_b64decode(first.next_page_token + "==="))
    forged = base64.urlsafe_b64encode(json.dumps([*payload[:-1], position]).encode()).decode().rstrip("=")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.SearchAgents(pb.SearchAgentsRequest(query="code, queries, release", page_token=forged))

    assert reason_of(caught.value) == "PAGE_TOKEN_INVALID"


async def test_a_page_token_of_another_search_is_refused(stub: "AgentLoaderServiceAsyncStub") -> None:
    first = await stub.SearchAgents(pb.SearchAgentsRequest(query="code, queries, release", page_size=1))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.SearchAgents(pb.SearchAgentsRequest(query="another", page_token=first.next_page_token))

    assert first.next_page_token
    assert reason_of(caught.value) == "PAGE_TOKEN_INVALID"


async def test_pages_of_one_have_every_agent_once(stub: "AgentLoaderServiceAsyncStub") -> None:
    whole = await stub.ListAgents(pb.ListAgentsRequest())
    ids: list[str] = []
    token = ""
    while True:
        page = await stub.ListAgents(pb.ListAgentsRequest(page_size=1, page_token=token))
        ids += [agent.id for agent in page.agents]
        token = page.next_page_token
        if not token:
            break

    assert ids == [agent.id for agent in whole.agents]


async def test_a_negative_page_size_is_refused(stub: "AgentLoaderServiceAsyncStub") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListAgents(pb.ListAgentsRequest(page_size=-1))

    assert "page_size: -1 is negative" in (caught.value.details() or "")


async def test_what_is_held_is_named_in_full(stub: "AgentLoaderServiceAsyncStub") -> None:
    nameless = pb.HeldAgent(detail=9)  # type: ignore[arg-type]  # of no level that there is
    held = pb.HeldBundle(epoch_id="e" * 65, agents=[pb.HeldAgent(id="a", digest="sha256:0"), nameless])

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.LoadAgents(pb.LoadAgentsRequest(brief="x", held=held))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {each.field for each in violations_of(caught.value)} == {
        "held.epoch_id",
        "held.agents[0].detail",
        "held.agents[1].id",
        "held.agents[1].digest",
        "held.agents[1].detail",
    }


async def test_more_is_held_than_may_be(stub: "AgentLoaderServiceAsyncStub") -> None:
    agent = pb.HeldAgent(id="a", digest="sha256:0", detail=pb.DETAIL_LEVEL_CARD)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.LoadAgents(pb.LoadAgentsRequest(brief="x", held=pb.HeldBundle(agents=[agent] * 1_025)))

    assert "held.agents: 1025 entries are more than the 1024 allowed" in (caught.value.details() or "")


@pytest.mark.parametrize("recall", [0.0, 0.94, 1.0, -0.9, float("nan"), float("inf")])
async def test_a_recall_that_is_not_calibrated_is_refused_with_those_that_are(
    stub: "AgentLoaderServiceAsyncStub", recall: float
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.LoadAgents(pb.LoadAgentsRequest(brief="x", min_recall=recall))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = caught.value.details() or ""
    assert f"min_recall: {recall:g} is none of the recalls that are calibrated" in details
    assert "0.90, 0.95 or 0.99" in details


async def test_methods_that_are_not_served_yet_say_so(channel: grpc.aio.Channel) -> None:
    stub = WorkflowServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as started:
        await stub.StartRun(workflow_pb2.StartRunRequest())
    with pytest.raises(grpc.aio.AioRpcError) as watched:
        await anext(aiter(stub.WatchRun(workflow_pb2.WatchRunRequest())))

    for caught in (started, watched):
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert reason_of(caught.value) == "METHOD_UNAVAILABLE"


async def test_every_violation_of_a_load_is_in_the_details(stub: "AgentLoaderServiceAsyncStub") -> None:
    request = pb.LoadAgentsRequest(
        brief="x" * 70_000, task="y" * 9_000, tags=["t"] * 65, prices=pb.TokenPrices(cache_read=float("nan"))
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.LoadAgents(request)

    assert {each.field for each in violations_of(caught.value)} == {"brief", "task", "tags", "prices.cache_read"}
