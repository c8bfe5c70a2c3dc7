"""Steps come up by themselves: conditions, repetitions, milestones, and starts that are refused."""

import pytest

from ignis_server.errors import InvalidRequest
from ignis_server.workflow.commands import AnswerInput, ApproveInput, CancelRun
from ignis_server.workflow.events import LeaseExtended, Recorded, RunStateChanged
from ignis_server.workflow.run import Skipped
from ignis_server.workflow.state_machine import fold
from ignis_server.workflow.values import Value, decode
from ignis_server.workflow.words import Failure, RunState, SkipReason
from support.runs import Driven


def flow(*steps: str, inputs: str = "") -> str:
    return f"name: A\ninputs: {{{inputs}}}\nsteps:\n" + "".join(f"  - {{{step}}}\n" for step in steps)


class TestNeeds:
    """Steps come up when everything that they need has ended."""

    DIAMOND = flow(
        "id: a, agent: x", "id: b, agent: x, needs: a", "id: c, agent: x, needs: a", "id: d, agent: x, needs: [b, c]"
    )

    def test_what_does_not_need_each_other_runs_at_the_same_time(self) -> None:
        driven = Driven(self.DIAMOND)
        driven.complete("a")

        assert driven.states() == {"a": "completed", "b": "ready", "c": "ready", "d": "pending"}
        driven.complete("c")
        assert driven.states()["d"] == "pending"
        driven.complete("b")
        assert driven.states()["d"] == "ready"
        driven.complete("d")
        assert driven.run.state is RunState.COMPLETED

    def test_a_chain_of_milestones_ends_at_once(self) -> None:
        steps = [
            f"id: m{number}, milestone: true" + (f", needs: m{number - 1}" if number else "") for number in range(256)
        ]

        driven = Driven(flow(*steps))

        assert driven.run.state is RunState.COMPLETED
        assert [each.version for each in driven.events] == list(range(1, 259))

    def test_the_order_of_the_file_need_not_be_that_of_the_needs(self) -> None:
        driven = Driven(flow("id: b, agent: x, needs: a", "id: a, agent: x"))
        driven.complete("a")
        driven.complete("b")

        assert driven.states() == {"b": "completed", "a": "completed"}


class TestConditions:
    """`when` decides once everything before has ended."""

    @pytest.mark.parametrize(("level", "state"), [(3, "ready"), (1, "skipped"), (None, "skipped")])
    def test_a_step_is_done_where_its_condition_holds(self, level: int | None, state: str) -> None:
        driven = Driven(flow("id: a, agent: x", "id: b, agent: x, needs: a, when: steps.a.output.level > 2"))
        driven.complete("a", {"level": level})

        assert driven.states()["b"] == state

    def test_what_needs_a_skipped_step_comes_up_all_the_same(self) -> None:
        driven = Driven(
            flow(
                "id: a, agent: x, when: inputs.wanted",
                "id: b, agent: x, needs: a, when: steps.a.state == 'completed'",
                "id: c, agent: x, needs: [a, b], when: steps.a.output.x == null and steps.a.state == 'skipped'",
                inputs="wanted: {type: boolean, default: false}",
            )
        )

        assert driven.states() == {"a": "skipped", "b": "skipped", "c": "ready"}
        assert driven.step("a").standing == Skipped(SkipReason.CONDITION)

    def test_a_run_in_which_nothing_is_to_be_done_is_done(self) -> None:
        driven = Driven(flow("id: a, agent: x, when: inputs.n > 1", inputs="n: number"), {"n": 0})

        assert driven.run.state is RunState.COMPLETED

    def test_a_condition_that_is_none_fails_the_step(self) -> None:
        driven = Driven(flow("id: a, agent: x, when: inputs.n", inputs="n: number"), {"n": 1})

        assert driven.run.state is RunState.FAILED
        assert driven.run.failure == Failure(
            "expression", "`when` gives a number, and a condition is true or false: inputs.n", step_id="a"
        )

    def test_an_optional_step_whose_condition_cannot_be_told_is_skipped(self) -> None:
        driven = Driven(flow("id: a, agent: x, optional: true, when: inputs.n > 'b'", inputs="n: number"), {"n": 1})

        assert driven.run.state is RunState.COMPLETED
        assert driven.step("a").standing == Skipped(SkipReason.FAILED)


