"""Workflows put together: definitions, the store of runs, and what carries runs on beside the calls, until the block ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from ignis_server.background import background
from ignis_server.clock import Clock
from ignis_server.diagnostics import Severity
from ignis_server.signals import Signals
from ignis_server.workflow.agent_bundles import AgentBundles
from ignis_server.workflow.agent_directory import AgentDirectory
from ignis_server.workflow.claims import Claims
from ignis_server.workflow.definitions import Definitions
from ignis_server.workflow.journal import Retention
from ignis_server.workflow.library import compile_library
from ignis_server.workflow.run_watch import RunWatch
from ignis_server.workflow.runs import Runs
from ignis_server.workflow.service import WorkflowService
from ignis_server.workflow.source import read_paths
from ignis_server.workflow.stores import open_store
from ignis_server.workflow.sweep import Sweeper
from ignis_server.workflow.wakeups import Wakeups

__all__ = ["StepAgents", "Surroundings", "WorkflowSettings", "workflows"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WorkflowSettings:
    """Where workflows are, where their runs are kept, and for how long."""

    paths: tuple[Path, ...]
    database_url: str
    retention: Retention


@dataclass(frozen=True, slots=True)
class StepAgents:
    """Who agents are, and their text."""

    directory: AgentDirectory
    bundles: AgentBundles


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What workflows take from outside; `closing` is set when the server begins to drain."""

    clock: Clock
    signals: Signals
    closing: asyncio.Event


@asynccontextmanager
async def workflows(
    settings: WorkflowSettings, agents: StepAgents, surroundings: Surroundings
) -> AsyncIterator[WorkflowService]:
    """Serve workflows, and carry on all runs that the store has, until the block ends.

    Raises:
        WorkflowsUnusable: A path is missing, or may not be read.
        StoreUnavailable: The store cannot be reached, opened or written.
    """
    sources = await asyncio.to_thread(read_paths, settings.paths)
    library = compile_library(sources.files, agents.directory, sources.diagnostics)
    errors = sum(each.severity is Severity.ERROR for each in library.diagnostics)
    if errors:
        # What is wrong, and where, says `ignis workflow lint`.
        log.warning("workflows.with_errors", errors=errors)
    log.info("workflows.compiled", workflows=len(library.definitions), files=library.file_count)
    clock, signals, closing = surroundings.clock, surroundings.signals, surroundings.closing
    async with (
        open_store(settings.database_url, clock=clock, retention=settings.retention) as store,
        background(signals) as beside,
    ):
        definitions = Definitions(library, store.journal)
        runs = Runs(store.journal, definitions, signals)
        sweeper = Sweeper(runs, store, settings.retention)
        if store.beside is not None:
            beside.start("workflow-wakeups", store.beside)
        beside.start("workflow-sweep", sweeper.run)
        beside.start("workflow-retention", sweeper.remove)
        beside.start("workflow-closing", partial(_ring_when_closing, closing, store.wakeups))
        claims, watch = Claims(runs, store, agents.bundles, closing), RunWatch(runs, store, closing)
        yield WorkflowService(definitions, runs, claims, watch, agents.directory)


async def _ring_when_closing(closing: asyncio.Event, wakeups: Wakeups) -> None:
    """Have whoever waits for a run or a step look whether the server closes."""
    await closing.wait()
    wakeups.ring_all()
