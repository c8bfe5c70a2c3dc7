"""Descriptions with dialogues in them."""

import pytest

from ignis_server.agents.formats.description import Description, read_description


def test_a_plain_description_is_one_paragraph() -> None:
    assert read_description("  Sews\n  by hand. ") == Description("Sews by hand.")


@pytest.mark.parametrize("line_break", ["\n", "\\n"])
def test_dialogues_are_taken_out_and_their_requests_kept(line_break: str) -> None:
    raw = line_break.join(
        [
            "Use this agent to mend clothes. Examples:",
            '<example>Context: a torn coat. user: "Please mend my coat" assistant: "I will"</example>',
            "<example>",
            "user: 'Shorten these trousers'",
            "<commentary>Trousers are clothes.</commentary>",
            "</example>",
        ]
    )

    described = read_description(raw)

    assert described.text == "Use this agent to mend clothes."
    assert described.examples == ("Please mend my coat", "Shorten these trousers")


def test_an_example_without_an_end_is_taken_out_to_the_end() -> None:
    described = read_description('Mends. <example>user: "Mend it" assistant: "Yes')

    assert described == Description("Mends.", ("Mend it",))


@pytest.mark.parametrize("raw", [r"Cleans C:\temp\new and prints \nabla \textbf.", r"Splits at \n and \t."])
def test_backslashes_that_mean_themselves_are_kept(raw: str) -> None:
    assert read_description(raw).text == raw


@pytest.mark.parametrize("raw", ["<example>" * 20_000, 'user: "' * 20_000, '<example>user: "' + "\\" * 60_000])
def test_input_made_to_make_patterns_backtrack_is_read(raw: str) -> None:
    """With a pattern that backtracks this test would not end."""
    assert len(read_description(raw).text) <= len(raw)
