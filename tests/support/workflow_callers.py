"""Callers of WorkflowService: who starts runs, who does their steps, and who answers what they ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.struct_pb2 import Value
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceStub
from ignis_server.app import running
from ignis_server.settings import Settings

if TYPE_CHECKING:
    # Only the stubs of types have it.
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

__all__ = [
    "ENDED",
    "answered",
    "claim",
    "complete",
    "done",
    "refusal",
    "resolve",
    "served",
    "start",
    "stub_of",
    "watched",
]

T = TypeVar("T")

ENDED = {pb.RUN_STATE_COMPLETED, pb.RUN_STATE_FAILED, pb.RUN_STATE_CANCELED}
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}


def stub_of(channel: grpc.aio.Channel) -> "WorkflowServiceAsyncStub":
    """Return what calls the service over a channel."""
    return WorkflowServiceStub(channel)


@asynccontextmanager
async def served(given: Settings) -> AsyncIterator["WorkflowServiceAsyncStub"]:
    """Have a server until the block ends."""
    async with running(given) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield stub_of(channel)


async def start(service: "WorkflowServiceAsyncStub", **chosen: object) -> pb.Run:
    """Begin a run of the workflow "review", or of another one."""
    request = pb.StartRunRequest(request_id=str(uuid4()), definition="review", brief="A PostgreSQL service")
    request.inputs.update({"topic": "indexes"})
    request.MergeFrom(pb.StartRunRequest(**chosen))  # type: ignore[arg-type]  # fields
    return (await service.StartRun(request)).run


async def claim(service: "WorkflowServiceAsyncStub", worker: str = "w", **chosen: object) -> pb.ClaimedStep | None:
    """Claim a step; None where none is ready within 5 seconds."""
    request = pb.ClaimStepRequest(worker_id=worker, request_id=str(uuid4()), capabilities=["echo"])
    request.wait.FromSeconds(5)
    request.MergeFrom(pb.ClaimStepRequest(**chosen))  # type: ignore[arg-type]  # fields
    response = await service.ClaimStep(request)
    return response.claimed if response.HasField("claimed") else None


async def complete(service: "WorkflowServiceAsyncStub", claimed: pb.ClaimedStep) -> pb.CompleteStepResponse:
    """Complete a step as the echo executor does."""
    request = pb.CompleteStepRequest(lease=claimed.lease, usage=pb.TokenUsage(input_tokens=100, output_tokens=20))
    request.output.update({name: f"{name} of {claimed.lease.step_id}" for name in claimed.definition.outputs})
    return await service.CompleteStep(request)


async def resolve(service: "WorkflowServiceAsyncStub", run: pb.Run, asked: pb.InputRequest) -> pb.Run:
    """Say what lets a run go on."""
    answer = pb.InputAnswer(input_id=asked.id)
    if asked.kind == pb.INPUT_KIND_QUESTION:
        answer.answer.CopyFrom(Value(string_value=asked.choices[0] if asked.choices else "yes"))
    else:
        answer.approve.comment = "good"
    request = pb.ResolveInputRequest(request_id=str(uuid4()), run_id=run.id, answer=answer)
    return (await service.ResolveInput(request)).run


async def done(service: "WorkflowServiceAsyncStub", run_id: str) -> pb.Run:
    """Do all that a run asks for, of workers and of people, until it has ended."""
    while (run := (await service.GetRun(pb.GetRunRequest(run_id=run_id))).run).state not in ENDED:
        if run.state == pb.RUN_STATE_INPUT_REQUIRED:
            for asked in run.input_requests:
                await resolve(service, run, asked)
        elif claimed := await claim(service, run_id=run_id):
            await complete(service, claimed)
    return run


async def answered(call: Callable[[], Awaitable[T]]) -> T:
    """Call until a server answers, as a client does: the same request again."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRIED:
                raise
            await asyncio.sleep(0.05)


async def watched(service: "WorkflowServiceAsyncStub", run_id: str) -> list[int]:
    """Return the versions of all events that a watcher sees who comes back after each disconnect."""
    versions: list[int] = []
    token = ""
    while True:
        try:
            async for response in service.WatchRun(pb.WatchRunRequest(run_id=run_id, resume_token=token)):
                token = response.resume_token
                if response.HasField("snapshot"):
                    versions += range(1, response.snapshot.version + 1)
                versions += [event.version for event in response.events.events]
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRIED:
                raise
            await asyncio.sleep(0.05)
        else:
            run = (await answered(lambda: service.GetRun(pb.GetRunRequest(run_id=run_id)))).run
            if run.state in ENDED and versions and versions[-1] == run.version:
                return versions


async def refusal(call: Awaitable[object]) -> tuple[str, str, bool]:
    """Return how a call fails: its code, its reason, and whether it says when to come again."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        packed = next(value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin")
        assert isinstance(packed, bytes)
        info, advice = ErrorInfo(), RetryInfo()
        details = Status.FromString(packed).details
        assert details[0].Unpack(info)
        has_advice = any(detail.Unpack(advice) for detail in details)
        return error.code().name, info.reason, has_advice and advice.retry_delay.ToTimedelta().total_seconds() > 0
    raise AssertionError("it was answered")
