"""The chain: runs interceptors around handlers of all four shapes, and turns errors into statuses."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from ignis_server.errors import IgnisError, MalformedMessage
from ignis_server.rpc.call import Call, Context, Interceptor
from ignis_server.rpc.status import failure_of, new_error_id, unforeseen_failure

__all__ = ["chained"]

# The client's clock may strike a little before ours, and its cancellation then arrives before our own deadline.
DEADLINE_SLACK_SECONDS = 0.02

log = structlog.get_logger()

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class _Malformed:
    """Stands for a request that could not be decoded, so that the call fails as ours and not as gRPC's.

    gRPC itself answers INTERNAL to a message it cannot decode, as if the server were at fault.
    """


def chained(
    server: grpc.aio.Server, interceptors: Sequence[Interceptor], *, undecoded: Collection[str] = ()
) -> grpc.aio.Server:
    """Return what to add services to instead of the server, so that their handlers are wrapped in interceptors.

    Args:
        server: Takes the wrapped handlers.
        interceptors: Run around every call, in this order.
        undecoded: Full names of methods that take requests as the bytes that they came as.
    """
    # What adds services asks for nothing of a server but to take handlers.
    return cast("grpc.aio.Server", Chain(server, interceptors, undecoded))


class Chain:
    """Wraps every handler that is added to a server, once, in the interceptors given.

    This is one of the four places that catch every exception: what is not an IgnisError is logged under an id,
    and the caller gets INTERNAL with that id and nothing else.

    It is no `grpc.aio.ServerInterceptor`, which gRPC would await anew for each call; it stands between a server and the
    generated functions that add services to it, and has its methods for that.
    """

    def __init__(
        self, server: grpc.aio.Server, interceptors: Sequence[Interceptor], undecoded: Collection[str]
    ) -> None:
        self._server = server
        self._interceptors = tuple(interceptors)
        self._undecoded = frozenset(undecoded)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Add handlers, wrapped."""
        self._server.add_generic_rpc_handlers([_Wrapped(handler, self._wrap) for handler in generic_rpc_handlers])

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Do nothing: generated code adds the same handlers in both ways, and grpc.aio asks for the generic ones only."""

    def _wrap(self, method: str, handler: Handler) -> Handler:
        shape = (
            "stream" if handler.request_streaming else "unary",
            "stream" if handler.response_streaming else "unary",
        )
        behaviour = getattr(handler, f"{shape[0]}_{shape[1]}")
        make = getattr(grpc, f"{shape[0]}_{shape[1]}_rpc_method_handler")
        # A streaming handler may also be a coroutine that writes to the context, as that of health checks is.
        around = self._streaming if inspect.isasyncgenfunction(behaviour) else self._unary
        wrapped: Handler = make(
            around(method, behaviour),
            request_deserializer=None if method in self._undecoded else _lenient(handler.request_deserializer),
            response_serializer=_passing(handler.response_serializer),
        )
        return wrapped

    def _concerned(self, method: str) -> tuple[Interceptor, ...]:
        return tuple(interceptor for interceptor in self._interceptors if interceptor.concerns(method))

    def _unary(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        interceptors = self._concerned(method)

        async def handle(request: Any, context: Context) -> Any:  # noqa: ANN401 - see Context
            call = Call(method, context)
            response = None
            started = 0
            try:
                for interceptor in interceptors:
                    interceptor.call_started(call)
                    started += 1
                response = await behaviour(_checked(request, method), context)
                if _has_run_out(context):
                    call.code = grpc.StatusCode.DEADLINE_EXCEEDED
            except BaseException as error:
                _note(call, error, context)
                if not isinstance(error, Exception):
                    raise
            finally:
                for interceptor in interceptors[:started][::-1]:
                    interceptor.call_finished(call)
            if call.code is not grpc.StatusCode.OK:
                await _abort(call, context)
            return response

        return handle

    def _streaming(
        self, method: str, behaviour: Callable[..., AsyncGenerator[Any]]
    ) -> Callable[..., AsyncIterator[Any]]:
        interceptors = self._concerned(method)

        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - see Context
            call = Call(method, context)
            started = 0
            try:
                for interceptor in interceptors:
                    interceptor.call_started(call)
                    started += 1
                async with aclosing(behaviour(_checked(request, method), context)) as responses:
                    async for response in responses:
                        yield response
                if _has_run_out(context):
                    call.code = grpc.StatusCode.DEADLINE_EXCEEDED
            except BaseException as error:
                _note(call, error, context)
                if not isinstance(error, Exception):
                    raise
            finally:
                for interceptor in interceptors[:started][::-1]:
                    interceptor.call_finished(call)
            if call.code is not grpc.StatusCode.OK:
                await _abort(call, context)

        return handle


class _Wrapped(grpc.GenericRpcHandler):
    """Finds handlers as another does, and wraps each the first time it is asked for."""

    def __init__(self, inner: grpc.GenericRpcHandler, wrap: Callable[[str, Handler], Handler]) -> None:
        self._inner = inner
        self._wrap = wrap
        self._wrapped: dict[str, Handler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MaybeHandler:
        """Return the wrapped handler of a method; unknown methods are left to gRPC, which refuses them."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler: MaybeHandler = self._inner.service(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped


