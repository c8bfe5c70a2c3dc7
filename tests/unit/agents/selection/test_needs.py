"""From a brief to needs, and from text to terms."""

import pytest

from ignis_server.agents.model import Project
from ignis_server.agents.selection.needs import Need, needs_of, needs_of_text
from ignis_server.agents.selection.words import terms_of, words_of


def texts_of(project: Project) -> list[str]:
    return [need.text for need in needs_of(project)]


@pytest.mark.parametrize(
    ("brief", "needs"),
    [
        ("tune PostgreSQL", ["tune PostgreSQL"]),
        ("Could you please help me with this?", ["Could you please help me with this?"]),
        ("Go", ["Go"]),
        ("…?!", []),
        (
            "Next.js storefront with Stripe payments on PostgreSQL, deployed to Kubernetes; needs security review",
            ["Next.js storefront", "Stripe payments", "PostgreSQL", "deployed to Kubernetes", "needs security review"],
        ),
        (
            "# Goals\n\n- fast pages\n- safe payments\n1. clear docs\n",
            ["fast pages", "safe payments", "clear docs"],
        ),
        ("# Tune PostgreSQL\n\n## Reviews\n", ["Tune PostgreSQL", "Reviews"]),
        ("Stack: Kafka and Flink", ["Kafka and Flink"]),
        (
            "We have to bring the whole of our payments to Stripe, which nobody of\nthe team has done before",
            ["We have to bring the whole of our payments to Stripe, which nobody of the team has done before"],
        ),
        ("We sell tea by phone and e-mail.", ["We sell tea by phone, e-mail"]),
        ("Runs on iOS and Android", ["Runs on iOS and Android"]),
        ("The mobile app runs on iOS and Android", ["The mobile app runs", "iOS", "Android"]),
        ("Fast pages. FAST PAGES!", ["Fast pages"]),
        ("Bindings for C++ and C#", ["Bindings for C++ and C#"]),
    ],
)
def test_a_brief_is_taken_apart_into_clauses(brief: str, needs: list[str]) -> None:
    assert texts_of(Project(brief=brief)) == needs


def test_a_need_keeps_its_sentence_and_the_sentences_around_it() -> None:
    brief = "Our shop runs on Kubernetes. Deploy it with Helm, and test it.\n\n- pay with Stripe\n"

    needs = needs_of_text(brief)

    assert [need.text for need in needs] == [
        "Our shop runs on Kubernetes",
        "Deploy it with Helm, and test it",
        "pay with Stripe",
    ]
    assert needs[1].sentence == "Deploy it with Helm, and test it."
    assert needs[1].paragraph == "Our shop runs on Kubernetes. Deploy it with Helm, and test it."
    assert needs[2] == Need.alone("pay with Stripe")


def test_a_long_paragraph_is_taken_for_several() -> None:
    sentences = [f"Sentence number{number} asks for {' '.join(['rather'] * 20)} something." for number in range(6)]

    paragraphs = {need.paragraph for need in needs_of_text(" ".join(sentences))}

    assert len(paragraphs) == 3
    assert max(len(paragraph.split()) for paragraph in paragraphs) <= 60


def test_task_and_tags_are_needs_after_the_brief() -> None:
    project = Project(brief="fast pages", task="write tests", tags=("kafka", "rust"))

    assert texts_of(project) == ["fast pages", "write tests", "kafka", "rust"]


def test_what_comes_after_forty_needs_is_taken_together() -> None:
    brief = "\n".join(f"- build part number{number}" for number in range(100))

    needs = texts_of(Project(brief=brief))

    assert len(needs) == 40
    assert needs[0] == "build part number0"
    assert needs[-1].startswith("build part number39. build part number40. ")
    assert needs[-1].endswith("build part number99")


def test_a_long_brief_crowds_out_neither_task_nor_tags() -> None:
    brief = "\n".join(f"- build part number{number}" for number in range(100))
    tags = tuple(f"tag{number}" for number in range(64))

    needs = texts_of(Project(brief=brief, task="tune PostgreSQL queries", tags=tags))

    assert needs[40] == "tune PostgreSQL queries"
    assert needs[41:] == [*tags]


def test_words_are_never_longer_than_any_word_is() -> None:
    """What makes words of kilobytes would be kept in memory by the cache of words."""
    hostile = "x" * 65_536 + " " + "aaa." * 16_384

    assert max(len(word.text) for word in words_of(hostile)) <= 6 * 49
    assert max(len(term) for term in terms_of(hostile)) <= 6 * 49


@pytest.mark.parametrize(
    "spellings",
    [
        ["NextJS", "Next.js", "nextjs"],
        ["CI/CD", "ci-cd", "CICD"],
        ["PostgreSQL", "postgresql"],
        ["e2e tests", "e2e test", "E2E testing"],
    ],
)
def test_spellings_of_one_thing_share_a_term(spellings: list[str]) -> None:
    shared = set.intersection(*({*terms_of(spelling)} for spelling in spellings))

    assert shared


@pytest.mark.parametrize(
    ("one", "other"), [("C++", "C"), ("C#", "C"), ("C++", "C#"), ("Java", "JavaScript"), ("Go", "goes")]
)
def test_different_things_share_no_term(one: str, other: str) -> None:
    assert not {*terms_of(one)} & {*terms_of(other)}


def test_identifiers_are_found_by_their_parts() -> None:
    assert {"health", "workforc"} <= {*terms_of("getHealthWorkforce")}


def test_words_keep_their_spelling_and_conversation_is_dropped() -> None:
    assert [word.text for word in words_of("Could you please review the Kubernetes manifests?")] == [
        "review",
        "Kubernetes",
        "manifests",
    ]
