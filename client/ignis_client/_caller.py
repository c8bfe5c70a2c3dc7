"""One way to call a method: with a deadline, the client's metadata, the caller's trace, and errors in our words."""

import math
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

import grpc

from ignis_client._channel import Metadata
from ignis_client._status import error_from
from ignis_client._trace_context import trace_context

__all__ = ["Caller"]


class PageRequest(Protocol):
    """A request for a page of a list."""

    page_token: str


class PageResponse(Protocol):
    """A page of a list; the last has no token."""

    next_page_token: str


Request = TypeVar("Request")
Response = TypeVar("Response")
PageRequestType = TypeVar("PageRequestType", bound=PageRequest)
PageResponseType = TypeVar("PageResponseType", bound=PageResponse)


class Caller:
    """Calls methods on behalf of one client."""

    def __init__(self, metadata: Metadata, timeout: float) -> None:
        self._metadata = metadata
        self._names = {name for name, _ in metadata}
        self._timeout = _checked(timeout)

    def metadata(self) -> Metadata:
        """Return what is sent with a call that begins now: the client's metadata, and the trace that the call belongs to.

        What the client was told to send comes before what is found out.
        """
        return (*self._metadata, *(pair for pair in trace_context() if pair[0] not in self._names))

    def seconds(self, timeout: float | None) -> float:
        """Return the time limit of a call: its own, or else the client's.

        Raises:
            ValueError: It is no limit.
        """
        return self._timeout if timeout is None else _checked(timeout)

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout: float | None,
    ) -> Response:
        """Return the response to a request.

        Raises:
            IgnisError: The call did not end well.
        """
        try:
            return await method(request, timeout=self.seconds(timeout), metadata=self.metadata())
        except grpc.aio.AioRpcError as rpc_error:
            raise error_from(rpc_error) from rpc_error

    async def pages(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[PageRequestType, PageResponseType],
        request: PageRequestType,
        timeout: float | None,
    ) -> AsyncIterator[PageResponseType]:
        """Yield page after page, asking for each when it is wanted; the timeout is that of one page.

        Nothing is held between two pages, so an iteration may be left at any place.
        """
        while True:
            response = await self.call(method, request, timeout)
            yield response
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token


def _checked(timeout: float) -> float:
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout {timeout} is not a positive and finite number of seconds")
    return timeout
