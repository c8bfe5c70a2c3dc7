"""Ending tasks that somebody else may wait for no more."""

import asyncio

__all__ = ["stopped"]


async def stopped(*tasks: "asyncio.Task[object]") -> None:
    """Cancel tasks, wait until they have ended, and take note of what they raised, so that nobody complains of it."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
