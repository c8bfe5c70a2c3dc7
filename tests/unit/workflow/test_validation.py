"""Definitions of the right shape that cannot work: which step, which line, what to do."""

import pytest

from ignis_server.diagnostics import Severity
from ignis_server.workflow.validation.graph import ancestors, cycles, never_beginning
from support.workflows import definition_of, remarks_on


def flow(*steps: str, inputs: str = "count: number, all: list") -> str:
    """A workflow whose steps stand in lines 4, 5, … as flow mappings."""
    lines = "".join(f"  - {{agent: x, {step}}}\n" for step in steps)
    return f"name: A\ninputs: {{{inputs}}}\nsteps:\n{lines}"


@pytest.mark.parametrize(
    ("steps", "line", "code", "words", "remedy"),
    [
        (("id: a", "id: a"), 5, "duplicate-id", 'steps[1].id: the id "a" is that of steps[0] too', "another id"),
        (("id: plan", "id: b, needs: [plam]"), 5, "unknown-need", 'no step has the id "plam"', "did you mean plan?"),
        (("id: a, needs: [zzz]",), 4, "unknown-need", "steps[0].needs[0]", "write the id of a step, or remove it"),
        (("id: a, needs: [a]",), 4, "cycle", '"a" needs "a"', "remove one of these needs"),
        (
            ("id: a, needs: [c]", "id: b, needs: [a]", "id: c, needs: [b]"),
            4,
            "cycle",
            '"a" needs "c" needs "b" needs "a": none of them can begin',
            "remove",
        ),
        (
            ("id: a, needs: [b]", "id: b, needs: [a]", "id: c, needs: [b]"),
            6,
            "unreachable-step",
            '"c" can never begin',
            "break the circle",
        ),
        (("id: a, when: inputs.cuont > 1",), 4, "unknown-input", 'no input "cuont"', "did you mean count?"),
        (("id: a, when: inputs.count >",), 4, "bad-expression", "column 15: a value is missing", "write it as in"),
        (("id: a, when: steps.b.output == 1", "id: b"), 4, "not-needed", '"b" need not have ended', "add b to needs"),
        (("id: a, when: steps.a.output == 1",), 4, "not-needed", '"a" need not have ended when "a"', "add a"),
        (
            ("id: plan, when: steps.pln.output == 1",),
            4,
            "unknown-step",
            'no step has the id "pln"',
            "did you mean plan?",
        ),
        (
            ("id: a, for_each: inputs.all", "id: b, needs: [a], when: steps.a.output == 1"),
            5,
            "wrong-attribute",
            '"a" is repeated, and has no output',
            "write steps.a.outputs",
        ),
        (
            ("id: a", "id: b, needs: [a], for_each: steps.a.outputs"),
            5,
            "wrong-attribute",
            "is not repeated",
            "write steps.a.output",
        ),
        (
            ("id: a, outputs: [plan]", "id: b, needs: [a], when: steps.a.output.plam == 1"),
            5,
            "unknown-output",
            'no output "plam"',
            "did you mean plan?",
        ),
        (
            ("id: a, outputs: [plan], for_each: inputs.all", "id: b, needs: [a], for_each: 'steps.a.outputs[*].plans'"),
            5,
            "unknown-output",
            'no output "plans"',
            "did you mean plan?",
        ),
        (("id: a, when: item == 1",), 4, "no-item", "item is that of a repeated step", "write for_each"),
        (("id: a, for_each: '[index]'",), 4, "no-item", "index is known only after for_each", "name an input"),
        (("id: a, for_each: inputs.all, inputs: {b: index > }",), 4, "bad-expression", "inputs.b", "write it"),
        (("id: a, when: '1'",), 4, "bad-expression", "it gives a number, and a condition is", "write it"),
        (("id: a, when: '\"a\" > 1'",), 4, "bad-expression", "neither less nor more", "write it"),
        (("id: a, for_each: '\"a\"'",), 4, "bad-expression", "it gives a text, and a list is needed", "write a list"),
    ],
)
def test_mistakes_are_told_with_line_and_remedy(
    steps: tuple[str, ...], line: int, code: str, words: str, remedy: str
) -> None:
    found = [each for each in remarks_on(flow(*steps)) if each.code == code]

    assert [(each.line, each.severity) for each in found] == [(line, Severity.ERROR)]
    assert words in found[0].message
    assert remedy in found[0].remedy


def test_a_step_that_is_never_done_is_a_warning() -> None:
    (remark,) = remarks_on(flow("id: a, when: 'false'"))

    assert (remark.severity, remark.code) == (Severity.WARNING, "unreachable-step")


def test_all_mistakes_of_all_steps_are_told_at_once() -> None:
    text = flow("id: a, needs: [b], when: inputs.x", "id: b, needs: [a, c]", "id: b", "id: d, needs: [b], when: (")

    assert [(each.line, each.code) for each in remarks_on(text)] == [
        (4, "cycle"),
        (4, "unknown-input"),
        (5, "unknown-need"),
        (6, "duplicate-id"),
        (7, "bad-expression"),
        (7, "unreachable-step"),
    ]


@pytest.mark.parametrize(
    "steps",
    [
        ("id: a, outputs: [plan]", "id: b, needs: [a]", "id: c, needs: [b], when: steps.a.output.plan == 1"),
        ("id: a", 'id: b, needs: [a], when: steps.a.output.what.ever == 1 and steps.a.state == "skipped"'),
        ("id: a, for_each: inputs.all, when: item.ok and index > 0", "id: b, needs: [a], for_each: 'steps.a.outputs'"),
        ("id: a, for_each: range(3), inputs: {x: item, y: inputs, z: inputs.count}",),
        ("id: a, when: 'true', for_each: 'null'",),
    ],
)
def test_what_can_work_is_left_alone(steps: tuple[str, ...]) -> None:
    assert len(definition_of(flow(*steps)).steps) == len(steps)


def test_answers_are_outputs_and_milestones_have_none() -> None:
    text = """\
name: A
steps:
  - {id: a, ask: How?}
  - {id: b, milestone: true, needs: a}
  - {id: c, agent: x, needs: b, when: steps.a.output.answer == 1}
  - {id: d, agent: x, needs: b, when: steps.a.output.reply == 1}
  - {id: e, agent: x, needs: b, when: steps.b.output.reply == 1}
"""

    assert [(each.line, each.code) for each in remarks_on(text)] == [(6, "unknown-output"), (7, "unknown-output")]


def test_cycles_are_found_one_by_one_and_what_waits_for_them_too() -> None:
    needs = {
        "start": (),
        "a": ("start", "b"),
        "b": ("c",),
        "c": ("a",),
        "x": ("x",),
        "behind": ("x", "start"),
        "further": ("behind", "unknown"),
        "free": ("start", "unknown"),
    }

    assert cycles(needs) == [["a", "b", "c"], ["x"]]
    assert never_beginning(needs) == ["behind", "further"]


def test_a_way_into_a_cycle_is_no_part_of_it() -> None:
    needs = {"behind": ("before",), "before": ("a",), "a": ("b",), "b": ("a",)}

    assert cycles(needs) == [["a", "b"]]
    assert never_beginning(needs) == ["behind", "before"]


def test_ancestors_reach_through_everything_between() -> None:
    needs = {"d": ("c",), "c": ("b", "a"), "b": ("a",), "a": (), "e": ("e",)}

    assert ancestors(needs) == {
        "d": {"a", "b", "c"},
        "c": {"a", "b"},
        "b": {"a"},
        "a": frozenset(),
        "e": {"e"},
    }
