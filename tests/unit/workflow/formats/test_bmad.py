"""BMAD's workflows: every construct of theirs becomes something, and what was decided for the author is told."""

import pytest

from ignis_server.diagnostics import Severity
from ignis_server.workflow.model import DefinitionFormat, Guidance, InputType, StepDefinition, StepKind
from support.workflows import definition_of, imported, remarks_on


def workflow(*entries: str, rest: str = "") -> str:
    """A BMAD file with these entries, the first of which begins in line 5."""
    steps = "".join(f"    - {entry.replace(chr(10), chr(10) + '      ')}\n" for entry in entries)
    return f"workflow:\n  id: flow\n  name: Flow\n  sequence:\n{steps}{rest}"


def steps_of(*entries: str, rest: str = "") -> tuple[StepDefinition, ...]:
    return definition_of(workflow(*entries, rest=rest)).steps


def notes_on(text: str, code: str) -> list[int]:
    return [each.line for each in remarks_on(text) if each.code == code]


HEADER = """\
workflow:
  id: shop
  name: Online shop
  description: >-
    Builds a shop
    from nothing.
  type: greenfield
  project_types:
    - web-app
    - saas
  sequence:
    - agent: pm
      creates: prd.md
"""


def test_the_header_is_name_description_and_tags() -> None:
    definition = definition_of(HEADER)

    assert definition.id == "flow"
    assert definition.name == "shop"
    assert definition.description == "Online shop: Builds a shop from nothing."
    assert definition.tags == ("greenfield", "web-app", "saas")
    assert definition.format is DefinitionFormat.BMAD


def test_steps_follow_each_other_and_get_what_they_require() -> None:
    first, second, third, fourth = steps_of(
        "agent: analyst\ncreates: brief.md",
        "agent: pm\ncreates: prd.md\nrequires: brief.md",
        "agent: ux\ncreates: spec.md (if any)\nrequires:\n  - prd.md\n  - brief.md",
        "agent: dev\nimplements: spec.md\nrequires: prd.md, brief.md",
    )

    assert (first.id, first.agent, first.outputs, first.needs) == ("analyst-brief", "analyst", ("brief.md",), ())
    assert second.needs == ("analyst-brief",)
    assert third.outputs == ("spec.md",)
    assert third.needs == ("pm-prd", "analyst-brief")
    assert fourth.needs == ("ux-spec", "pm-prd", "analyst-brief")


def test_all_documents_and_alternatives_are_required_of_their_makers() -> None:
    steps = steps_of(
        "agent: a\ncreates: one.md",
        "agent: b\ncreates: two.md",
        "agent: c\naction: check\nrequires: all_documents",
        "agent: d\naction: go_on\nrequires: one.md_or_other",
    )

    assert steps[2].needs == ("b-two", "a-one")
    assert steps[3].needs == ("check", "a-one")


def test_a_document_of_nobody_is_told() -> None:
    text = workflow("agent: a\ncreates: one.md\nrequires: existing_docs")

    assert notes_on(text, "required-of-project") == [7]
    assert "Requires: existing_docs" in definition_of(text).steps[0].instruction


def test_an_instruction_holds_everything_that_a_step_says() -> None:
    (step,) = steps_of(
        "agent: po\naction: check all\nvalidates: docs\nuses: po-checklist\noptional_steps:\n  - one\n  - two\n"
        "duration: 15-30 minutes\nnotes: |\n  - First\n  - Second"
    )

    assert step.instruction == (
        "Action: check all\nValidate: docs\nUse: po-checklist\nMay be done first: one; two\nTime: 15-30 minutes\n\n"
        "- First\n- Second"
    )


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("step: plan_it\nagent: a", "plan_it"),
        ("agent: a\naction: shard_docs\ncreates: x.md", "shard_docs"),
        ("agent: a\naction: think about it\ncreates: x.md", "a-x"),
        ("agent: a\nupdates: prd.md (if needed)", "a-update-prd"),
        ("agent: a\nvalidates: all_artifacts", "a-validate-all_artifacts"),
        ("agent: a/b\nimplements: stories/", "a-b-implement-stories"),
        ("agent: various\nupdates: any", "various-update-any"),
        ("agent: a\naction: think about it", "a-think-about-it"),
        ("2nd_step:\nagent: a", "step-2nd_step"),
        ("agent: a", "a"),
    ],
)
def test_ids_say_what_a_step_is(entry: str, wanted: str) -> None:
    assert steps_of(entry)[0].id == wanted


def test_ids_are_told_apart_by_numbers() -> None:
    steps = steps_of("agent: pm\naction: review", "agent: qa\naction: review", "agent: po\naction: review")

    assert [step.id for step in steps] == ["review", "review-2", "review-3"]