class TestRepetition:
    """`for_each` makes an instance of each item, and the step has ended when all of them have."""

    EACH = flow(
        "id: a, agent: x",
        "id: b, agent: x, needs: a, for_each: steps.a.output.all",
        "id: c, agent: x, needs: b, inputs: {all: 'steps.b.outputs', state: steps.b.state}",
    )

    def test_instances_take_the_place_of_the_step(self) -> None:
        driven = Driven(self.EACH)
        driven.complete("a", {"all": ["p", "q", "r"]})

        assert list(driven.states()) == ["a", "b[0]", "b[1]", "b[2]", "c"]
        for index in (2, 0):
            driven.complete(f"b[{index}]", {"index": index})
        assert driven.states()["c"] == "pending"
        driven.complete("b[1]")
        assert driven.states()["c"] == "ready"

    @pytest.mark.parametrize("nothing", [[], None])
    def test_an_empty_list_is_a_step_that_is_skipped(self, nothing: Value) -> None:
        driven = Driven(self.EACH)
        driven.complete("a", {"all": nothing})

        assert driven.states() == {"a": "completed", "b": "skipped", "c": "ready"}
        assert driven.step("b").standing == Skipped(SkipReason.EMPTY_LIST)

    def test_a_condition_on_the_item_leaves_some_out(self) -> None:
        driven = Driven(
            flow(
                "id: a, agent: x, for_each: inputs.all, when: item.size > 1 or index == 0",
                "id: b, agent: x, needs: a, when: size(steps.a.outputs) == 3 and steps.a.state == 'completed'",
                inputs="all: list",
            ),
            {"all": [{"size": 1}, {"size": 1}, {"size": 2}]},
        )

        assert driven.states() == {"a[0]": "ready", "a[1]": "skipped", "a[2]": "ready", "b": "pending"}
        driven.complete("a[0]")
        driven.complete("a[2]")
        assert driven.states()["b"] == "ready"

    def test_all_items_left_out_are_a_step_that_was_skipped(self) -> None:
        driven = Driven(
            flow(
                "id: a, agent: x, for_each: '[1, 2]', when: item > 2",
                "id: b, agent: x, needs: a, when: steps.a.state == 'skipped'",
            )
        )

        assert driven.states() == {"a[0]": "skipped", "a[1]": "skipped", "b": "ready"}

    def test_a_condition_that_no_item_changes_is_decided_once(self) -> None:
        driven = Driven(
            flow("id: a, agent: x, for_each: '[1, 2]', when: inputs.on", inputs="on: boolean"), {"on": False}
        )

        assert driven.states() == {"a": "skipped"}

    def test_a_repeated_step_that_was_skipped_has_no_outputs(self) -> None:
        driven = Driven(
            flow(
                "id: a, agent: x, for_each: '[1]', when: inputs.on",
                "id: b, agent: x, needs: a, when: size(steps.a.outputs) == 0 and steps.a.state == 'skipped'",
                inputs="on: boolean",
            ),
            {"on": False},
        )

        assert driven.states() == {"a": "skipped", "b": "ready"}

    def test_one_instance_that_fails_ends_the_run_unless_it_is_optional(self) -> None:
        needed = Driven(flow("id: a, agent: x, for_each: '[1, 2]'"))
        optional = Driven(flow("id: a, agent: x, for_each: '[1, 2]', optional: true"))
        for driven in (needed, optional):
            driven.fail("a[0]", Failure("no", "no"))

        assert needed.states() == {"a[0]": "failed", "a[1]": "canceled"}
        assert optional.states() == {"a[0]": "skipped", "a[1]": "ready"}

    def test_questions_and_approvals_are_asked_for_each(self) -> None:
        driven = Driven(flow("id: a, ask: x, for_each: '[1, 2]'", "id: b, agent: x, approval: true, for_each: '[1]'"))
        driven.complete("b[0]")

        assert list(driven.run.input_requests) == ["a[0].question", "a[1].question", "b[0].approval.1"]
        driven.do(AnswerInput("1", "a[1].question", "y"))
        driven.do(ApproveInput("2", "b[0].approval.1"))
        driven.do(AnswerInput("3", "a[0].question", "x"))
        assert driven.run.state is RunState.COMPLETED

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("text", "`for_each` gives a text, and a list is needed"),
            (list(range(1_001)), "`for_each` gives 1001 items, more than the 1000 allowed"),
        ],
    )
    def test_what_cannot_be_repeated_over_fails_the_step(self, value: Value, message: str) -> None:
        driven = Driven(flow("id: a, agent: x, for_each: inputs.all", inputs="all: any"), {"all": value})

        assert driven.run.failure
        assert message in driven.run.failure.message

    def test_a_run_has_a_bound_on_its_steps(self) -> None:
        steps = [f"id: s{number}, milestone: true, for_each: range(1000)" for number in range(11)]

        driven = Driven(flow(*steps))

        assert driven.run.failure
        assert driven.run.failure.step_id == "s9"
        assert "the run would have more than 10000 steps" in driven.run.failure.message

    def test_an_instance_whose_condition_cannot_be_told_fails_alone(self) -> None:
        driven = Driven(
            flow("id: a, agent: x, optional: true, for_each: \"[1, 'x']\", when: item > 0"),
        )

        assert driven.states() == {"a[0]": "ready", "a[1]": "skipped"}


