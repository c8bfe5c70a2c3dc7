"""From bytes to text."""

import pytest

from ignis_server.agents.formats import TextFile, decode
from ignis_server.diagnostics import Severity


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\n", "plain\n"),
        ("späße ✓\n".encode(), "späße ✓\n"),
        (b"\xef\xbb\xbfwith a mark\n", "with a mark\n"),
        ("\ufeffsixteen\n".encode("utf-16-le"), "sixteen\n"),
        ("\ufeffsixteen\n".encode("utf-16-be"), "sixteen\n"),
        (b"dos\r\nlines\r\n", "dos\nlines\n"),
        (b"old mac\rlines\r", "old mac\nlines\n"),
        (b"tabs\tstay\n", "tabs\tstay\n"),
    ],
)
def test_text_is_read_whatever_its_mark_and_line_ends(data: bytes, text: str) -> None:
    assert decode("a.md", data) == (TextFile("a.md", text), ())


def test_text_that_is_not_utf8_is_read_with_a_warning_at_its_line() -> None:
    file, (diagnostic,) = decode("a.md", b"first\ncaf\xe9\n")

    assert file == TextFile("a.md", "first\ncafé\n")
    assert (diagnostic.line, diagnostic.severity, diagnostic.code) == (2, Severity.WARNING, "not-utf8")
    assert "0xe9" in diagnostic.message


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty-file", 1),
        (b" \n\t\r\n", "empty-file", 1),
        (b"\xef\xbb\xbf", "empty-file", 1),
        (b"one\ntwo\n\x00\x01", "binary-file", 3),
        (b"\xff\xfea", "bad-encoding", 1),
    ],
)
def test_what_holds_no_text_is_rejected(data: bytes, code: str, line: int) -> None:
    file, (diagnostic,) = decode("a.md", data)

    assert file is None
    assert (diagnostic.code, diagnostic.line, diagnostic.severity) == (code, line, Severity.ERROR)
