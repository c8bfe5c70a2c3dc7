"""BM25F, against an obvious and slow one."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.agents.selection.analysis import analyse
from ignis_server.agents.selection.fields import fields_of
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.text_index import TextIndex
from ignis_server.agents.selection.words import terms_of
from support.fakes import LetterEmbedder

WORDS = ["redis", "kafka", "postgres", "review", "deploy", "cloth"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
AGENTS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6)
KNOBS = SelectionKnobs()


def definitions(agents: Sequence[tuple[str, str, str]]) -> list[AgentDefinition]:
    return [
        AgentDefinition(f"a{number}", name, description, body, AgentFormat.PLAIN_MARKDOWN, "x")
        for number, (name, description, body) in enumerate(agents)
    ]


def index_of(agents: Sequence[tuple[str, str, str]]) -> TextIndex:
    return TextIndex.build(analyse(definitions(agents), LetterEmbedder(), KNOBS), KNOBS)


def rarity(having: int, size: int) -> float:
    return math.log(1 + (size - having + 0.5) / (having + 0.5))


def obvious_score(agents: list[AgentDefinition], place: int, terms: set[str]) -> float:
    """Return BM25F as it stands in the paper, term by term and field by field, in units of a word of one agent."""
    counted = [{name: terms_of(text) for name, text in fields_of(agent).items()} for agent in agents]
    score = 0.0
    for term in terms:
        weighted = 0.0
        for field, weight in KNOBS.field_weights.items():
            lengths = [len(fields[field]) for fields in counted if fields[field]]
            mean = sum(lengths) / len(lengths) if lengths else 1.0
            norm = 1 + KNOBS.length_normalisation * (len(counted[place][field]) / mean - 1)
            weighted += weight * counted[place][field].count(term) / norm
        having = sum(any(term in found for found in fields.values()) for fields in counted)
        saturated = weighted * (KNOBS.saturation + 1) / (weighted + KNOBS.saturation)
        score += saturated * rarity(having, len(agents)) / rarity(1, len(agents))
    return score


@given(AGENTS, st.lists(st.sampled_from(WORDS)))
def test_scores_are_those_of_an_obvious_implementation(agents: list[tuple[str, str, str]], words: list[str]) -> None:
    text = " ".join(words)

    scores = index_of(agents).scores([text, "nothing known"])

    built, terms = definitions(agents), set(terms_of(text))
    assert scores[0].tolist() == pytest.approx(
        [obvious_score(built, place, terms) for place in range(len(built))], rel=1e-5
    )
    assert not scores[1].any()


@given(AGENTS, st.sampled_from(WORDS))
def test_the_best_of_a_words_terms_is_what_it_adds(agents: list[tuple[str, str, str]], word: str) -> None:
    index = index_of(agents)

    for place, score in enumerate(index.scores([word])[0]):
        assert index.best_term_score([*terms_of(word), "unknown"], place) == pytest.approx(float(score), rel=1e-5)


@given(AGENTS, st.lists(st.sampled_from(WORDS), min_size=1))
def test_no_score_exceeds_the_ceiling(agents: list[tuple[str, str, str]], words: list[str]) -> None:
    index, text = index_of(agents), " ".join(words)

    assert index.scores([text]).max() <= index.ceiling(text) + 1e-5


def test_words_that_nobody_has_raise_the_ceiling() -> None:
    index = index_of([("redis", "", ""), ("kafka", "", "")])

    assert index.ceiling("redis unheard of") > index.ceiling("redis")


def test_a_word_in_the_name_tells_more_than_one_in_the_body() -> None:
    in_name, in_body = index_of([("redis", "", "other"), ("other", "", "redis")]).scores(["redis"])[0]

    assert in_name > in_body > 0


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    index = index_of([("kafka", "", ""), ("redis", "", ""), ("redis", "", "")])

    assert index.scores(["kafka"]).max() > index.scores(["redis"]).max() > 0
