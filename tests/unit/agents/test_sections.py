"""Sections of Markdown, and the core that is made of them."""

from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.sections import CoreKnobs, core_of, sections_of

EVERYTHING = CoreKnobs(share=0.5, section_share=0.3, min_bytes=0, min_share=0.0)
FILLER = "Words that fill a line of text.\n" * 4


def headings(body: str, max_bytes: int = 0) -> list[str]:
    return [section.heading for section in sections_of(body, max_bytes=max_bytes)]


def test_headings_part_a_text() -> None:
    sections = sections_of("Intro.\n\n# One\na\n## Two ##\nb\n", max_bytes=0)

    assert [(each.level, each.heading, each.text) for each in sections] == [
        (0, "", "Intro.\n"),
        (1, "One", "# One\na\n"),
        (2, "Two", "## Two ##\nb\n"),
    ]


def test_a_section_holds_what_is_below_it_as_long_as_it_is_small() -> None:
    body = "# One\na\n## Two\nb\n# Three\nc\n"

    assert headings(body, max_bytes=len("# One\na\n## Two\nb\n")) == ["One", "Three"]
    assert headings(body, max_bytes=len("# One\na\n## Two\nb\n") - 1) == ["One", "Two", "Three"]


def test_what_looks_like_a_heading_in_code_is_none() -> None:
    assert headings("# One\n```sh\n# comment\n```\n~~~~\n# no\n~~~\n# no\n~~~~\n# Two\n") == ["One", "Two"]
    assert headings("# One\n```\n# never closed\n") == ["One"]
    assert headings("#no\n####### no\n    # no\n# One\n") == ["", "One"]


def test_code_within_a_line_opens_no_block() -> None:
    assert headings("``` a ` b\n# One\n") == ["", "One"]


def test_markup_is_no_part_of_a_heading() -> None:
    assert headings("## **Bold** and `code`\n") == ["Bold and code"]


def test_the_core_is_what_stands_first_and_how_the_agent_acts() -> None:
    body = f"Intro.\n{FILLER}## Examples\n{FILLER}## Workflow\n{FILLER}## Colours\n{FILLER}## References\n{FILLER}"

    core = core_of(body, EVERYTHING)

    assert core.omitted == ("Examples", "Colours", "References")
    assert core.text == f"Intro.\n{FILLER}\n## Workflow\n{FILLER}".strip()


def test_a_section_is_kept_with_the_headings_above_it() -> None:
    body = f"Intro.\n## Colours\n{FILLER * 4}### Rules\nBe kind.\n### Shades\n{FILLER * 4}"

    core = core_of(body, CoreKnobs(share=0.6, section_share=0.1, min_bytes=0))

    assert "### Rules\nBe kind." in core.text
    assert core.text.index("## Colours") < core.text.index("### Rules")
    assert core.omitted == ("Shades",)


def test_short_texts_and_texts_of_one_block_are_all_core() -> None:
    short = "Intro.\n## Examples\nA.\n"
    block = f"# Agent\n```yaml\n{FILLER * 20}```\n"

    assert core_of(short).text == short.strip()
    assert core_of(f"Intro.\n## Block\n{block}" + FILLER * 10).omitted == ()


BLOCKS = st.sampled_from(
    ["# A\n", "## Examples\n", "### Rules\n", "text\n", "```\n# code\n```\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "\n"]
)


@given(st.lists(BLOCKS, max_size=30), st.integers(0, 200))
def test_sections_put_together_are_the_text(blocks: list[str], max_bytes: int) -> None:
    body = "".join(blocks)

    sections = sections_of(body, max_bytes=max_bytes)

    assert "".join("".join(each.text.split()) for each in sections) == "".join(body.split())


@given(st.lists(BLOCKS, max_size=30))
def test_code_and_tables_are_never_cut(blocks: list[str]) -> None:
    core = core_of("".join(blocks), EVERYTHING)

    assert core.text.count("```") % 2 == 0
    assert core.text.count("| a | b |") == core.text.count("| 1 | 2 |")
