"""The tokenizer."""

import ast
import inspect
import socket
import textwrap

import pytest
import tiktoken_ext.openai_public

from ignis_server.agents import tokenizer
from ignis_server.agents.tokenizer import TiktokenTokenizer, load_o200k_base


def test_vocabulary_and_pattern_are_those_of_the_installed_tiktoken() -> None:
    """Tiktoken gives them away only together with a download, so its source is read."""
    source = ast.parse(textwrap.dedent(inspect.getsource(tiktoken_ext.openai_public.o200k_base)))
    texts = [node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    joined = next(
        "|".join(ast.literal_eval(node.args[0]))
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "'|'.join"
    )

    assert tokenizer.O200K_SHA256 in texts
    assert joined == tokenizer.O200K_PATTERN


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("<|endoftext|>", 7), ("\n\n\n", 1), ("antidisestablishmentarianism", 6)],
)
def test_counts_are_known(tokenizer: TiktokenTokenizer, text: str, tokens: int) -> None:
    assert tokenizer.count([text]) == [tokens]


def test_loading_does_not_touch_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert load_o200k_base().count(["hello world"]) == [2]


def test_another_vocabulary_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "O200K_SHA256", "0" * 64)

    with pytest.raises(RuntimeError, match="reinstall bpe-openai"):
        load_o200k_base()
