"""A real gRPC server that hands out the steps that a test gives it, keeps what is said of them, and fails as it is told to."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis.workflow.v1.workflow_pb2_grpc import WorkflowServiceServicer, add_WorkflowServiceServicer_to_server
from unit.client.scripted_server import Abort, Hang

__all__ = ["WorkflowServer", "serving_workflows", "step_message"]

Context = grpc.aio.ServicerContext[Any, Any]
Trouble = Abort | Hang

# How long it lets a claim wait; tests have no time for what a worker asks for.
LONGEST_WAIT_SECONDS = 0.5


def step_message(step_id: str = "draft", **fields: Any) -> pb.ClaimedStep:  # noqa: ANN401 - fields of a message
    """Return a step to be handed out: its definition has the fields."""
    return pb.ClaimedStep(
        lease=pb.Lease(run_id="run-1", step_id=step_id, attempt=1),
        definition=pb.StepDefinition(**{"id": step_id, "instruction": f"do {step_id}", "outputs": ["text"], **fields}),
    )


class WorkflowServer(WorkflowServiceServicer):
    """Serves what workers and watchers ask."""

    def __init__(self) -> None:
        self.target = ""
        self.calls: list[tuple[str, Any]] = []
        self.metadata: list[tuple[str, dict[str, str | bytes]]] = []
        self.trouble: defaultdict[str, deque[Trouble]] = defaultdict(deque)
        self.is_canceled = False
        self.run = pb.Run(id="run-1", state=pb.RUN_STATE_WORKING)
        self.outputs: dict[str, pb.Step] = {}
        # What each watch sends, in turn; the last one stands open.
        self.watches: deque[tuple[pb.WatchRunResponse | Trouble, ...]] = deque()
        self._ready: asyncio.Queue[pb.ClaimedStep] = asyncio.Queue()
        self._granted: dict[str, pb.ClaimedStep] = {}
        self._changed = asyncio.Condition()

    def offer(self, *steps: pb.ClaimedStep) -> None:
        """Make steps ready."""
        for step in steps:
            self._ready.put_nowait(step)

    def requests(self, method: str) -> list[Any]:
        """Return all requests of a method, in order."""
        return [request for name, request in self.calls if name == method]

    async def until(self, method: str, count: int = 1) -> list[Any]:
        """Wait until a method was called so often, and return its requests."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.requests(method)) >= count)
        return self.requests(method)

    async def ClaimStep(self, request: pb.ClaimStepRequest, context: Context) -> pb.ClaimStepResponse:  # noqa: N802 - of the API
        # An answer that is lost on its way is one that the server gave.
        wait = min(request.wait.ToTimedelta().total_seconds(), LONGEST_WAIT_SECONDS)
        trouble = await self._noted("ClaimStep", request, context)
        claimed = self._granted.get(request.request_id)
        if claimed is None and (wait or not self._ready.empty()):
            try:
                async with asyncio.timeout(wait or 1):
                    claimed = await self._ready.get()
            except TimeoutError:
                claimed = None
        if claimed is not None:
            claimed.lease.worker_id = request.worker_id
            claimed.lease.expire_time.FromDatetime(datetime.now(UTC) + request.lease.ToTimedelta())
            self._granted[request.request_id] = claimed
        await self._fall_into(trouble, context)
        return pb.ClaimStepResponse(claimed=claimed)

    async def HeartbeatStep(self, request: pb.HeartbeatStepRequest, context: Context) -> pb.HeartbeatStepResponse:  # noqa: N802 - of the API
        await self._fall_into(await self._noted("HeartbeatStep", request, context), context)
        lease = pb.Lease()
        lease.CopyFrom(request.lease)
        lease.expire_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=1))
        return pb.HeartbeatStepResponse(lease=lease, is_canceled=self.is_canceled)

    async def CompleteStep(self, request: pb.CompleteStepRequest, context: Context) -> pb.CompleteStepResponse:  # noqa: N802 - of the API
        await self._fall_into(await self._noted("CompleteStep", request, context), context)
        step = pb.Step(id=request.lease.step_id, state=pb.STEP_STATE_COMPLETED, output=request.output)
        return pb.CompleteStepResponse(step=step, run_state=pb.RUN_STATE_COMPLETED)

    async def FailStep(self, request: pb.FailStepRequest, context: Context) -> pb.FailStepResponse:  # noqa: N802 - of the API
        await self._fall_into(await self._noted("FailStep", request, context), context)
        step = pb.Step(id=request.lease.step_id, state=pb.STEP_STATE_BACKING_OFF, failure=request.failure)
        return pb.FailStepResponse(step=step, run_state=pb.RUN_STATE_WORKING)

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:  # noqa: N802 - of the API
        await self._fall_into(await self._noted("GetRun", request, context), context)
        return pb.GetRunResponse(run=self.run)

    async def GetStep(self, request: pb.GetStepRequest, context: Context) -> pb.GetStepResponse:  # noqa: N802 - of the API
        await self._fall_into(await self._noted("GetStep", request, context), context)
        return pb.GetStepResponse(step=self.outputs[request.step_id])

    async def WatchRun(self, request: pb.WatchRunRequest, context: Context) -> AsyncIterator[pb.WatchRunResponse]:  # noqa: N802 - of the API
        await self._fall_into(await self._noted("WatchRun", request, context), context)
        for said in self.watches.popleft():
            if isinstance(said, pb.WatchRunResponse):
                yield said
            else:
                await self._fall_into(said, context)

    async def _refuse(self, request: Any, context: Context) -> Any:  # noqa: ANN401, ARG002 - as the methods have it
        """Refuse: what is asked once and answered once is tested with scripts."""
        raise AssertionError("no test asks for this")

    ListDefinitions = _refuse
    GetDefinition = _refuse
    StartRun = _refuse
    ListRuns = _refuse
    CancelRun = _refuse
    ResolveInput = _refuse

    async def _noted(self, method: str, request: Any, context: Context) -> Trouble | None:  # noqa: ANN401 - any request
        async with self._changed:
            self.calls.append((method, request))
            self.metadata.append((method, dict(context.invocation_metadata() or ())))
            self._changed.notify_all()
        return self.trouble[method].popleft() if self.trouble[method] else None

    async def _fall_into(self, trouble: Trouble | None, context: Context) -> None:
        match trouble:
            case Abort(code, message, details):
                trailer = (("grpc-status-details-bin", details),) if details else ()
                await context.abort(code, message, trailer)
            case Hang():
                await asyncio.Event().wait()


@asynccontextmanager
async def serving_workflows(steps: WorkflowServer, address: str = "127.0.0.1:0") -> AsyncIterator[None]:
    """Serve on loopback until the block ends."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_WorkflowServiceServicer_to_server(steps, server)
    port = server.add_insecure_port(address)
    steps.target = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)