def test_a_condition_is_an_input_that_is_no_and_may_be_asked() -> None:
    text = workflow("agent: a\naction: look", "agent: b\naction: mend\ncondition: finds_issues\nnotes: Mend it.")
    definition = definition_of(text)
    (decision,) = definition.inputs
    _, question, step = definition.steps

    assert (decision.name, decision.type, decision.default) == ("finds_issues", InputType.TEXT, b'"no"')
    assert decision.choices == ("yes", "no", "ask")
    assert (question.id, question.kind, question.needs) == ("decide-finds_issues", StepKind.QUESTION, ("look",))
    assert question.when == 'inputs.finds_issues == "ask"'
    assert question.question
    assert (question.question.prompt, question.question.choices) == ("finds_issues?\n\nMend it.", ("yes", "no"))
    assert step.needs == ("decide-finds_issues",)
    assert step.when == '(inputs.finds_issues == "yes" or steps.decide-finds_issues.output.answer == "yes")'
    assert notes_on(text, "decision-mapped") == [9]


def test_a_condition_that_stands_twice_is_decided_once() -> None:
    steps = steps_of("agent: a\naction: x\ncondition: c", "agent: b\naction: y\ncondition: c")

    assert [step.id for step in steps] == ["decide-c", "x", "y"]
    assert steps[1].when == steps[2].when


def test_a_condition_of_order_always_holds() -> None:
    text = workflow("agent: a\naction: x", "agent: b\naction: y\ncondition: after_x")

    assert definition_of(text).steps[1].when == ""
    assert notes_on(text, "condition-of-order") == [9]


def test_an_epic_that_a_run_gets_through_is_complete() -> None:
    assert definition_of(workflow("agent: a\naction: x\ncondition: epic_complete")).inputs[0].default == b'"yes"'


ROUTES = (
    "agent: a\naction: classify",
    (
        "step: route\ncondition: by_size\nroutes:\n  small:\n    agent: pm\n    notes: One story.\n"
        "  large:\n    continue: to_next_step\n    notes: All of it."
    ),
    "agent: b\naction: plan\ncondition: large_path",
    "agent: c\naction: build\ncondition: has_ui",
)


def test_routes_are_a_decision_and_the_steps_below_are_done_on_the_way_that_goes_on() -> None:
    text = workflow(*ROUTES)
    definition = definition_of(text)
    question, small, plan, _, build = definition.steps[1:]
    is_large = '(inputs.route == "large" or steps.decide-route.output.answer == "large")'

    assert definition.inputs[0].default == b'"large"'
    assert definition.inputs[0].choices == ("small", "large", "ask")
    assert question.question
    assert "Only if: by_size" in question.question.prompt
    assert "All of it." in question.question.prompt
    assert (small.id, small.agent, small.needs) == ("route-small", "pm", ("decide-route",))
    assert small.when == is_large.replace("large", "small")
    assert plan.when == is_large
    assert plan.needs == ("decide-route", "route-small")
    assert build.when.startswith(f"{is_large} and (inputs.has_ui")
    assert notes_on(text, "routes-mapped") == [9]


def test_a_cycle_is_repeated_from_where_it_says_to_where_it_ends() -> None:
    text = workflow(
        "agent: a\naction: shard",
        "agent: sm\naction: create\nrepeats: for_each_epic",
        "agent: dev\naction: build",
        "repeat_cycle:\naction: continue_for_all_stories\nnotes: Again.",
        "agent: po\naction: look_back",
    )
    definition = definition_of(text)

    assert [step.for_each for step in definition.steps] == ["", *["inputs.for_each_epic"] * 2, "", ""]
    assert (definition.inputs[0].type, definition.inputs[0].default) == (InputType.LIST, b'["epic"]')
    assert definition.steps[3].kind is StepKind.MILESTONE
    assert notes_on(text, "repetition-mapped") == [9, 12]


def test_who_is_meant_by_an_agent() -> None:
    text = workflow(
        "agent: various\naction: x", "agent: analyst/pm\naction: y", "guidance_for_all:\naction: z\nnotes: Z."
    )
    various, either, nobody = definition_of(text).steps

    assert (various.agent, various.is_selected) == ("", True)
    assert (either.agent, either.is_selected) == ("analyst", False)
    assert either.instruction == "Agent: analyst/pm\nAction: y"
    assert (nobody.kind, nobody.instruction) == (StepKind.MILESTONE, "Action: z\n\nZ.")
    assert notes_on(text, "agent-selected") == [5]
    assert notes_on(text, "first-agent") == [7]
    assert notes_on(text, "milestone") == [9]


@pytest.mark.parametrize(("written", "is_optional"), [("true", True), ("yes", True), ("false", False)])
def test_optional_steps_may_be_left_undone(written: str, is_optional: bool) -> None:  # noqa: FBT001 - a case
    assert steps_of(f"agent: a\noptional: {written}")[0].is_optional is is_optional


