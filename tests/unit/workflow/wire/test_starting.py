"""StartRun on the wire."""

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import InvalidRequest
from ignis_server.workflow.commands import StartRun
from ignis_server.workflow.limits import MAX_INLINE_BYTES
from ignis_server.workflow.wire.starting import Start, to_start
from support.runs import Driven
from support.violations import violations_of

REQUEST_ID = "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"
FLOW = "name: A\ninputs: {text: {type: text}}\nsteps: [{id: s, agent: x}]\n"


def request(more: pb.StartRunRequest | None = None) -> pb.StartRunRequest:
    message = pb.StartRunRequest(request_id=REQUEST_ID, definition="flow")
    if more:
        message.MergeFrom(more)
    return message


def test_a_start_is_understood() -> None:
    message = request(pb.StartRunRequest(brief="A shop", step_budget_tokens=4_000, labels={"team": "a"}))
    message.inputs.update({"count": 3, "share": 0.5, "names": ["x", None]})

    assert to_start(message) == Start(
        "flow",
        StartRun(
            REQUEST_ID,
            inputs={"count": 3, "share": 0.5, "names": ["x", None]},
            brief="A shop",
            step_budget_tokens=4_000,
            labels={"team": "a"},
        ),
    )


def test_only_id_and_definition_are_required() -> None:
    assert to_start(request()) == Start("flow", StartRun(REQUEST_ID))


def test_all_violations_are_told() -> None:
    message = pb.StartRunRequest(
        brief="ü" * 32_769, step_budget_tokens=0, labels={"": "x"}, request_id="7", definition=" "
    )
    message.inputs.fields["bad"].number_value = float("nan")

    assert violations_of(lambda: to_start(message)).keys() == {
        "request_id",
        "definition",
        "brief",
        "inputs.bad",
        "step_budget_tokens",
        "labels key ''",
    }


@pytest.mark.parametrize(("size", "is_refused"), [(65_535, False), (65_536, False), (65_537, True)])
def test_a_brief_has_a_bound(size: int, *, is_refused: bool) -> None:
    fact = f"{size} bytes are more than the 65536 allowed: shorten it"

    assert violations_of(lambda: to_start(request(pb.StartRunRequest(brief="x" * size)))) == (
        {"brief": fact} if is_refused else {}
    )


@pytest.mark.parametrize(
    ("budget", "is_refused"), [(-1, True), (0, True), (1, False), (10_000_000, False), (10_000_001, True)]
)
def test_a_budget_has_bounds(budget: int, *, is_refused: bool) -> None:
    fact = f"{budget} is not between 1 and 10000000: leave it out for the loader's own"
    found = violations_of(lambda: to_start(request(pb.StartRunRequest(step_budget_tokens=budget))))

    assert found == ({"step_budget_tokens": fact} if is_refused else {})


def test_the_definition_may_be_as_long_as_any_id() -> None:
    assert violations_of(lambda: to_start(request(pb.StartRunRequest(definition="x" * 1_024)))) == {}
    assert list(violations_of(lambda: to_start(request(pb.StartRunRequest(definition="x" * 1_025))))) == ["definition"]


@pytest.mark.parametrize(("beyond", "is_refused"), [(-1, False), (0, False), (1, True)])
def test_inputs_have_a_bound_which_the_start_itself_sees_to(beyond: int, *, is_refused: bool) -> None:
    """With the defaults of the workflow, which only it knows."""
    message = request()
    message.inputs.update({"text": "x" * (MAX_INLINE_BYTES - len('{"text":""}') + beyond)})
    driven = Driven(FLOW, is_started=False)

    found = violations_of(lambda: driven.do(to_start(message).command))

    fact = "1048577 bytes are more than the 1048576 allowed: store what is large, and give its URI"
    assert found == ({"inputs": fact} if is_refused else {})


def test_the_error_names_field_value_limit_and_remedy() -> None:
    with pytest.raises(InvalidRequest, match="brief: 65537 bytes are more than the 65536 allowed: shorten it"):
        to_start(request(pb.StartRunRequest(brief="x" * 65_537)))
