"""A real gRPC server whose answers a test writes down beforehand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from ignis.agents.v1.agent_loader_pb2_grpc import (
    AgentLoaderServiceServicer,
    add_AgentLoaderServiceServicer_to_server,
)
from ignis.telemetry.v1 import telemetry_pb2
from ignis.workflow.v1 import workflow_pb2

__all__ = ["Abort", "Hang", "ScriptedServer", "abort", "serving"]

Context = grpc.aio.ServicerContext[Any, Any]

TELEMETRY = telemetry_pb2.DESCRIPTOR.services_by_name["TelemetryService"]
WORKFLOW = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"]


@dataclass(frozen=True, slots=True)
class Abort:
    """Ends a call with a status; `details` are the bytes of grpc-status-details-bin."""

    code: grpc.StatusCode
    message: str = ""
    details: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answers."""


def abort(
    code: grpc.StatusCode,
    message: str = "",
    *details: Message,
    reason: str = "",
    domain: str = "ignis",
    metadata: dict[str, str] | None = None,
) -> Abort:
    """Return an abort whose status carries details: an ErrorInfo where there is a reason, and others."""
    status = Status(code=code.value[0], message=message)
    info = (ErrorInfo(reason=reason, domain=domain, metadata=metadata),) if reason else ()
    for detail in (*info, *details):
        status.details.add().Pack(detail)
    return Abort(code, message, status.SerializeToString())


Answer = Message | Abort | Hang


class ScriptedServer(AgentLoaderServiceServicer):
    """Answers each call, of whatever method, with the next of its answers; the last one stays."""

    def __init__(self) -> None:
        self.target = ""
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.time_limits: list[float | None] = []
        self.called = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._answers: list[Answer] = []

    def script(self, *answers: Answer) -> None:
        """Set the answers."""
        self._answers = list(answers)

    async def _answer(self, request: Message, context: Context) -> Any:  # noqa: ANN401 - as the method has it
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.time_limits.append(context.time_remaining())
        self.called.set()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        match answer:
            case Abort(code, message, details):
                trailer = (("grpc-status-details-bin", details),) if details else ()
                await context.abort(code, message, trailer)
            case Hang():
                try:
                    await asyncio.Event().wait()
                finally:
                    self.cancelled.set()
        return answer

    LoadAgents = _answer
    SearchAgents = _answer
    GetAgent = _answer
    ListAgents = _answer
    GetCatalog = _answer
    ListDiagnostics = _answer

    def other_services(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """Return the methods of the other services that the client calls, but for streams."""
        methods = [TELEMETRY.methods_by_name[name] for name in ("GetDeliveryLedger", "VerifyDelivery", "PreviewEgress")]
        methods += [method for method in WORKFLOW.methods if not method.server_streaming]
        return tuple(
            grpc.method_handlers_generic_handler(service.full_name, self._handlers(service, methods))
            for service in (TELEMETRY, WORKFLOW)
        )

    def _handlers(
        self, service: ServiceDescriptor, methods: list[MethodDescriptor]
    ) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
        return {
            method.name: grpc.unary_unary_rpc_method_handler(
                self._answer,
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=GetMessageClass(method.output_type).SerializeToString,
            )
            for method in methods
            if method.containing_service is service
        }

    def WatchCatalog(self, request: Message, context: Context) -> AsyncIterator[Any]:  # noqa: ARG002, N802 - of the API
        """Refuse: watches are tested with servers that have a catalog to watch."""
        raise AssertionError("no test asks for this")


@asynccontextmanager
async def serving(scripted: ScriptedServer, address: str = "127.0.0.1:0") -> AsyncIterator[None]:
    """Serve a script on loopback until the block ends."""
    server = grpc.aio.server()
    add_AgentLoaderServiceServicer_to_server(scripted, server)
    server.add_generic_rpc_handlers(scripted.other_services())
    port = server.add_insecure_port(address)
    scripted.target = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)
