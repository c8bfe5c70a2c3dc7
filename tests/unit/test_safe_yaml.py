"""YAML of strangers: bombs and what is no YAML, by the parser in C and by the one in Python."""

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ignis_server import safe_yaml
from ignis_server.safe_yaml import YamlFault, compose


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by one of the two: a machine may have no libyaml."""
    monkeypatch.setattr(safe_yaml, "Loader", getattr(yaml, request.param))


def fault_of(text: str, *, max_depth: int = 3, tags_are_ignored: bool = False) -> YamlFault:
    with pytest.raises(YamlFault) as caught:
        compose(text, max_depth=max_depth, tags_are_ignored=tags_are_ignored)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: &x 1\nb: *x", 2, "alias"),
        ("a: 1\nb: !!python/name:os.system x", 2, "it uses a tag"),
        ("a:\n  b:\n    c:\n      d: 1", 4, "deeper than 3 levels"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("a: 1\nb: }", 2, ""),
    ],
)
def test_what_is_not_wanted_is_named_with_its_line(text: str, line: int, words: str) -> None:
    fault = fault_of(text)
    assert fault.line == line
    assert words in fault.problem


@pytest.mark.parametrize("escape", ["\\UFFFFFFFF", "\\U00110000"])
def test_an_escape_for_no_character_is_a_fault(escape: str) -> None:
    assert "character" in fault_of(f'a: "{escape}"').problem


def test_a_bomb_is_refused_before_it_is_built() -> None:
    # libyaml has a bound of its own, which is far above ours.
    assert "nest" in fault_of("[" * 100_000).problem


def test_tags_may_be_ignored() -> None:
    node = compose("a: !!int 5", max_depth=3, tags_are_ignored=True)
    assert isinstance(node, yaml.MappingNode)


def test_an_empty_text_has_no_node() -> None:
    assert compose("# nothing\n", max_depth=3, tags_are_ignored=False) is None


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(YamlFault):
        compose(text, max_depth=24, tags_are_ignored=False)
