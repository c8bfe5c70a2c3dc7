"""`ignis demo`: the whole service in one process, used through its real client, with every claim checked."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ignis_client import IgnisClient, Loaded
from ignis_server.agents.tokenizer import load_o200k_base
from ignis_server.app import running
from ignis_server.cli.briefs import read_brief
from ignis_server.cli.consoles import new_console
from ignis_server.cli.logs import configure_logs
from ignis_server.cli.tables import print_loaded
from ignis_server.errors import CatalogUnusable
from ignis_server.settings import Settings
from ignis_server.telemetry.sink.received import Received
from ignis_server.telemetry.sink.sink import otlp_sink

__all__ = ["demo"]

EXAMPLES = Path(__file__).parents[3] / "examples"
DEMO_BUDGET_TOKENS = 6_000


def demo(
    catalog: Annotated[
        Path | None, typer.Option(help="Directory that holds agents.", show_default="the sample catalog")
    ] = None,
    brief: Annotated[
        Path | None, typer.Option(help="File with a project's brief.", show_default="a sample brief")
    ] = None,
    budget: Annotated[int, typer.Option(help="Tokens that the bundle may cost.")] = DEMO_BUDGET_TOKENS,
) -> None:
    """Start a server, load agents for a sample project through the client, and show what was chosen and why.

    Everything runs in this process on a free loopback port: the server, a receiver for its telemetry, the
    client. Exits 1 if a count, a digest or the telemetry does not add up.
    """
    directory, text = catalog or EXAMPLES / "catalog", brief or EXAMPLES / "briefs" / "storefront.md"
    if not directory.exists():
        raise CatalogUnusable(directory, "there is nothing there", "run the demo in a checkout, or say --catalog")
    if not text.is_file():
        raise typer.BadParameter(f"{text} is no file: run the demo in a checkout, or say --brief")
    configure_logs("warning")
    with TemporaryDirectory(prefix="ignis-demo-") as outbox:
        is_true = asyncio.run(_demo(new_console(), directory, read_brief(text), budget, Path(outbox)))
    raise typer.Exit(0 if is_true else 1)


async def _demo(console: Console, directory: Path, brief: str, budget_tokens: int, outbox: Path) -> bool:
    async with otlp_sink() as sink:
        settings = Settings.read(
            catalog_paths=(directory,),
            listen="127.0.0.1:0",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{sink.port}",
            outbox_dir=outbox,
        )
        console.print(f"[bold]1.[/] Compiling the catalog in {escape(str(directory))} …", highlight=False)
        async with running(settings) as server, IgnisClient(server.address) as ignis:
            catalog = await ignis.get_catalog()
            console.print(
                f"   {catalog.agent_count} agents in {len(catalog.formats)} formats, {catalog.full_tokens:,} tokens, "
                f"in {catalog.compile_duration.total_seconds():.1f} s; serving on {server.address}\n"
                "[bold]2.[/] Loading agents for this project:",
                highlight=False,
            )
            console.print("\n".join(f"   │ {escape(line)}" for line in brief.strip().splitlines()), style="italic")
            loaded = await ignis.load_agents(brief, budget_tokens=budget_tokens)
            again = await ignis.load_agents(brief, budget_tokens=budget_tokens)
            print_loaded(console, loaded)
        # The server has stopped, and has sent what was left of its telemetry before that.
        return _check(console, loaded, again, sink.received, calls=3)


def _check(console: Console, loaded: Loaded, again: Loaded, received: Received, *, calls: int) -> bool:
    (recounted,) = load_o200k_base().count([loaded.text])
    spans = received.spans.total()
    batches = sum(map(len, received.batches.values()))
    gaps = [sequence for outbox_id in received.batches for sequence in received.gaps(outbox_id)]
    claims = (
        (recounted == loaded.bundle.tokens, f"a recount of the bundle's text gives {recounted:,} tokens, as announced"),
        (again.text == loaded.text, f"the same request gave the same bytes again, {loaded.bundle.digest[:19]}…"),
        (spans == calls, f"telemetry: {calls} calls, {spans} spans delivered over OTLP, {calls - spans} lost"),
        (bool(received.points["ignis.load.tokens"]), f"telemetry: {len(received.points)} metrics delivered over OTLP"),
        (
            not gaps and not received.corrupt,
            f"telemetry: {batches} batches, numbered without a gap, each with the content that its digest tells",
        ),
    )
    console.print("[bold]3.[/] Checking what was claimed:")
    for holds, claim in claims:
        console.print(f"   {'[green]✓[/]' if holds else '[red]✗[/]'} {claim}", highlight=False)
    return all(holds for holds, _ in claims)
