"""Our own format: what it means, and what is said of what it is not."""

from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.diagnostics import Severity
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
from support.workflows import definition_of, imported, remarks_on

EVERYTHING = """\
version: 1
name: Everything
description: Has every key.
tags: [one, two]
inputs:
  wish: text
  level:
    type: text
    description: How much.
    choices: [low, high]
    default: low
  extra: {type: any, default: null}
steps:
  - id: plan
    agent: pm
    instruction: Plan.
    outputs: [stories]
    approval: true
    effect: once
  - id: build
    select: true
    executor: openai
    instruction: Build.
    needs: [plan]
    when: inputs.level == "high"
    for_each: steps.plan.output.stories
    inputs: {story: item, wish: inputs.wish}
    optional: true
    effect: idempotent
    retry: {max_attempts: 7, initial_backoff: 500ms, max_backoff: 2h, backoff_multiplier: 1.5}
    timeout: 3d
    capabilities: [git, docker]
    approval: {prompt: Good?, timeout: 90s}
  - id: ask
    needs: build
    ask: {prompt: Go on?, choices: ["yes", "no"], timeout: 1d, default: "no"}
  - id: say
    ask: What else?
  - id: run
    executor: echo
    approval: false
  - id: end
    needs: [ask, run]
    milestone: true
    instruction: Done.
guidance:
  when to use: Always.
"""


def test_every_key_means_something() -> None:
    assert definition_of(EVERYTHING) == Definition(
        id="flow",
        name="Everything",
        description="Has every key.",
        tags=("one", "two"),
        inputs=(
            InputDefinition("wish", InputType.TEXT),
            InputDefinition(
                "level", InputType.TEXT, "How much.", is_required=False, default=Json(b'"low"'), choices=("low", "high")
            ),
            InputDefinition("extra", InputType.ANY, is_required=False),
        ),
        steps=(
            StepDefinition(
                "plan", agent="pm", instruction="Plan.", outputs=("stories",), approval=Approval(), effect=Effect.ONCE
            ),
            StepDefinition(
                "build",
                is_selected=True,
                executor="openai",
                instruction="Build.",
                needs=("plan",),
                when='inputs.level == "high"',
                for_each="steps.plan.output.stories",
                inputs=(Binding("story", "item"), Binding("wish", "inputs.wish")),
                is_optional=True,
                effect=Effect.IDEMPOTENT,
                retry=RetryPolicy(7, timedelta(seconds=0.5), timedelta(hours=2), 1.5),
                timeout=timedelta(days=3),
                capabilities=("git", "docker"),
                approval=Approval("Good?", timedelta(seconds=90)),
            ),
            StepDefinition(
                "ask",
                StepKind.QUESTION,
                needs=("build",),
                question=Question("Go on?", ("yes", "no"), timedelta(days=1), Json(b'"no"')),
            ),
            StepDefinition("say", StepKind.QUESTION, question=Question("What else?")),
            StepDefinition("run", executor="echo"),
            StepDefinition("end", StepKind.MILESTONE, needs=("ask", "run"), instruction="Done."),
        ),
        guidance=(Guidance("when to use", "Always."),),
    )


def test_an_executor_is_one_more_ability_of_a_worker() -> None:
    build = definition_of(EVERYTHING).steps[1]

    assert build.required_capabilities == ("git", "docker", "openai")


def flow(step: str) -> str:
    """A workflow whose one step has some more lines, from line 5 on."""
    return f"name: A\ninputs: {{n: number}}\nsteps:\n  - id: a\n    {step.replace(chr(10), chr(10) + '    ')}\n"


