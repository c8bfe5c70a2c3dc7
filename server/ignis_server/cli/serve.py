"""`ignis serve`: run the service until it is told to stop."""

import asyncio
import gc
import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from ignis_server.app import running
from ignis_server.cli.logs import configure_logs
from ignis_server.clock import SystemClock
from ignis_server.settings import Settings
from ignis_server.telemetry.logs import LogRelay

__all__ = ["serve"]

log = structlog.get_logger()


def serve(
    catalog: Annotated[
        list[Path] | None,
        typer.Option(help="Directory that holds agents; may be given several times.", show_default=False),
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT to serve on; port 0 takes a free one. Default 127.0.0.1:50051.")
    ] = None,
    otlp_endpoint: Annotated[
        str | None, typer.Option(help="Where traces and metrics go, such as http://localhost:4317. Default: nowhere.")
    ] = None,
    workflows: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of a workflow, or directory that holds some; may be given several times. Default: none is served.",
            show_default=False,
        ),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option("--insecure", help="Serve other machines although nothing authenticates callers."),
    ] = None,
) -> None:
    """Serve the agents of one or more directories over gRPC.

    Every flag can also be set by environment, as IGNIS_CATALOG_PATHS (separated by ':'), IGNIS_LISTEN and so on.
    SIGTERM and Ctrl-C let calls in flight finish before the server stops.
    """
    settings = Settings.read(
        catalog_paths=tuple(catalog) if catalog else None,
        workflow_paths=tuple(workflows) if workflows else None,
        listen=listen,
        insecure=insecure,
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_endpoint,
    )
    logs = LogRelay(SystemClock())
    configure_logs(settings.log_level, logs)
    for warning in settings.destinations.warnings:
        log.warning("settings.passed_over", why=warning)
    uvloop.run(_serve_until_told(settings, logs))


async def _serve_until_told(settings: Settings, logs: LogRelay) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with running(settings, logs):
        # What is here by now stays to the end. Looked through for garbage again and again, it would cost a twentieth of the
        # time, and every few thousand calls a pause of 40 to 65 ms.
        gc.collect()
        gc.freeze()
        await told.wait()
