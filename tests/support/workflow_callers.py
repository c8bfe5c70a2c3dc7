"""Callers of WorkflowService: who starts runs, who does their steps, and who answers what they ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
from google.protobuf.struct_pb2 import Value

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceStub
from ignis_server.app import running
from ignis_server.settings import Settings

if TYPE_CHECKING:
    # Only the stubs of types have it.
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

__all__ = ["ENDED", "claim", "complete", "done", "resolve", "served", "start", "stub_of"]

ENDED = {pb.RUN_STATE_COMPLETED, pb.RUN_STATE_FAILED, pb.RUN_STATE_CANCELED}


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
