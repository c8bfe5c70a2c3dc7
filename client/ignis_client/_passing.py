"""Trouble that passes: what a worker waits for, instead of giving up."""

import grpc

from ignis_client.errors import DeadlineExceeded, IgnisError, LimitReached, ServerError, Unavailable

__all__ = ["is_passing"]


def is_passing(error: IgnisError) -> bool:
    """Tell whether the same call may end well later.

    A limit passes where the server says when: without that it is a message larger than a server takes, mostly. A
    server that is stopped may end the calls under way with CANCELLED.
    """
    if isinstance(error, LimitReached):
        return error.retry_after is not None
    return isinstance(error, DeadlineExceeded | ServerError | Unavailable) or error.code is grpc.StatusCode.CANCELLED
