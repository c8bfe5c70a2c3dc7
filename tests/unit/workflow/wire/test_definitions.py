"""Workflows on the wire."""

from datetime import timedelta

import pytest
from google.protobuf.json_format import MessageToDict

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import PageTokenInvalid
from ignis_server.workflow.definition_codec import definition_digest
from ignis_server.workflow.model import (
    Approval,
    Binding,
    Definition,
    Effect,
    Guidance,
    InputDefinition,
    InputType,
    Question,
    RetryPolicy,
    StepDefinition,
    StepKind,
)
from ignis_server.workflow.values import Json
from ignis_server.workflow.wire.definitions import (
    EFFECTS,
    INPUT_TYPES,
    from_definition,
    from_definition_page,
    from_step_definition,
    from_whole_definition,
    to_definition_page,
    to_definition_reference,
)
from support.violations import violations_of

WORK = StepDefinition(
    "write",
    agent="team/writer",
    is_selected=True,
    executor="echo",
    instruction="Write it.",
    needs=("plan",),
    when="inputs.level > 2",
    for_each="inputs.files",
    inputs=(Binding("plan", "steps.plan.output"),),
    outputs=("text",),
    approval=Approval("Good?", timedelta(hours=2)),
    is_optional=True,
    effect=Effect.ONCE,
    retry=RetryPolicy(5, timedelta(milliseconds=1_500), timedelta(minutes=2), 3.0),
    timeout=timedelta(minutes=10),
    capabilities=("gpu",),
)
ASK = StepDefinition("ask", StepKind.QUESTION, question=Question("Which?", ("a", "b"), timedelta(days=1), Json(b'"a"')))
DEFINITION = Definition(
    "flow",
    "Flow",
    "What it does",
    inputs=(
        InputDefinition("files", InputType.LIST, "What to do", is_required=True),
        InputDefinition("level", InputType.NUMBER, is_required=False, default=Json(b"3")),
        InputDefinition("mode", InputType.TEXT, is_required=False, choices=("a", "b")),
    ),
    steps=(ASK, WORK),
    tags=("tag",),
    guidance=(Guidance("when", "Often"),),
)


def test_a_step_of_work_says_everything() -> None:
    assert MessageToDict(from_step_definition(WORK), preserving_proto_field_name=True) == {
        "id": "write",
        "agent": "team/writer",
        "selects_agent": True,
        "executor": "echo",
        "instruction": "Write it.",
        "needs": ["plan"],
        "when": "inputs.level > 2",
        "for_each": "inputs.files",
        "inputs": {"plan": "steps.plan.output"},
        "outputs": ["text"],
        "requires_approval": True,
        "approval_prompt": "Good?",
        "approval_timeout": "7200s",
        "optional": True,
        "effect": "EFFECT_ONCE",
        "retry": {
            "max_attempts": 5,
            "initial_backoff": "1.500s",
            "max_backoff": "120s",
            "backoff_multiplier": 3.0,
        },
        "timeout": "600s",
        "capabilities": ["gpu"],
    }


def test_a_question_says_what_is_asked() -> None:
    question = from_step_definition(ASK).question

    assert MessageToDict(question) == {
        "prompt": "Which?",
        "choices": ["a", "b"],
        "timeout": "86400s",
        "defaultValue": "a",
    }


def test_what_is_not_said_is_absent() -> None:
    step = from_step_definition(StepDefinition("s"))
    question = from_step_definition(StepDefinition("s", StepKind.QUESTION, question=Question("?"))).question

    assert not step.HasField("question")
    assert not step.HasField("approval_timeout")
    assert not step.requires_approval
    assert not question.HasField("timeout")
    assert not question.HasField("default_value")


def test_a_milestone_is_one() -> None:
    assert from_step_definition(StepDefinition("m", StepKind.MILESTONE)).is_milestone
    assert not from_step_definition(WORK).is_milestone


def test_every_word_of_the_model_has_one_of_the_api() -> None:
    assert EFFECTS.keys() == set(Effect)
    assert INPUT_TYPES.keys() == set(InputType)
    assert len(set(INPUT_TYPES.values())) == len(InputType)


def test_a_whole_workflow_has_steps_and_guidance() -> None:
    whole = from_whole_definition(DEFINITION).definition

    assert [step.id for step in whole.steps] == ["ask", "write"]
    assert [(each.name, each.text) for each in whole.guidance] == [("when", "Often")]
    assert whole.digest == definition_digest(DEFINITION)


def test_a_list_has_neither() -> None:
    listed = from_definition(DEFINITION)

    assert not listed.steps
    assert not listed.guidance
    assert (listed.id, listed.name, listed.description, list(listed.tags)) == ("flow", "Flow", "What it does", ["tag"])


def test_a_default_is_absent_where_the_input_is_required() -> None:
    listed = from_definition(DEFINITION)

    assert list(listed.required_inputs) == ["files"]
    defaults = {
        each.name: each.default_value.WhichOneof("kind") if each.HasField("default_value") else None
        for each in listed.inputs
    }
    assert defaults == {"files": None, "level": "number_value", "mode": "null_value"}
    assert list(listed.inputs[2].choices) == ["a", "b"]


def test_a_reference_is_required_and_bounded() -> None:
    assert to_definition_reference(pb.GetDefinitionRequest(definition="x" * 1_024)) == "x" * 1_024


@pytest.mark.parametrize("wrong", ["", "x" * 1_025, "a\0b"])
def test_a_reference_that_cannot_be_one_is_refused(wrong: str) -> None:
    request = pb.GetDefinitionRequest(definition=wrong)

    assert list(violations_of(lambda: to_definition_reference(request))) == ["definition"]


class TestPages:
    """Workflows in order of ids."""

    ALL = tuple(Definition(f"flow-{number:02}", "Flow") for number in reversed(range(7)))

    def test_pages_follow_each_other(self) -> None:
        pages, token = [], ""
        while True:
            request = pb.ListDefinitionsRequest(page_size=3, page_token=token)
            response = from_definition_page(to_definition_page(request), self.ALL)
            pages.append([each.id[-1] for each in response.definitions])
            token = response.next_page_token
            if not token:
                break

        assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"]]

    def test_the_last_page_may_be_full(self) -> None:
        page = to_definition_page(pb.ListDefinitionsRequest(page_size=7))

        assert from_definition_page(page, self.ALL).next_page_token == ""

    def test_a_page_is_no_larger_than_clients_accept(self) -> None:
        large = tuple(Definition(f"{number:03}", "Flow", "d" * 8_192) for number in range(400))

        response = from_definition_page(to_definition_page(pb.ListDefinitionsRequest(page_size=1_000)), large)

        assert 1 << 20 < response.ByteSize() < (2 << 20) + 1_024
        assert response.next_page_token

    @pytest.mark.parametrize(("size", "limit"), [(0, 50), (1, 1), (1_000, 1_000), (1_001, 1_000)])
    def test_sizes(self, size: int, limit: int) -> None:
        assert to_definition_page(pb.ListDefinitionsRequest(page_size=size)).limit == limit

    def test_a_negative_size_is_refused(self) -> None:
        found = violations_of(lambda: to_definition_page(pb.ListDefinitionsRequest(page_size=-1)))

        assert found == {"page_size": "-1 is negative: send 0 for 50, or up to 1000"}

    @pytest.mark.parametrize("token", ["x", "WzFd"])
    def test_a_foreign_token_is_refused(self, token: str) -> None:
        with pytest.raises(PageTokenInvalid, match="ListDefinitions"):
            to_definition_page(pb.ListDefinitionsRequest(page_token=token))
