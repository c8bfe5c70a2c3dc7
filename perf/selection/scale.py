"""What selection takes over catalogs of a given size, put together from the labelled sets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np

from ignis_server.agents.catalog import Catalog, CatalogAgent
from perf.selection.evaluation import Cost, cost_of
from perf.selection.labelled import LabelledSet
from perf.selection.methods import METHODS, OURS

__all__ = ["SIZES", "Scale", "scale_of"]

SIZES = (500, 1_000, 5_000)
QUERIES = 500


@dataclass(frozen=True, slots=True)
class Scale:
    """What a catalog of some size takes, and how long its agents are on average."""

    agents: int
    characters_per_agent: float
    cost: Cost


def scale_of(sets: Sequence[LabelledSet], size: int) -> Scale:
    """Measure a catalog of agents of all sets, those with the longest bodies on average first.

    Where they are too few, they are taken again under other ids. Requests are taken from all sets in turn.
    """
    agents = [*islice(_agents(sets), size)]
    catalog = Catalog.of(agents, (), (), file_count=0, tokenizer=sets[0].catalog.tokenizer)
    queries = tuple(islice(_requests(sets), QUERIES))
    combined = LabelledSet(f"{size}", catalog, queries, np.zeros((len(queries), size), bool))
    cost, _ = cost_of(METHODS[OURS], combined)
    return Scale(size, float(np.mean([len(agent.definition.body) for agent in agents])), cost)


def _agents(sets: Sequence[LabelledSet]) -> Iterator[CatalogAgent]:
    longest_first = sorted(
        sets, key=lambda each: -np.mean([len(agent.definition.body) for agent in each.catalog.agents])
    )
    for copy in count():
        for labelled in longest_first:
            for agent in labelled.catalog.agents:
                agent_id = f"{labelled.name}/{copy}/{agent.agent_id}"
                yield replace(agent, definition=replace(agent.definition, agent_id=agent_id))


def _requests(sets: Sequence[LabelledSet]) -> Iterator[str]:
    for number in count():
        for labelled in sets:
            yield labelled.queries[number % len(labelled.queries)]
