"""`ignis status`: ask a running server what it serves, and whether its telemetry has arrived."""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ignis_client import Catalog, DeliveryLedger, IgnisClient, LedgerRow, Verification
from ignis_client.errors import DestinationCannotVerify, DestinationUnavailable
from ignis_server.cli.addresses import checked_address
from ignis_server.cli.consoles import new_console, new_table

__all__ = ["status"]

# A destination is asked for 10,000 batches at a time, and has 10 s for each.
VERIFY_SECONDS: Final = 120.0
MAX_EGRESS: Final = 100
MAX_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of verifying a destination: a comparison, or why there is none.

    Attributes:
        verification: The comparison.
        why: Why there is none; empty where there is one.
        is_away: Whether there would be one at another time.
    """

    verification: Verification | None
    why: str = ""
    is_away: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing speaks against the destination; one that never tells what it has is no worse for it."""
        return self.verification.is_equal if self.verification else not self.is_away


@dataclass(frozen=True, slots=True)
class Status:
    """What a server says of itself."""

    server: str
    catalog: Catalog
    ledger: DeliveryLedger
    verified: dict[str, Verified]

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost and nothing differs."""
        return not any(row.lost_count for row in self.ledger.rows) and all(
            each.is_good for each in self.verified.values()
        )


def status(
    server: Annotated[
        str, typer.Option(help="HOST:PORT of the server.", envvar="IGNIS_SERVER", callback=checked_address)
    ] = "127.0.0.1:50051",
    verify: Annotated[
        bool, typer.Option("--verify", help="Have each destination compared with what it says that it has.")
    ] = False,
    egress: Annotated[
        str | None,
        typer.Option(help="Write what would leave for this destination next, as OTLP JSON, and nothing else."),
    ] = None,
    batches: Annotated[
        int, typer.Option(help="With --egress: batches to write at most, one a line.", min=1, max=MAX_EGRESS)
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for machines instead of tables.")] = False,
) -> None:
    """Say what a server serves, and what became of its telemetry: captured, delivered, rejected, shed, waiting.

    Exits 1 if telemetry is lost (rejected, shed, or not accounted for), or if --verify finds that a destination does not have what it
    acknowledged, or cannot be asked now; and 0 otherwise. What waits is not lost.
    """
    if egress is not None:
        if verify or as_json:
            raise typer.BadParameter("--egress writes JSON and nothing else: leave out --verify and --json")
        asyncio.run(_write_egress(server, egress, batches))
        return
    found = asyncio.run(_ask(server, verify=verify))
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=2))
    else:
        _print(new_console(), found)
    raise typer.Exit(0 if found.is_good else 1)


async def _write_egress(server: str, destination: str, batches: int) -> None:
    async with IgnisClient(server) as ignis:
        shown = await ignis.preview_egress(destination, batches=batches)
    for batch in shown:
        sys.stdout.write(f"{batch.otlp_json}\n")
    if not shown:
        sys.stderr.write(f"ignis: nothing waits for {destination}\n")


async def _ask(server: str, *, verify: bool) -> Status:
    async with IgnisClient(server) as ignis:
        catalog = await ignis.get_catalog()
        ledger = await ignis.get_delivery_ledger()
        names = dict.fromkeys(row.destination for row in ledger.rows) if verify else {}
        verified = {name: await _verify(ignis, name) for name in names}
    return Status(server, catalog, ledger, verified)


async def _verify(ignis: IgnisClient, destination: str) -> Verified:
    try:
        return Verified(await ignis.verify_delivery(destination, timeout=VERIFY_SECONDS))
    except DestinationCannotVerify as error:
        return Verified(None, error.why)
    except DestinationUnavailable as error:
        return Verified(None, error.why, is_away=True)


def _plain(found: Status) -> dict[str, object]:
    catalog, ledger = found.catalog, found.ledger
    return {
        "server": found.server,
        "is_good": found.is_good,
        "catalog": {
            "revision": catalog.revision,
            "agent_count": catalog.agent_count,
            "full_tokens": catalog.full_tokens,
            "team_count": len(catalog.teams),
            "compile_time": catalog.compile_time.isoformat(),
        },
        "ledger": [_plain_row(row) for row in ledger.rows],
        "outbox_bytes": ledger.outbox_bytes,
        "outbox_limit_bytes": ledger.outbox_limit_bytes,
        "verified": {
            name: {"is_good": each.is_good, "why": each.why} | (asdict(each.verification) if each.verification else {})
            for name, each in found.verified.items()
        },
    }


def _plain_row(row: LedgerRow) -> dict[str, object]:
    oldest = row.oldest_waiting_time
    return asdict(row) | {
        "signal": row.signal.value,
        "oldest_waiting_time": oldest.isoformat() if oldest else None,
        "missing_count": row.missing_count,
        "lost_count": row.lost_count,
    }


def _print(console: Console, found: Status) -> None:
    catalog, ledger = found.catalog, found.ledger
    console.print(
        f"[bold]{escape(found.server)}[/] serves {catalog.agent_count:,} agents with {catalog.full_tokens:,} tokens and "
        f"{len(catalog.teams):,} teams, revision {escape(catalog.revision)}",
        highlight=False,
    )
    if not ledger.rows:
        console.print("Its telemetry goes nowhere: `ignis serve --otlp-endpoint URL` sends it somewhere.", markup=False)
        return
    console.print(_accounts(ledger.rows))
    console.print(_sum_up(ledger), highlight=False)
    for name, each in found.verified.items():
        console.print(f"{escape(name)}: {_compared(each)}", highlight=False)


def _accounts(rows: tuple[LedgerRow, ...]) -> Table:
    table = new_table("Telemetry, in spans, metric points and log records")
    table.add_column("destination", style="cyan", no_wrap=True)
    table.add_column("signal", no_wrap=True)
    for heading in ("captured", "delivered", "rejected", "shed", "waiting", "oldest"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("last error", overflow="fold")
    for row in rows:
        counts = (row.captured_count, row.delivered_count, row.rejected_count, row.shed_count, row.waiting_count)
        table.add_row(
            escape(row.destination),
            row.signal.value,
            *(f"{count:,}" for count in counts),
            _age(row.oldest_waiting_time),
            escape(row.last_error),
        )
    return table


def _age(oldest: datetime | None) -> str:
    if oldest is None:
        return ""
    # The server's clock may be ahead of this one.
    return f"{max(0.0, (datetime.now(UTC) - oldest).total_seconds()):,.0f} s"


def _sum_up(ledger: DeliveryLedger) -> str:
    room = f"The outbox holds {ledger.outbox_bytes:,} of {ledger.outbox_limit_bytes:,} bytes."
    wrong = [row for row in ledger.rows if row.missing_count]
    if not wrong:
        return f"[green]✓[/] captured = delivered + rejected + shed + waiting, in every row. {room}"
    rows = ", ".join(f"{escape(row.destination)} {row.signal.value} by {row.missing_count:,}" for row in wrong)
    return f"[red]✗[/] captured is not delivered + rejected + shed + waiting: {rows}. {room}"


def _compared(verified: Verified) -> str:
    verification = verified.verification
    if verification is None:
        mark = "[red]✗[/] cannot be asked now" if verified.is_away else "cannot be verified"
        return f"{mark}: {escape(verified.why)}"
    mark = "[green]✓[/]" if verification.is_equal else "[red]✗[/]"
    parts = [
        f"{mark} {verification.equal_count:,} of {verification.batch_count:,} batches are there, with equal digests"
    ]
    for what, sequences in (
        ("missing", verification.missing_sequences),
        ("with another digest", verification.differing_sequences),
        ("there more than once", verification.duplicated_sequences),
    ):
        if sequences:
            more = len(sequences) - MAX_NAMED
            named = ", ".join(map(str, sequences[:MAX_NAMED])) + (f" and {more:,} more" if more > 0 else "")
            parts.append(f"{what}: {named}")
    return "; ".join(parts)
