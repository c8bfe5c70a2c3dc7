"""A server of workflows alone, to be killed: `python -m support.workflow_child PORT FOLDER DATABASE_URL [WRITE MOMENT]`.

Where a number of a write is given, the process is gone by SIGKILL "before" that write is carried out, or "after" it is committed
and before anybody is told.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ignis.workflow.v1 import workflow_pb2, workflow_pb2_grpc
from ignis_server.clock import SystemClock
from ignis_server.rpc.server import ServerLimits, Service, serving
from ignis_server.signals import NoSignals
from ignis_server.workflow.agent_directory import Reference, UnknownAgent
from ignis_server.workflow.journal import Retention
from ignis_server.workflow.running import StepAgents, Surroundings, WorkflowSettings, workflows
from ignis_server.workflow.sql_journal import SqlJournal
from support.running_workflows import Bundles

NAME = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"].full_name


class Nobody:
    """Knows no agents, which no step here asks for."""

    def look_up(self, reference: str, *, near: str) -> Reference:  # noqa: ARG002 - as the port has it
        """Say so."""
        return UnknownAgent()


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
    closing = asyncio.Event()
    settings = WorkflowSettings((folder,), url, Retention(timedelta(days=1)))
    async with workflows(
        settings, StepAgents(Nobody(), Bundles()), Surroundings(SystemClock(), NoSignals(), closing)
    ) as service:
        add = partial(workflow_pb2_grpc.add_WorkflowServiceServicer_to_server, service)
        async with serving(
            f"127.0.0.1:{port}", services=(Service(NAME, add),), interceptors=(), limits=ServerLimits(), closing=closing
        ):
            await asyncio.Event().wait()


def main() -> None:
    """Do as the arguments say."""
    port, folder, url, *killing = sys.argv[1:]
    if killing:
        kill_at(int(killing[0]), killing[1])
    asyncio.run(serve(int(port), Path(folder), url))


if __name__ == "__main__":
    main()
