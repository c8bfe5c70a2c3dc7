"""A server whose telemetry goes to a receiver of a test, and waiting for it to get there."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from ignis_client import DeliveryLedger, IgnisClient
from ignis_client.delivery import EgressBatch
from ignis_server.app import running
from ignis_server.settings import Settings

__all__ = ["all_delivered", "eventually", "spans_of", "telling"]

# Longer than it takes to seal a batch and to send it, so that the span of one look is delivered before the next.
LOOK_SECONDS = 0.5

T = TypeVar("T")


@asynccontextmanager
async def telling(endpoint: str, catalog: Path, outbox: Path, **more: object) -> AsyncIterator[IgnisClient]:
    """Run a server whose telemetry goes to an endpoint, and yield a client of it; all within a minute."""
    settings = Settings.read(
        catalog_paths=(catalog,),
        listen="127.0.0.1:0",
        outbox_dir=outbox,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        **({"telemetry_drain_seconds": 0.1, "OTEL_METRIC_EXPORT_INTERVAL": 3_600_000} | more),
    )
    async with asyncio.timeout(60), running(settings) as server, IgnisClient(server.address) as ignis:
        yield ignis


async def eventually(look: Callable[[], Awaitable[T]], is_so: Callable[[T], object]) -> T:
    """Look until what is seen is so; the test's own time limit ends it."""
    while not is_so(seen := await look()):  # noqa: ASYNC110 - the other side only counts
        await asyncio.sleep(LOOK_SECONDS)
    return seen


async def all_delivered(ignis: IgnisClient, *, least: int = 1) -> DeliveryLedger:
    """Return the ledger once nothing waits, and at least so many spans are delivered."""
    return await eventually(
        ignis.get_delivery_ledger,
        lambda ledger: (
            sum(row.waiting_count for row in ledger.rows) == 0
            and sum(row.delivered_count for row in ledger.rows) >= least
        ),
    )


def spans_of(batches: tuple[EgressBatch, ...]) -> Iterator[dict[str, Any]]:
    """Yield the spans in batches that wait, as OTLP's JSON has them."""
    for batch in batches:
        for resource in json.loads(batch.otlp_json).get("resourceSpans", ()):
            for scope in resource["scopeSpans"]:
                yield from scope["spans"]
