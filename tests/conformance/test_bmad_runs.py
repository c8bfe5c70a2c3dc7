"""BMAD's ten workflow files, unmodified: every sequence of them runs to its end on a real server, with an echo worker."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.settings import Settings
from support.workflow_callers import done, served

ROOT = Path(os.environ["IGNIS_CATALOGS"]) / "bmad-v5"


async def test_all_of_bmads_workflows_run_to_their_end_unmodified(tmp_path: Path) -> None:
    given = Settings.read(
        catalog_paths=(ROOT,),
        workflow_paths=(ROOT,),
        database_url=f"sqlite:///{tmp_path / 'runs.db'}",
        listen="127.0.0.1:0",
    )
    async with asyncio.timeout(120), served(given) as service:
        listed = (await service.ListDefinitions(pb.ListDefinitionsRequest(page_size=100))).definitions
        ended = []
        for each in listed:
            run = (await service.StartRun(pb.StartRunRequest(request_id=str(uuid4()), definition=each.id))).run
            ended.append(await done(service, run.id))

    assert len(ended) == 14
    assert {run.state for run in ended} == {pb.RUN_STATE_COMPLETED}
    assert sum(len(run.steps) for run in ended) > 150
