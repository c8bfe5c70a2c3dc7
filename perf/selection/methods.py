"""Ways of ranking a catalog: ours, and those that others would use in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import Catalog
from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.analysis import analyse
from ignis_server.agents.selection.embedding import load_embedder, load_wordllama
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.needs import Need, needs_of_text
from ignis_server.agents.selection.passages import PassageIndex
from ignis_server.agents.selection.sentences import SENTENCE_END
from ignis_server.agents.selection.words import spelled_out
from perf.selection.mini_lm import load_mini_lm

__all__ = ["METHODS", "OURS", "Method", "Rank", "Scored", "needs_in"]

Scores: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a method says of each agent, by its place; the higher, the better.

    Attributes:
        ranking: By what agents are ordered.
        cut_off: By what is decided where to stop: comparable between requests.
    """

    ranking: Scores
    cut_off: Scores


# From a request to its scores.
Rank: TypeAlias = Callable[[str], Scored]
# From a catalog to its index.
Method: TypeAlias = Callable[[Catalog], Rank]

OURS = "ignis"

embedder = cache(load_embedder)
plain_embedder = cache(load_wordllama)
mini_lm = cache(load_mini_lm)


def needs_in(query: str) -> list[Need]:
    """Return what a request asks for; the whole of it where no clause says anything."""
    return needs_of_text(query) or [Need.alone(query)]


def ignis(catalog: Catalog) -> Rank:
    """What the service does: ranks as SearchAgents does, and cuts off as LoadAgents does where a recall is asked for."""
    index = HybridSelector(embedder()).compile(catalog)

    def rank(query: str) -> Scored:
        relevance = index.relevance(needs_in(query))
        return Scored(relevance.chances, relevance.standing.max(axis=0))

    return rank


def bm25(catalog: Catalog) -> Rank:
    """bm25s as it comes, over name, description and text together."""
    import bm25s  # noqa: PLC0415 - only there with the extra `bench`, as are those below

    index = bm25s.BM25()
    index.index(bm25s.tokenize(_texts(catalog), show_progress=False), show_progress=False)

    def rank(query: str) -> Scored:
        tokens = bm25s.tokenize([query], return_ids=False, show_progress=False)[0]
        known = [token for token in tokens if token in index.vocab_dict]
        scores = index.get_scores(known) if known else np.zeros(len(catalog.agents))
        return _alike(np.asarray(scores, np.float32))

    return rank


def tf_idf(catalog: Catalog) -> Rank:
    """scikit-learn's TF-IDF as it comes, over name, description and text together."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    vectorizer = TfidfVectorizer()
    matrix = vectorizer.fit_transform(_texts(catalog))
    return lambda query: _alike((matrix @ vectorizer.transform([query]).T).toarray().ravel().astype(np.float32))


def wordllama(catalog: Catalog) -> Rank:
    """Wordllama alone: half the cosine of the description, half that of the best passage."""
    plain = SelectionKnobs(rarity_exponent=0.0)
    analyses = analyse([agent.definition for agent in catalog.agents], plain_embedder(), plain)
    index = PassageIndex.build(analyses, plain_embedder(), plain)
    everywhere = np.arange(len(catalog.agents))

    def rank(query: str) -> Scored:
        vectors = index.vectors([query])
        heads, best = index.head_similarities(vectors)[0], index.passage_similarities(vectors, everywhere)[0]
        return _alike(np.where(best > -1, (heads + best) / 2, heads))

    return rank


def semantic_router(catalog: Catalog) -> Rank:
    """Aurelio semantic-router over MiniLM: a route for each agent, with its name and description as utterances."""
    from semantic_router import IndexedRouter, Route  # noqa: PLC0415
    from semantic_router.encoders import DenseEncoder  # noqa: PLC0415

    class MiniLm(DenseEncoder):  # type: ignore[misc]
        """The encoder, as the router wants it."""

        name: str = "all-MiniLM-L6-v2"

        def __call__(self, docs: list[str]) -> list[list[float]]:
            return [each.tolist() for each in mini_lm()(docs)]

    definitions = [agent.definition for agent in catalog.agents]
    routes = [Route(name=str(place), utterances=_utterances(each)) for place, each in enumerate(definitions)]
    router = IndexedRouter(
        encoder=MiniLm(), routes=routes, top_k=sum(len(route.utterances) for route in routes), aggregation="max"
    )

    def rank(query: str) -> Scored:
        scores = np.full(len(routes), -1.0, np.float32)
        for choice in router(query, limit=None, threshold=-1.0):
            scores[int(choice.name)] = choice.confidence
        return _alike(scores)

    return rank


def langgraph_bigtool(catalog: Catalog) -> Rank:
    """langgraph-bigtool's retrieval over MiniLM and its in-memory store, by names and descriptions."""
    from langgraph.store.memory import InMemoryStore  # noqa: PLC0415
    from langgraph_bigtool.tools import get_default_retrieval_tool  # noqa: PLC0415

    count = len(catalog.agents)
    encode = mini_lm()
    store = InMemoryStore(
        index={"embed": lambda texts: [each.tolist() for each in encode(texts)], "dims": 384, "fields": ["description"]}
    )
    for place, agent in enumerate(catalog.agents):
        store.put(("tools",), str(place), {"description": _head(agent.definition)})
    retrieve, _ = get_default_retrieval_tool(("tools",), limit=count)

    def rank(query: str) -> Scored:
        # It tells the order, not the scores.
        scores = np.full(count, -count, np.float32)
        for number, place in enumerate(retrieve(query, store=store)):
            scores[int(place)] = -number
        return _alike(scores)

    return rank


METHODS: Mapping[str, Method] = {
    OURS: ignis,
    "wordllama": wordllama,
    "BM25 (bm25s)": bm25,
    "TF-IDF (scikit-learn)": tf_idf,
    "semantic-router": semantic_router,
    "langgraph-bigtool": langgraph_bigtool,
}


def _alike(scores: Scores) -> Scored:
    return Scored(scores, scores)


def _texts(catalog: Catalog) -> list[str]:
    return [f"{_head(agent.definition)}\n{agent.definition.body}" for agent in catalog.agents]


def _head(definition: AgentDefinition) -> str:
    return f"{spelled_out(definition.name)}. {definition.description}"


def _utterances(definition: AgentDefinition) -> list[str]:
    return [
        spelled_out(definition.name),
        *(each for each in SENTENCE_END.split(definition.description) if each.strip()),
    ]
