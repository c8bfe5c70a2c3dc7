"""A labelled set of four agents, small enough to be worked out by hand."""

import json
from pathlib import Path

import pytest

AGENTS = (
    ("bread", "Bakes sourdough bread and rolls.", "Knead the dough, let it rest, and bake it hot."),
    ("garden", "Plants vegetables and prunes fruit trees.", "Sow in spring. Prune in winter."),
    ("postgres", "Tunes slow PostgreSQL queries and indexes.", "Read the plan with EXPLAIN. Add the index."),
    ("stripe", "Integrates Stripe payments and refunds.", "Create a payment intent. Handle the webhook."),
)
QUERIES = (
    ("Why is my PostgreSQL query slow?", ["postgres"]),
    ("Take card payments with Stripe", ["stripe"]),
    ("Bake bread and sow vegetables", ["bread", "garden"]),
    ("An agent that is not there", ["nobody"]),
)


@pytest.fixture
def labelled_folder(tmp_path: Path) -> Path:
    """The folder of the set."""
    folder = tmp_path / "kitchen"
    folder.mkdir()
    catalog = [
        {"id": name, "name": name, "description": description, "text": text} for name, description, text in AGENTS
    ]
    queries = [{"query": query, "relevant": relevant} for query, relevant in QUERIES]
    for name, rows in (("catalog", catalog), ("queries", queries)):
        lines = "".join(f"{json.dumps(row)}\n" for row in reversed(rows))
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return folder
