"""BM25F, against an obvious and slow one."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.agents.text_index import Bm25fKnobs, TextIndex, fields_of
from ignis_server.agents.words import terms_of

WORDS = ["redis", "kafka", "postgres", "review", "deploy", "cloth"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
AGENTS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6)


def definitions(agents: Sequence[tuple[str, str, str]]) -> list[AgentDefinition]:
    return [
        AgentDefinition(f"a{number}", name, description, body, AgentFormat.PLAIN_MARKDOWN, "x")
        for number, (name, description, body) in enumerate(agents)
    ]


def obvious_score(agents: list[AgentDefinition], place: int, terms: set[str]) -> float:
    """Return BM25F as it stands in the paper, term by term and field by field."""
    knobs = Bm25fKnobs()
    counted = [{name: terms_of(text) for name, text in fields_of(agent).items()} for agent in agents]
    score = 0.0
    for term in terms:
        weighted = 0.0
        for field, weight in knobs.field_weights.items():
            lengths = [len(fields[field]) for fields in counted if fields[field]]
            mean = sum(lengths) / len(lengths) if lengths else 1.0
            norm = 1 + knobs.length_normalisation * (len(counted[place][field]) / mean - 1)
            weighted += weight * counted[place][field].count(term) / norm
        having = sum(any(term in found for found in fields.values()) for fields in counted)
        rarity = math.log(1 + (len(agents) - having + 0.5) / (having + 0.5))
        score += rarity * weighted * (knobs.saturation + 1) / (weighted + knobs.saturation)
    return score


@given(AGENTS, st.sets(st.sampled_from(WORDS)))
def test_scores_are_those_of_an_obvious_implementation(agents: list[tuple[str, str, str]], words: set[str]) -> None:
    built = definitions(agents)
    terms = {term for word in words for term in terms_of(word)}

    scores = TextIndex.build(built).scores(terms)

    assert scores.tolist() == pytest.approx(
        [obvious_score(built, place, terms) for place in range(len(built))], rel=1e-5
    )


@given(AGENTS, st.sets(st.sampled_from(WORDS)))
def test_the_parts_of_a_score_add_up_to_it(agents: list[tuple[str, str, str]], words: set[str]) -> None:
    index = TextIndex.build(definitions(agents))
    terms = [term for word in words for term in terms_of(word)]

    for place, score in enumerate(index.scores(terms)):
        assert sum(index.term_scores(terms, place).values()) == pytest.approx(float(score), rel=1e-5)


def test_a_word_in_the_name_tells_more_than_one_in_the_body() -> None:
    index = TextIndex.build(definitions([("redis", "", "other"), ("other", "", "redis")]))

    in_name, in_body = index.scores(terms_of("redis"))

    assert in_name > in_body > 0


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    index = TextIndex.build(definitions([("kafka redis", "", ""), ("redis", "", ""), ("redis", "", "")]))

    assert index.rarity(terms_of("kafka")[0]) > index.rarity(terms_of("redis")[0]) > 0
    assert index.rarity("never seen") > index.rarity(terms_of("kafka")[0])
