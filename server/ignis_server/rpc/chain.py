"""The chain: runs interceptors around handlers of all four shapes, and turns errors into statuses."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from ignis_server.errors import IgnisError, MalformedMessage
from ignis_server.rpc.call import Call, Context, Interceptor, current_call
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
        codec = _Codec.of(method, handler, is_decoded=method not in self._undecoded)
        # A streaming handler may also be a coroutine that writes to the context, as that of health checks is.
        is_writing = handler.response_streaming and not inspect.isasyncgenfunction(behaviour)
        around = self._streaming if inspect.isasyncgenfunction(behaviour) else self._unary
        wrapped: Handler = make(
            around(method, behaviour, codec),
            # Requests that are single are decoded within the chain, where a failure is one of the call's. Those of streams are
            # decoded by gRPC, as a handler may also read them from the context; the same goes for what it writes there.
            request_deserializer=codec.lenient if handler.request_streaming else None,
            response_serializer=codec.written if is_writing else codec.passing,
        )
        return wrapped

    def _concerned(self, method: str) -> tuple[Interceptor, ...]:
        return tuple(interceptor for interceptor in self._interceptors if interceptor.concerns(method))

    def _unary(
        self, method: str, behaviour: Callable[..., Awaitable[Any]], codec: "_Codec"
    ) -> Callable[..., Awaitable[Any]]:
        interceptors = self._concerned(method)

        async def handle(request: Any, context: Context) -> Any:  # noqa: ANN401 - see Context
            call = _taken_up(context)
            response = None
            started = 0
            try:
                for interceptor in interceptors:
                    waited_for = interceptor.call_started(call)
                    started += 1
                    if waited_for is not None:
                        await waited_for
                response = codec.encoded(await behaviour(codec.decoded(request, call), context), call)
                call.code = _code_at_end(context)
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
        self, method: str, behaviour: Callable[..., AsyncGenerator[Any]], codec: "_Codec"
    ) -> Callable[..., AsyncIterator[Any]]:
        interceptors = self._concerned(method)

        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - see Context
            call = _taken_up(context)
            started = 0
            try:
                for interceptor in interceptors:
                    waited_for = interceptor.call_started(call)
                    started += 1
                    if waited_for is not None:
                        await waited_for
                async with aclosing(behaviour(codec.decoded(request, call), context)) as responses:
                    async for response in responses:
                        yield codec.encoded(response, call)
                call.code = _code_at_end(context)
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
    """Finds handlers as another does, and wraps each the first time it is asked for.

    gRPC asks for the handler of each call in the task of that call, as the first thing it does there: that is when a call begins.
    """

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
        Call.begin(method, handler_call_details.invocation_metadata or ())
        return wrapped


@dataclass(frozen=True, slots=True)
class _Codec:
    """How the messages of a method become bytes and back, and how many bytes they are."""

    method: str
    deserialise: Callable[[bytes], Any] | None
    serialise: Callable[[Any], bytes] | None

    @classmethod
    def of(cls, method: str, handler: Handler, *, is_decoded: bool) -> "_Codec":
        return cls(method, handler.request_deserializer if is_decoded else None, handler.response_serializer)

    def decoded(self, request: Any, call: Call) -> Any:  # noqa: ANN401 - see Context
        """Return a request as the handler takes it; a stream of them stays one."""
        if type(request) is bytes:
            call.request_bytes = len(request)
            return request if self.deserialise is None else self.deserialise(request)
        return self._each(request, call)

    async def _each(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
        async for request in requests:
            if isinstance(request, _Malformed):
                raise _malformed(self.method)
            call.request_bytes += request.ByteSize() if isinstance(request, Message) else len(request)
            yield request

    def lenient(self, data: bytes) -> Any:  # noqa: ANN401 - see Context
        try:
            return data if self.deserialise is None else self.deserialise(data)
        except DecodeError:
            return _Malformed()

    def encoded(self, response: Any, call: Call) -> bytes | None:  # noqa: ANN401 - see Context
        """Return a response as bytes; None from a handler that wrote to the context instead."""
        body: bytes | None = self.passing(response)
        if body is not None:
            call.response_bytes += len(body)
        return body

    def written(self, response: Any) -> Any:  # noqa: ANN401 - see Context
        """Return a response that a handler writes to the context as bytes, and count them."""
        body = self.passing(response)
        # gRPC encodes what is written past the chain in the task of the handler.
        call = current_call()
        if call is not None:
            call.response_bytes += len(body)
        return body

    def passing(self, response: Any) -> Any:  # noqa: ANN401 - see Context
        """Let an answer pass that is bytes already, as one that comes out of a cache is."""
        if response is None or type(response) is bytes or self.serialise is None:
            return response
        return self.serialise(response)


def _taken_up(context: Context) -> Call:
    """Return the call of this task, whose handler begins now."""
    call = current_call()
    if call is None:
        raise AssertionError("gRPC asks for the handler of a call in the task of that call")
    call.context = context
    return call


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


def _code_at_end(context: Context) -> grpc.StatusCode:
    """Return the code of a call whose handler has returned."""
    if _has_run_out(context):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    # 0 or None where the handler set none, though types-grpcio does not say so.
    code: object = context.code()
    return grpc.StatusCode.OK if code in {0, None} else _code_set_on(context)


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
