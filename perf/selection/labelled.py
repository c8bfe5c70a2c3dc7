"""Labelled sets: a catalog, requests asked of it, and the agents that each request means."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ignis_server.agents.assembly import rendered
from ignis_server.agents.catalog import Catalog
from ignis_server.agents.compilation import compile_agents
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.agents.tokenizer import Tokenizer

__all__ = ["LabelledSet"]


class AgentRow(BaseModel):
    """A line of `catalog.jsonl`."""

    id: str
    name: str
    description: str
    text: str


class QueryRow(BaseModel):
    """A line of `queries.jsonl`."""

    query: str
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Requests with their answers.

    Attributes:
        name: What the set is called.
        catalog: The agents, ordered by id.
        queries: The requests.
        relevant: For each request (row), which agents (column) its author meant; at least one.
    """

    name: str
    catalog: Catalog
    queries: tuple[str, ...]
    relevant: NDArray[np.bool_]

    @property
    def tokens(self) -> NDArray[np.float64]:
        """Tokens of each agent in full."""
        return np.array([agent.full.tokens for agent in self.catalog.agents], np.float64)

    @classmethod
    def read(cls, directory: Path, tokenizer: Tokenizer, *, most_queries: int | None = None) -> Self:
        """Read `catalog.jsonl` and `queries.jsonl`.

        Queries that mean no agent of the catalog are left out. Of more than `most_queries`, evenly spaced ones are taken.

        Raises:
            OSError, ValueError: The files are not there, or not of this form; two agents have one id; no query means an
                agent.
        """
        rows = [AgentRow.model_validate_json(line) for line in _lines(directory / "catalog.jsonl")]
        definitions = [
            AgentDefinition(row.id, row.name, row.description, row.text, AgentFormat.PLAIN_MARKDOWN, row.id)
            for row in rows
        ]
        catalog = Catalog.of(
            map(rendered, compile_agents(definitions, tokenizer)), (), (), file_count=0, tokenizer=tokenizer.name
        )
        places = {agent.agent_id: place for place, agent in enumerate(catalog.agents)}
        asked = [QueryRow.model_validate_json(line) for line in _lines(directory / "queries.jsonl")]
        asked = [row for row in asked if places.keys() & set(row.relevant)]
        if len(places) < len(rows):
            raise ValueError(f"catalog.jsonl has {len(rows)} agents, but {len(places)} ids")
        if not asked:
            raise ValueError(f"no query of queries.jsonl means one of the {len(places)} agents")
        if most_queries is not None and len(asked) > most_queries:
            asked = [asked[number * len(asked) // most_queries] for number in range(most_queries)]
        relevant = np.zeros((len(asked), len(places)), bool)
        for number, row in enumerate(asked):
            relevant[number, [places[each] for each in row.relevant if each in places]] = True
        return cls(directory.name, catalog, tuple(row.query for row in asked), relevant)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