def _lenient(deserialise: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if deserialise is None:
        return None

    def decode(data: bytes) -> Any:  # noqa: ANN401 - see Context
        try:
            return deserialise(data)
        except DecodeError:
            return _Malformed()

    return decode


def _passing(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """Let an answer pass that is bytes already, as one that comes out of a cache is."""
    if serialise is None:
        return None
    return lambda response: response if type(response) is bytes else serialise(response)


def _checked(request: Any, method: str) -> Any:  # noqa: ANN401 - see Context
    if isinstance(request, _Malformed):
        raise _malformed(method)
    # A message is never an iterator; to ask one for what it does not have takes longer than all else here.
    if not isinstance(request, (Message, bytes)) and hasattr(request, "__aiter__"):
        return _checked_stream(request, method)
    return request


async def _checked_stream(requests: AsyncIterator[Any], method: str) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request, method)


def _malformed(method: str) -> MalformedMessage:
    service, _, name = method.lstrip("/").partition("/")
    return MalformedMessage(f"{service.rpartition('.')[0]}.{name}Request")


def _note(call: Call, error: BaseException, context: Context) -> None:
    """Write down how a call ended that did not end well."""
    match error:
        case IgnisError():
            call.failure = failure_of(error)
            call.code = call.failure.code
        case DecodeError():
            call.failure = failure_of(_malformed(call.method))
            call.code = call.failure.code
        case grpc.aio.AbortError():
            call.code = _code_set_on(context)
        case asyncio.CancelledError() | GeneratorExit():
            call.code = _code_of_cancellation(context)
        case Exception():
            error_id = new_error_id()
            log.error("call.failed", method=call.method, error_id=error_id, exc_info=error)
            call.failure = unforeseen_failure(error_id)
            call.code = call.failure.code


def _code_of_cancellation(context: Context) -> grpc.StatusCode:
    """Tell a deadline that has passed from a client that went away; gRPC cancels the handler for both."""
    has_passed = _has_run_out(context, slack_seconds=DEADLINE_SLACK_SECONDS)
    return grpc.StatusCode.DEADLINE_EXCEEDED if has_passed else grpc.StatusCode.CANCELLED


def _has_run_out(context: Context, *, slack_seconds: float = 0.0) -> bool:
    """Tell whether the client's deadline has passed; a handler that never waits is not cancelled by it."""
    # None where the client set no deadline, though types-grpcio does not say so.
    remaining = cast("float | None", context.time_remaining())
    return remaining is not None and remaining <= slack_seconds


def _code_set_on(context: Context) -> grpc.StatusCode:
    # An integer where the handler set one; the table of codes knows both.
    code: object = context.code()
    return next((known for known in grpc.StatusCode if code in {known, known.value[0]}), grpc.StatusCode.UNKNOWN)


async def _abort(call: Call, context: Context) -> None:
    if call.failure is not None:
        await context.abort(call.failure.code, call.failure.message, call.failure.trailing_metadata())
    else:
        await context.abort(call.code, context.details() or "")
