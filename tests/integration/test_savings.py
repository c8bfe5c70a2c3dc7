"""The savings ledger: what each answer and the exported metrics say, recounted by another tokenizer to equality."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from ignis_client import IgnisClient, Loaded, TokenPrices
from ignis_client.errors import AgentNotFound
from ignis_server.app import running
from ignis_server.settings import Settings
from ignis_server.telemetry.sink.received import Received
from ignis_server.telemetry.sink.sink import otlp_sink
from support.recount import recount

BASELINES = ("load_all", "index_only", "cached_load_all")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Tokens of all agents by another tokenizer's count."""

    full: int
    card: int


async def counted(ignis: IgnisClient) -> Catalog:
    agents = [await ignis.get_agent(summary.id) async for summary in ignis.list_agents()]
    return Catalog(
        sum(recount(agent.full_content) for agent in agents), sum(recount(agent.card_content) for agent in agents)
    )


def check(loaded: Loaded, catalog: Catalog, prices: tuple[float, float], held: int = 0) -> Counter[str]:
    """Compare what an answer says of its savings with a recount, and return what the ledger has to add up."""
    new = sum(recount(agent.content) for agent in loaded.agents)
    read, write = prices
    at_prices = held * read + new * write
    savings = loaded.savings
    assert savings.loaded_tokens == held + new
    assert savings.load_all.saved_tokens == catalog.full - (held + new)
    assert savings.index_only.saved_tokens == catalog.card - (held + new)
    assert savings.cached_load_all.baseline_tokens == pytest.approx(catalog.full * read)
    assert savings.cached_load_all.saved_tokens == pytest.approx(catalog.full * read - at_prices)
    cached = round(catalog.full * read)
    return Counter(
        {
            "new_tokens": new,
            "tokens": held + new,
            "agents": len(loaded.agents),
            "baseline_tokens load_all": catalog.full,
            "baseline_tokens index_only": catalog.card,
            "baseline_tokens cached_load_all": cached,
            "saved_tokens load_all": catalog.full - held - new,
            "saved_tokens index_only": catalog.card - held - new,
            "saved_tokens cached_load_all": cached - round(at_prices),
        }
    )


def exported(received: Received) -> dict[str, float]:
    """Return what was exported last, under the names used above."""
    found = {name: received.numbers.get((f"ignis.load.{name}", ()), 0) for name in ("new_tokens", "tokens", "agents")}
    for kind in ("baseline_tokens", "saved_tokens"):
        for name in BASELINES:
            found[f"{kind} {name}"] = received.numbers.get((f"ignis.load.{kind}", (f"ignis.baseline={name}",)), 0)
    return found


async def test_what_answers_and_metrics_say_is_saved_is_what_a_recount_gives(
    small_catalog: Path, tmp_path: Path
) -> None:
    usual, dear = (0.1, 1.25), (0.5, 2.0)
    total: Counter[str] = Counter()
    async with asyncio.timeout(60), otlp_sink() as sink:
        settings = Settings.read(
            catalog_paths=(small_catalog,),
            listen="127.0.0.1:0",
            outbox_dir=tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{sink.port}",
        )
        async with running(settings) as server, IgnisClient(server.address) as ignis:
            catalog = await counted(ignis)
            # Computed, then twice out of memory: callers were given it three times.
            for _ in range(3):
                total.update(check(await ignis.load_agents("tune slow PostgreSQL queries"), catalog, usual))
            loaded = await ignis.load_agents("a haiku about bread", prices=TokenPrices(*dear))
            total.update(check(loaded, catalog, dear))
            # What costs more than the cards alone saves less than nothing, and is not made to look better.
            everything = await ignis.load_agents(required_agents=[each.id async for each in ignis.list_agents()])
            assert everything.savings.index_only.saved_tokens < 0
            total.update(check(everything, catalog, usual))
            session, held = ignis.session(), 0
            for task in ("tune slow PostgreSQL queries", "bake sourdough bread", "bake sourdough bread"):
                loaded = await session.load_agents("write a haiku", task=task)
                total.update(check(loaded, catalog, usual, held))
                held = recount(session.text)
            with pytest.raises(AgentNotFound):
                await ignis.load_agents(required_agents=["nobody"])

    received = sink.received
    assert exported(received) == dict(total)
    answers = {attributes: count for (name, attributes), count in received.numbers.items() if name.endswith(".answers")}
    assert sum(answers.values()) == 9
    assert answers["ignis.cache.outcome=process-hit", "ignis.refused=False"] == 2
    assert answers["ignis.cache.outcome=computed", "ignis.refused=True"] == 1
