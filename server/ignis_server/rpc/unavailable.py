"""Services that are part of the API and not served yet: every method says so, with a reason."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, NoReturn

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from ignis_server.errors import MethodUnavailable

__all__ = ["unavailable_service"]


def unavailable_service(service: ServiceDescriptor, served: Collection[str] = ()) -> grpc.GenericRpcHandler:
    """Return handlers that answer UNIMPLEMENTED to every method of a service, but for those that are served."""
    methods = [method for method in service.methods if method.name not in served]
    return grpc.method_handlers_generic_handler(
        service.full_name, {method.name: _handler(service, method) for method in methods}
    )


def _handler(service: ServiceDescriptor, method: MethodDescriptor) -> "grpc.RpcMethodHandler[Any, Any]":
    name = f"/{service.full_name}/{method.name}"
    shape = (
        "stream" if method.client_streaming else "unary",
        "stream" if method.server_streaming else "unary",
    )
    make = getattr(grpc, f"{shape[0]}_{shape[1]}_rpc_method_handler")
    handler: grpc.RpcMethodHandler[Any, Any] = make(
        _refuse_stream(name) if method.server_streaming else _refuse(name),
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )
    return handler


def _refuse(method: str) -> Callable[..., Awaitable[NoReturn]]:
    async def refuse(_request: object, _context: object) -> NoReturn:
        raise MethodUnavailable(method)

    return refuse


def _refuse_stream(method: str) -> Callable[..., AsyncIterator[NoReturn]]:
    async def refuse(_request: object, _context: object) -> AsyncIterator[NoReturn]:
        raise MethodUnavailable(method)
        yield

    return refuse