class TestInputsOfSteps:
    """What a worker is to be given must be there before it claims the step."""

    def test_a_step_whose_inputs_cannot_be_made_fails(self) -> None:
        driven = Driven(flow("id: a, agent: x, inputs: {n: inputs.n.deep}", inputs="n: number"), {"n": 1})

        assert driven.run.failure == Failure("expression", "a number has no field 'deep'", step_id="a")

    def test_inputs_that_are_too_large_are_told_with_advice(self) -> None:
        copies = ", ".join(f"i{number}: inputs.n" for number in range(3))
        driven = Driven(flow(f"id: a, agent: x, inputs: {{{copies}}}", inputs="n: text"), {"n": "x" * 900_000})

        assert driven.run.failure
        assert "more than the 2097152 of a step: let the steps before store" in driven.run.failure.message

    def test_each_instance_is_looked_at_by_itself(self) -> None:
        driven = Driven(
            flow("id: a, agent: x, for_each: inputs.all, inputs: {p: item, q: item, r: item}", inputs="all: list"),
            {"all": ["x", "x" * 900_000]},
        )

        assert driven.states() == {"a[0]": "canceled", "a[1]": "failed"}

    def test_inputs_that_nest_too_deep_are_told(self) -> None:
        deep: Value = 1
        for _ in range(62):
            deep = [deep]
        driven = Driven(flow("id: a, agent: x, inputs: {n: '[[[inputs.n]]]'}", inputs="n: list"), {"n": deep})

        assert driven.run.failure
        assert "nests deeper" in driven.run.failure.message


class TestStarts:
    """A run begins with everything that its definition asks for, or not at all."""

    TYPED = flow(
        "id: a, agent: x",
        inputs="t: text, n: number, b: boolean, l: list, o: object, x: any, "
        "c: {type: text, choices: [p, q], default: p}, d: {type: number, default: null}",
    )

    def test_inputs_are_completed_by_defaults(self) -> None:
        given: dict[str, Value] = {"t": "", "n": 1.5, "b": False, "l": [], "o": {}, "x": "any"}

        driven = Driven(self.TYPED, given)

        assert decode(driven.run.started.inputs) == given | {"c": "p", "d": None}

    def test_all_violations_are_told_at_once(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            Driven(
                self.TYPED,
                {"t": 1, "n": True, "b": "true", "l": {}, "o": [], "c": "r", "d": "1", "wsh": 1, "tt": float("nan")},
            )

        assert [(each.field, each.description) for each in caught.value.violations] == [
            ("inputs.wsh", "the workflow has no such input: its inputs are t, n, b, l, o, x, c, d"),
            ("inputs.tt", "the workflow has no such input: did you mean t?"),
            ("inputs.t", "is of type number: give a text"),
            ("inputs.n", "is of type boolean: give a number"),
            ("inputs.b", "is of type text: give a boolean"),
            ("inputs.l", "is of type object: give a list"),
            ("inputs.o", "is of type list: give an object"),
            ("inputs.x", "is required: give any value"),
            ("inputs.c", "is none of its choices: give one of p, q"),
            ("inputs.d", "is of type text: give a number"),
        ]

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            (None, "inputs.x: is null: give any value"),
            (float("inf"), "inputs: cannot be kept: inf"),
            ("x" * (1 << 20), "inputs: 1048584 bytes are more than the 1048576 allowed"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, value: Value, problem: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            Driven(flow("id: a, agent: y", inputs="x: any"), {"x": value})

        assert problem in str(caught.value)


class TestFolding:
    """Events are folded only onto what they follow."""

    def test_a_gap_or_a_repetition_in_the_journal_is_told(self) -> None:
        driven = Driven(flow("id: a, agent: x"))
        unstarted, run, events = Driven(flow("id: a, agent: x"), is_started=False).state, driven.run, driven.events

        with pytest.raises(ValueError, match="event 2 does not begin a run"):
            fold(unstarted, events[1:])
        with pytest.raises(ValueError, match="event 2 does not follow event 2"):
            fold(run, events[1:])
        with pytest.raises(ValueError, match="event 1 does not follow event 2"):
            fold(run, events[:1])

    def test_nothing_follows_the_end(self) -> None:
        driven = Driven(flow("id: a, agent: x"))
        driven.do(CancelRun("x"))
        late = Recorded(driven.run.version + 1, driven.now, RunStateChanged(RunState.WORKING))

        with pytest.raises(ValueError, match="event 5 does not follow event 4"):
            fold(driven.run, [late])

    def test_a_run_begins_once_and_only_who_has_a_lease_extends_it(self) -> None:
        driven = Driven(flow("id: a, agent: x"))

        with pytest.raises(ValueError, match="the run run-1 begins again"):
            fold(driven.run, [Recorded(3, driven.now, driven.run.started)])
        with pytest.raises(ValueError, match="the lease of a is extended, and nobody has it"):
            fold(driven.run, [Recorded(3, driven.now, LeaseExtended("a", 1, driven.now))])

    def test_events_of_another_definition_are_told(self) -> None:
        other = Driven(flow("id: b, agent: x"), is_started=False).state

        with pytest.raises(ValueError, match="event 1 does not begin a run of flow"):
            fold(other, Driven(flow("id: a, agent: x")).events)
