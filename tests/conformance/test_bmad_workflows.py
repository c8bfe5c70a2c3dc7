"""BMAD's ten workflow files, unmodified: all can be started, and nothing in them is lost.

They are no part of this project. Where IGNIS_CATALOGS names the folder that holds them, they are asserted; the same
constructs stand, small, in tests/unit/workflow/formats/test_bmad.py.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignis_server.diagnostics import Severity
from ignis_server.workflow.commands import AnswerInput
from ignis_server.workflow.definition_codec import encode_definition
from ignis_server.workflow.formats import TextFile, import_file
from ignis_server.workflow.formats.yaml_tree import ListNode, MappingNode, Node, Scalar, read_tree
from ignis_server.workflow.library import Library, compile_library
from ignis_server.workflow.model import Definition
from ignis_server.workflow.run import Completed, Step
from ignis_server.workflow.values import decode, encode
from ignis_server.workflow.words import RunState
from support.runs import Driven

ROOT = Path(os.environ["IGNIS_CATALOGS"]) / "bmad-v5"
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/workflows/*.yaml"))

# Steps of each definition, questions and milestones among them.
EXPECTED = {
    "bmad-core/workflows/brownfield-fullstack": 26,
    "bmad-core/workflows/brownfield-service": 18,
    "bmad-core/workflows/brownfield-ui": 19,
    "bmad-core/workflows/greenfield-fullstack": 26,
    "bmad-core/workflows/greenfield-service": 20,
    "bmad-core/workflows/greenfield-ui": 25,
    "expansion-packs/bmad-2d-phaser-game-dev/workflows/game-dev-greenfield#full_game": 9,
    "expansion-packs/bmad-2d-phaser-game-dev/workflows/game-dev-greenfield#prototype": 4,
    "expansion-packs/bmad-2d-phaser-game-dev/workflows/game-prototype#game_jam": 3,
    "expansion-packs/bmad-2d-phaser-game-dev/workflows/game-prototype#prototype": 6,
    "expansion-packs/bmad-2d-unity-game-dev/workflows/game-dev-greenfield#full_game": 9,
    "expansion-packs/bmad-2d-unity-game-dev/workflows/game-dev-greenfield#prototype": 4,
    "expansion-packs/bmad-2d-unity-game-dev/workflows/game-prototype#game_jam": 3,
    "expansion-packs/bmad-2d-unity-game-dev/workflows/game-prototype#prototype": 6,
}


def file(path: str) -> TextFile:
    return TextFile(path, (ROOT / path).read_bytes())


@pytest.fixture(scope="module")
def library() -> Library:
    return compile_library([file(path) for path in FILES])


def test_every_sequence_of_the_ten_files_is_a_workflow_that_can_be_started(library: Library) -> None:
    assert len(FILES) == 10
    assert {each.id: len(each.steps) for each in library.definitions.values()} == EXPECTED


def test_nothing_is_wrong_with_them_and_every_choice_is_a_note(library: Library) -> None:
    assert {each.severity for each in library.diagnostics} == {Severity.NOTE}
    assert all(each.line > 1 and each.remedy for each in library.diagnostics)


def test_a_run_needs_to_be_told_nothing(library: Library) -> None:
    assert [each.id for each in library.definitions.values() if any(one.is_required for one in each.inputs)] == []


@pytest.mark.parametrize("definition_id", EXPECTED)
def test_a_run_goes_to_its_end_with_nobody_but_the_echo_executor(library: Library, definition_id: str) -> None:
    driven = Driven(library.definitions[definition_id])

    driven.echo()

    assert driven.run.state is RunState.COMPLETED
    assert driven.states()[last_step(driven)] == "completed"


@pytest.mark.parametrize("definition_id", EXPECTED)
@pytest.mark.parametrize("is_yes", [True, False])
def test_a_run_may_ask_for_every_decision(library: Library, definition_id: str, is_yes: bool) -> None:  # noqa: FBT001 - a case
    definition = library.definitions[definition_id]
    inputs = {each.name: "ask" for each in definition.inputs if "ask" in each.choices}
    driven = Driven(definition, inputs)

    driven.echo(lambda request: AnswerInput(request.id, request.id, request.choices[0 if is_yes else -1]))

    assert driven.run.state is RunState.COMPLETED
    assert len(driven.run.resolutions) == sum(
        step.standing.output == encode({"answer": answer_to(driven, step, is_yes=is_yes)})
        for step in driven.run.steps.values()
        if isinstance(step.standing, Completed) and driven.run.planned(step).definition.question
    )


def answer_to(driven: Driven, step: Step, *, is_yes: bool) -> str:
    question = driven.run.planned(step).definition.question
    assert question
    return question.choices[0 if is_yes else -1]


def test_a_small_enhancement_leaves_the_workflow_early(library: Library) -> None:
    driven = Driven(
        library.definitions["bmad-core/workflows/brownfield-fullstack"], {"routing_decision": "single_story"}
    )

    driven.echo()

    assert [step for step, state in driven.states().items() if state == "completed"] == [
        "enhancement_classification",
        "routing_decision-single_story",
    ]


def test_a_run_with_three_epics_goes_through_the_cycle_three_times(library: Library) -> None:
    driven = Driven(
        library.definitions["bmad-core/workflows/greenfield-service"], {"for_each_epic": ["pay", "ship", "return"]}
    )

    driven.echo()

    assert [step for step, state in driven.states().items() if step.endswith("[2]") and state == "completed"] == [
        "create_story[2]",
        "implement_story[2]",
        "review_implementation[2]",
    ]


def last_step(driven: Driven) -> str:
    return driven.plan.definition.steps[-1].id


def said(definition: Definition) -> str:
    """Everything that a definition says, with blanks alike."""
    inputs = [f"{each.name} {each.description} {decode(each.default)}" for each in definition.inputs]
    parts = [definition.id, definition.name, definition.description, *definition.tags, *inputs]
    for step in definition.steps:
        question = step.question.prompt if step.question else ""
        optional = "optional true" if step.is_optional else ""
        parts += [step.id, step.agent, step.instruction, question, optional]
    parts += [f"{each.name} {each.text}" for each in definition.guidance]
    return squeezed(" ".join(parts))


def squeezed(text: str) -> str:
    return " ".join(text.split())


def scalars(node: Node) -> Iterator[Scalar]:
    """Every text, number and flag in a file; keys are tested by what stands under them."""
    match node:
        case Scalar():
            yield node
        case ListNode(items):
            for item in items:
                yield from scalars(item)
        case MappingNode(entries):
            for entry in entries:
                yield from scalars(entry.value)


@pytest.mark.parametrize("path", FILES)
def test_every_text_of_a_file_is_in_its_definitions_or_in_a_note_on_its_line(path: str) -> None:
    imported = import_file(file(path))
    everything = " ".join(said(each.definition) for each in imported.definitions)
    noted = {(each.line, each.message) for each in imported.diagnostics}

    lost = [
        f"{scalar.line}: {scalar.text}"
        for scalar in scalars(read_tree((ROOT / path).read_text(encoding="utf-8")))
        if squeezed(scalar.text) not in everything
        and not any(line == scalar.line and squeezed(scalar.text) in message for line, message in noted)
    ]

    assert lost == []


def test_definitions_are_small_enough_to_be_kept_with_every_run(library: Library) -> None:
    assert max(len(encode_definition(each)) for each in library.definitions.values()) < 32_768
