"""A server of workflows alone, to be killed: `python -m support.workflow_child PORT FOLDER DATABASE_URL [WRITE MOMENT]`.

Where a number of a write is given, the process is gone by SIGKILL "before" that write is carried out, or "after" it is committed
and before anybody is told.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ignis_server.workflow.sql_journal import SqlJournal
from support.workflow_server import workflow_server


def kill_at(number: int, moment: str) -> None:
    """Have this process killed the so-manieth time that a run is begun, a step offered, or events are appended."""
    count = 0

    def killing(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def killed(*arguments: object, **named: object) -> object:
            nonlocal count
            count += 1
            mine = count
            if mine == number and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            outcome = await write(*arguments, **named)
            if mine == number and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return outcome

        return killed

    for name in ("start", "offered", "append"):
        setattr(SqlJournal, name, killing(getattr(SqlJournal, name)))


async def serve(port: int, folder: Path, url: str) -> None:
    """Serve until killed."""
    async with workflow_server(folder, url, port=port):
        await asyncio.Event().wait()


def main() -> None:
    """Do as the arguments say."""
    port, folder, url, *killing = sys.argv[1:]
    if killing:
        kill_at(int(killing[0]), killing[1])
    asyncio.run(serve(int(port), Path(folder), url))


if __name__ == "__main__":
    main()