@pytest.mark.parametrize(
    ("text", "line", "code", "words"),
    [
        ("steps: [", 2, "invalid-yaml", "not YAML"),
        ("steps: &a [*a]", 1, "invalid-yaml", "uses an alias"),
        ("name: A\nsteps:\n  - !!str x", 3, "invalid-yaml", "uses a tag"),
        ("steps: " + "[" * 30, 1, "invalid-yaml", "nests deeper than 24 levels"),
        ("name: A\nsteps: []\n---\nname: B", 3, "invalid-yaml", "not YAML"),
        ("name: A\nsteps: []\n? [a]\n: b", 3, "invalid-yaml", "a key is no text"),
        ('steps: "\\UFFFFFFFF"', 1, "invalid-yaml", "not YAML"),
        ("name: A\x00\nsteps: []", 1, "invalid-yaml", "not YAML"),
        ("steps:\n  - id: a\n    agent: x", 1, "missing-key", "the file lacks the key name"),
        ("name: A\nsteps: []", 2, "invalid-value", "steps is empty"),
        ("name: A\nsteps: all", 2, "invalid-value", 'steps is "all", and a list is needed'),
        ("name: A\nsteps:\n  - go", 3, "invalid-value", 'steps[0] is "go", and a mapping is needed'),
        ("name: A\nsteps:\n  -", 3, "invalid-value", "steps[0] is null"),
        ("name: 7\nsteps: []", 1, "invalid-value", "name is 7, and a text is needed"),
        ("name: ''\nsteps: []", 1, "invalid-value", "name is empty"),
        ("name: " + "x" * 129 + "\nsteps: []", 1, "invalid-value", "129 characters, more than the 128 allowed"),
        ('name: "\\ud800"\nsteps: []', 1, "invalid-yaml", "not YAML"),
        ("name: A\nversion: 2\nsteps: []", 2, "invalid-value", "version is 2"),
        ("name: A\ncolour: red\nsteps: []", 2, "unknown-key", "colour has no meaning here"),
        ("name: A\nname: B\nsteps: []", 2, "duplicate-key", "the key name stands again"),
        ("name: A\ntags: [a, a]\nsteps: []", 2, "invalid-value", "tags names something twice"),
        (
            "name: A\nsteps: []\ninputs: {a b: text}",
            3,
            "invalid-value",
            'the name "a b" is "a b", which is not a letter',
        ),
        ("name: A\nsteps: []\ninputs: {a: texts}", 3, "invalid-value", 'inputs.a is "texts"'),
        ("name: A\nsteps: []\ninputs: {a: text, a: text}", 3, "duplicate-key", "the key a stands in inputs again"),
        ("name: A\nsteps: []\ninputs:\n  a: {type: number, default: x}", 4, "invalid-value", "a default of type text"),
        (
            "name: A\nsteps: []\ninputs:\n  a: {type: text, choices: [b], default: c}",
            4,
            "invalid-value",
            "none of its ch",
        ),
        ("name: A\nsteps: []\ninputs:\n  a: {type: list, choices: [b]}", 4, "invalid-value", "has choices, which are"),
        ("name: A\nsteps: []\ninputs:\n  a: {type: any, default: {b: 1, b: 2}}", 4, "duplicate-key", "the key b"),
        (flow("instruction: x"), 4, "invalid-value", "steps[0] says nobody who does it"),
        (flow("agent: x\nselect: true"), 4, "invalid-value", "has agent and select, which exclude each other"),
        (flow("select: false"), 5, "invalid-value", "steps[0].select is false"),
        (flow("ask: x\nexecutor: echo"), 4, "invalid-value", "has ask, and executor, which concern steps that a work"),
        (flow("ask: x\ninstruction: y"), 4, "invalid-value", "has ask, and instruction"),
        (flow("milestone: true\neffect: none"), 4, "invalid-value", "has milestone, and effect"),
        (flow("agent: x\neffect: once\nretry: {max_attempts: 1}"), 4, "invalid-value", "effect once, and is to be ret"),
        (flow("agent: x\neffect: twice"), 6, "invalid-value", 'steps[0].effect is "twice"'),
        (flow("agent: x\ntimeout: 10"), 6, "invalid-value", "steps[0].timeout is 10, which is no span of time"),
        (flow("agent: x\ntimeout: 8d"), 6, "invalid-value", "is 8d, which is not from 1s to 7d"),
        (flow("agent: x\ntimeout: 500ms"), 6, "invalid-value", "is 500ms, which is not from 1s"),
        (flow("agent: x\nretry: {max_attempts: 0}"), 6, "invalid-value", "retry.max_attempts is 0"),
        (flow("agent: x\nretry: {max_attempts: 1.5}"), 6, "invalid-value", "retry.max_attempts is 1.5"),
        (flow("agent: x\nretry: {backoff_multiplier: 11}"), 6, "invalid-value", "backoff_multiplier is 11"),
        (flow("agent: x\noptional: yes"), 6, "invalid-value", 'optional is "yes"'),
        (flow("agent: x\nwhen: true"), 6, "invalid-value", "steps[0].when is true, and a text is needed"),
        (flow("agent: x\nneeds: [b, b]"), 6, "invalid-value", "needs names something twice"),
        (flow("agent: x\nneeds: {b: c}"), 6, "invalid-value", "needs is a mapping, and a list is needed"),
        (flow("agent: x\nneeds:\n  - b\n  - 9"), 8, "invalid-value", "needs[1] is 9"),
        (flow("ask: {prompt: x, default: y}"), 5, "invalid-value", "has a default, which is taken when the timeout"),
        (flow("ask: {prompt: x, choices: [a], timeout: 1d, default: y}"), 5, "invalid-value", "none of its choices"),
        (flow("agent: x\noutputs: " + str(list(range(33)))), 6, "invalid-value", "33 entries, more than the 32"),
        (flow("agent: x\ninputs: {a: {b: c}}"), 6, "invalid-value", "inputs.a is a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_remedy(text: str, line: int, code: str, words: str) -> None:
    found = [each for each in remarks_on(text) if words in each.message]

    assert [(each.line, each.severity, each.code) for each in found] == [(line, Severity.ERROR, code)]
    assert found[0].remedy


def test_all_mistakes_are_told_at_once() -> None:
    text = """\
name: 7
colour: red
steps:
  - id: a
    agent: x
    timeout: soon
    optional: maybe
  - id: 2b
    select: nobody
  - agent: z
"""

    remarks = remarks_on(text)

    assert [(each.line, each.code) for each in remarks] == [
        (1, "invalid-value"),
        (2, "unknown-key"),
        (6, "invalid-value"),
        (7, "invalid-value"),
        (8, "invalid-value"),
        (9, "invalid-value"),
        (10, "missing-key"),
    ]


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "2026-01-01", "0o9", "1_000", "12:30", "+", ".", "1e", "0x"]
)
def test_what_yaml_1_2_takes_for_text_is_text(word: str) -> None:
    assert definition_of(flow(f"agent: {word}")).steps[0].agent == word


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~", b"null"),
        ("", b"null"),
        ("TRUE", b"true"),
        ("+7", b"7"),
        ("0x1F", b"31"),
        ("0o17", b"15"),
        ("-.5", b"-0.5"),
        (".inf", b'".inf"'),
        ("1.", b"1.0"),
        ("12e1", b"120.0"),
        ('"7"', b'"7"'),
        ("|\n      7", b'"7\\n"'),
        ("[yes, {a: no}]", b'["yes",{"a":"no"}]'),
    ],
)
def test_values_are_read_by_the_core_schema(written: str, meant: bytes) -> None:
    text = f"name: A\ninputs:\n  a:\n    type: any\n    default: {written}\nsteps: [{{id: a, agent: b}}]\n"

    assert definition_of(text).inputs[0].default == meant


