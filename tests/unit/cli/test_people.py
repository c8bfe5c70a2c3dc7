"""Who answers what runs ask, and how words become decisions."""

import pytest
import typer

from ignis_client import Answer, Approval, Decision, InputKind, JsonValue, Question, Rejection
from ignis_server.cli.people import Agreeing, Asked, Prepared, decision_of
from support.pictures import a_request

APPROVAL = a_request("plan")
FREE = a_request("ask", InputKind.QUESTION)
CHOICE = a_request("ask", InputKind.QUESTION, choices=("red", "blue"))


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("y", Approval()),
        ("Approve: well done", Approval("well done")),
        ("n", Rejection()),
        ("reject: too long", Rejection("too long")),
        ("fail: hopeless: all of it", Rejection("hopeless: all of it", fail_run=True)),
    ],
)
def test_words_decide_about_approvals(text: str, decision: Decision) -> None:
    assert decision_of(APPROVAL, text) == decision


@pytest.mark.parametrize("text", ["", "perhaps", "yes please"])
def test_unclear_words_decide_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="is not approve, reject or fail"):
        decision_of(APPROVAL, text)


def test_a_question_is_answered_by_words_and_a_choice_by_its_number_too() -> None:
    assert decision_of(FREE, "no") == Answer("no")
    assert decision_of(CHOICE, "blue") == decision_of(CHOICE, "2") == Answer("blue")
    with pytest.raises(ValueError, match="'3' is none of red, blue"):
        decision_of(CHOICE, "3")


@pytest.mark.parametrize(
    ("asked_now", "decision"),
    [
        (Asked(APPROVAL, None), Approval()),
        (Asked(CHOICE, Question("", ("red", "blue"), None, "blue")), Answer("blue")),
        (Asked(CHOICE, Question("", ("red", "blue"), None, None)), Answer("red")),
        (Asked(FREE, None), Answer("yes")),
    ],
)
async def test_consent_takes_defaults_then_choices(asked_now: Asked, decision: Decision) -> None:
    assert await Agreeing().decide(asked_now) == decision


async def test_prepared_answers_are_given_once_each_in_their_order() -> None:
    prepared = Prepared(["plan=reject: longer", "plan=approve"])

    given = [await prepared.decide(Asked(APPROVAL, None)) for _ in range(3)]

    assert given == [Rejection("longer"), Approval(), None]


@pytest.mark.parametrize(("name", "value"), [("ask[1]", "one"), ("ask", "all")])
async def test_instances_are_answered_by_their_own_id_or_that_of_their_step(name: str, value: JsonValue) -> None:
    request = a_request("ask[1]", InputKind.QUESTION)

    assert await Prepared([f"{name}={value}"]).decide(Asked(request, None)) == Answer(value)


async def test_a_prepared_answer_that_is_none_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="--answer ask=green: 'green' is none of red, blue"):
        await Prepared(["ask=green"]).decide(Asked(CHOICE, None))
