"""A server of workflows alone, with real gRPC and a real database, and without a catalog of agents."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from ignis.workflow.v1 import workflow_pb2, workflow_pb2_grpc
from ignis_server.clock import Clock, SystemClock
from ignis_server.rpc.server import RpcServer, ServerLimits, Service, serving
from ignis_server.signals import NoSignals
from ignis_server.workflow.agent_directory import Reference, UnknownAgent
from ignis_server.workflow.journal import Retention
from ignis_server.workflow.running import StepAgents, Surroundings, WorkflowSettings, workflows
from support.running_workflows import Bundles

if TYPE_CHECKING:
    from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

__all__ = ["workflow_server", "workflow_service"]

NAME = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"].full_name


class Nobody:
    """Knows no agents, which no step here asks for."""

    def look_up(self, reference: str, *, near: str) -> Reference:  # noqa: ARG002 - as the port has it
        """Say so."""
        return UnknownAgent()


@asynccontextmanager
async def workflow_server(
    folder: Path, url: str, *, clock: Clock | None = None, port: int = 0
) -> AsyncIterator[RpcServer]:
    """Serve the workflows of a folder until the block ends."""
    closing = asyncio.Event()
    settings = WorkflowSettings((folder,), url, Retention(timedelta(days=1)))
    surroundings = Surroundings(clock or SystemClock(), NoSignals(), closing)
    async with workflows(settings, StepAgents(Nobody(), Bundles()), surroundings) as service:
        add = partial(workflow_pb2_grpc.add_WorkflowServiceServicer_to_server, service)
        services = (Service(NAME, add, standing_methods=(f"/{NAME}/WatchRun",)),)
        async with serving(
            f"127.0.0.1:{port}", services=services, interceptors=(), limits=ServerLimits(), closing=closing
        ) as server:
            yield server


@asynccontextmanager
async def workflow_service(
    folder: Path, url: str, *, clock: Clock | None = None
) -> AsyncIterator["WorkflowServiceAsyncStub"]:
    """Serve as `workflow_server` does, and yield what calls the service."""
    async with (
        workflow_server(folder, url, clock=clock) as server,
        # A channel that is shared within the process would stand for two replicas at once.
        grpc.aio.insecure_channel(server.address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel,
    ):
        stub: WorkflowServiceAsyncStub = workflow_pb2_grpc.WorkflowServiceStub(channel)
        yield stub
