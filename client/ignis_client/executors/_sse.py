"""Server-sent events, as chat endpoints stream them: the data of each event, and where they end."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

__all__ = ["EventTooLong", "event_data"]

# A chunk is some 300 bytes; an endpoint that puts a whole answer into one event stays below this.
MAX_EVENT_CHARACTERS: Final = 4 << 20


class EventTooLong(Exception):
    """An event has more than MAX_EVENT_CHARACTERS."""


async def event_data(texts: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Yield the data of each event that has some; comments and the names of events are passed over.

    Args:
        texts: What arrives, in pieces of any size; lines end in a newline, with a carriage return before it or not.

    Raises:
        EventTooLong: An event, or a line, is longer than any that makes sense.
    """
    rest, data, size = "", list[str](), 0
    async for text in texts:
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            field = line.removesuffix("\r")
            if field.startswith("data:"):
                data.append(field.removeprefix("data:").removeprefix(" "))
                size += len(field)
            elif not field and data:
                yield "\n".join(data)
                data, size = [], 0
        if len(rest) + size > MAX_EVENT_CHARACTERS:
            raise EventTooLong
    if data:
        yield "\n".join(data)