def test_a_file_may_begin_with_a_bom_and_end_its_lines_as_windows_does() -> None:
    text = "\ufeff" + EVERYTHING.replace("\n", "\r\n")

    assert definition_of(text) == definition_of(EVERYTHING)


def test_what_is_neither_ours_nor_bmads_is_no_workflow() -> None:
    assert not imported("bundle:\n  name: Team\n").is_workflow
    assert not imported("workflow: release\n").is_workflow


def test_remarks_show_nothing_that_a_terminal_acts_upon() -> None:
    (remark,) = remarks_on('name: A\n"\\e[31m": x\nsteps: [{id: a, agent: b}]\n')

    assert remark.message == "\ufffd[31m has no meaning here"


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_whatever_a_file_holds_it_is_read_or_told(text: str) -> None:
    read = imported(f"steps: {text}".encode("utf-8", "replace").decode())

    assert read.definitions or read.diagnostics or not read.is_workflow


def test_without_libyaml_half_characters_and_bombs_are_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignis_server.safe_yaml.Loader", yaml.SafeLoader)

    (half,) = remarks_on('name: "\\ud800"\nsteps: []')
    (bomb,) = remarks_on("steps: " + "[" * 30)

    assert "stands for half a character" in half.message
    assert "nests deeper" in bomb.message
    assert definition_of(flow("agent: x")).steps[0].agent == "x"
