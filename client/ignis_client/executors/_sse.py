"""Server-sent events, as chat endpoints stream them: the data of each event, and where they end."""

from collections.abc import AsyncGenerator, AsyncIterator

__all__ = ["event_data"]


async def event_data(lines: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Yield the data of each event that has some; comments and the names of events are passed over."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)