SECTIONS = """\
  flow_diagram: |
    graph TD
  decision_guidance:
    when_to_use:
      - Often
      - With care
    costs: {time: long, money: little}
  handoff_prompts:
    pm_to_ux: Draw it, please.
    pm_to_dev: Nobody is meant.
    complete: Done.
other: kept too
"""


def test_sections_are_kept_as_guidance() -> None:
    text = workflow("agent: pm\naction: x", "agent: ux-expert\naction: y", rest=SECTIONS)

    assert definition_of(text).guidance == (
        Guidance("flow_diagram", "graph TD"),
        Guidance("decision_guidance.when_to_use", "- Often\n- With care"),
        Guidance("decision_guidance.costs", "time: long\nmoney: little"),
        Guidance("handoff_prompts.pm_to_ux", "Draw it, please."),
        Guidance("handoff_prompts.pm_to_dev", "Nobody is meant."),
        Guidance("handoff_prompts.complete", "Done."),
        Guidance("other", "kept too"),
    )
    assert notes_on(text, "kept-as-guidance") == [9, 11, 16, 20]


def test_prompts_for_handing_over_are_said_to_those_who_take_over() -> None:
    text = workflow("agent: pm\naction: x", "agent: ux-expert\naction: y", "agent: ux-expert\naction: z", rest=SECTIONS)
    first, second, third = definition_of(text).steps

    assert second.instruction == "Action: y\n\nDraw it, please."
    assert "Draw" not in first.instruction + third.instruction
    assert notes_on(text, "handoff-mapped") == [19]


def test_a_prompt_is_said_only_where_the_one_follows_the_other() -> None:
    rest = "  handoff_prompts: {pm_to_ux: From afar., architect_to_ux: From beside.}\n"

    *_, step = steps_of("agent: pm\naction: x", "agent: architect\naction: y", "agent: ux\naction: z", rest=rest)

    assert step.instruction == "Action: z\n\nFrom beside."


SEQUENCES = """\
workflow:
  id: game
  full_sequence:
    - agent: designer
      creates: doc.md
  workflow_end:
    action: go_on
    notes: The end.
  jam_sequence:
    - agent: developer
      creates: prototype
  jam_end:
    action: submit
    notes: Hand it in.
  options:
    expand:
      action: grow
"""


def test_several_sequences_are_several_workflows_each_with_its_own_end() -> None:
    full, jam = (each.definition for each in imported(SEQUENCES).definitions)

    assert (full.id, full.name) == ("flow#full", "game#full")
    assert [step.id for step in full.steps] == ["designer-doc", "workflow_end"]
    assert [step.instruction for step in jam.steps] == ["Create: prototype", "Action: submit\n\nHand it in."]
    assert [each.name for each in jam.guidance] == ["options.expand"]
    assert notes_on(SEQUENCES, "kept-as-guidance") == [15]


@pytest.mark.parametrize(
    ("text", "line", "severity", "code"),
    [
        ("workflow:\n  id: a\n", 2, Severity.ERROR, "no-sequence"),
        ("workflow:\n  id: a\n  sequence: soon\n", 2, Severity.ERROR, "no-sequence"),
        (workflow("go"), 5, Severity.WARNING, "not-a-step"),
        (workflow("agent: a\nspeed: high"), 6, Severity.WARNING, "unknown-key"),
        (workflow("agent: a\nagent: b"), 6, Severity.WARNING, "duplicate-key"),
        (HEADER + "  type: brownfield\n", 14, Severity.WARNING, "duplicate-key"),
        (workflow("agent: a", rest="  much: '" + "x" * 20_000 + "'\n"), 6, Severity.WARNING, "long-guidance"),
        (
            workflow("agent: a", rest="  much:\n" + "".join(f"    k{n}: v\n" for n in range(65))),
            71,
            Severity.WARNING,
            "too-much-guidance",
        ),
        (workflow(*["agent: a"] * 257), 1, Severity.ERROR, "too-large"),
        (workflow("agent: a\nnotes: '" + "x" * 20_000 + "'"), 5, Severity.ERROR, "too-large"),
        (
            "workflow:\n" + "".join(f"  s{n}_sequence: [{{agent: a}}]\n" for n in range(17)),
            2,
            Severity.ERROR,
            "too-many-sequences",
        ),
    ],
)
def test_what_is_not_as_bmad_has_it_is_told(text: str, line: int, severity: Severity, code: str) -> None:
    found = [(each.line, each.severity) for each in remarks_on(text) if each.code == code]

    assert found[:1] == [(line, severity)]


def test_what_is_unknown_is_kept_all_the_same() -> None:
    odd, step = steps_of("go", "agent: a\nspeed: high")

    assert (odd.kind, odd.instruction) == (StepKind.MILESTONE, "go")
    assert step.instruction == "speed: high"
