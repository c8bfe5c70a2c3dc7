"""Headers as people write them: any string is read or refused, never with a value told, never with one that splits a request."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.delivery.headers import header_mistakes, headers_of_lines, headers_of_list

good_names = st.from_regex(r"x-[a-z0-9_.]{1,10}[a-z]", fullmatch=True)
good_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip)


@given(st.dictionaries(good_names, good_values, max_size=8))
def test_what_is_percent_encoded_comes_back(headers: dict[str, str]) -> None:
    text = ",".join(f"{name}={quote(value, safe='')}" for name, value in headers.items())

    assert headers_of_list(text) == (tuple(headers.items()), [])


@given(st.dictionaries(good_names, good_values, max_size=8))
def test_lines_come_back(headers: dict[str, str]) -> None:
    text = "\n".join(f"{name.upper()}:  {value}" for name, value in headers.items())

    assert headers_of_lines(text) == (tuple(headers.items()), [])


@given(st.text())
def test_any_list_is_read_or_refused(text: str) -> None:
    headers, _ = headers_of_list(text)

    for name, value in headers:
        if not list(header_mistakes(name, value)):
            assert value.isascii()
            assert value.isprintable()
            assert "\n" not in name + value
            assert "\r" not in name + value


@given(st.text())
def test_any_file_is_read_or_refused(text: str) -> None:
    headers, mistakes = headers_of_lines(text)

    for name, value in headers:
        assert mistakes or (value.isascii() and value.isprintable() and name == name.lower())


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", ()),
        (" , ,", ()),
        ("a=1", (("a", "1"),)),
        ("a = 1 , b=2", (("a", "1"), ("b", "2"))),
        ("Authorization=Bearer%20abc", (("authorization", "Bearer abc"),)),
        # Not encoded, as many write it.
        ("Authorization=Bearer abc", (("authorization", "Bearer abc"),)),
        ("a=x=y==", (("a", "x=y=="),)),
        ("a=1,a=2", (("a", "2"),)),
        ("a=", (("a", ""),)),
        ("a=1%2C2%3B3", (("a", "1,2;3"),)),
    ],
)
def test_forms_of_a_list(text: str, headers: tuple[tuple[str, str], ...]) -> None:
    assert headers_of_list(text) == (headers, [])


def test_what_is_wrong_with_a_list_is_said_without_the_secret() -> None:
    headers, mistakes = headers_of_list("a=1,s3cret,b=x;y=s3cret")

    assert headers == (("a", "1"),)
    assert mistakes == [
        "entry 2 has no '=': it must be name=value, with a comma in a value written %2C",
        "'b' has a ';' in its value, where properties are not supported: write it %3B",
    ]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("a b", "v", "is no name of a header"),
        ("", "v", "is no name of a header"),
        ("UPPER", "v", "is no name of a header"),
        ("content-type", "v", "is set by each request itself"),
        ("grpc-timeout", "v", "is set by each request itself"),
        ("ignis-batch-part", "v", "is set by each request itself"),
        ("trace-bin", "v", "would hold bytes"),
        ("a", "s3cret\r\nx: y", "other than printable ASCII"),
        ("a", "s3crét", "other than printable ASCII"),
        ("a", "s3cret" * 2_000, "is 12000 letters long, of which receivers take 6144"),
    ],
)
def test_headers_that_cannot_be_sent(name: str, value: str, complaint: str) -> None:
    (mistake,) = header_mistakes(name, value)

    assert complaint in mistake
    assert "s3cr" not in mistake
