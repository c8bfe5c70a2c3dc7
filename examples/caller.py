"""A caller in thirty lines: python examples/caller.py "what the project needs" [HOST:PORT]."""

import asyncio
import sys

from ignis_client import IgnisClient, IgnisError


async def main(brief: str, server: str) -> None:
    """Load agents for a brief and say what came of it."""
    async with IgnisClient(server) as ignis:
        loaded = await ignis.load_agents(brief, budget_tokens=8_000)
    for agent in loaded.agents:
        words = ", ".join(agent.evidence.matched_terms)
        sys.stdout.write(f"{agent.id}: {agent.tokens} tokens of {agent.detail.name.lower()} text ({words})\n")
    for need in loaded.needs:
        if not need.answered:
            sys.stdout.write(f"nobody answers: {need.text}\n")
    saved = loaded.savings.load_all
    sys.stdout.write(f"{saved.bundle_tokens:.0f} tokens instead of {saved.baseline_tokens:.0f}\n")


if __name__ == "__main__":
    given = sys.argv[1:]
    try:
        asyncio.run(main(given[0] if given else "tune PostgreSQL", given[1] if len(given) > 1 else "127.0.0.1:50051"))
    except IgnisError as error:
        sys.exit(f"{type(error).__name__}: {error}")
