"""Values, and their bytes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.workflow.values import Value, ValueFault, decode, digest_of, encode, is_equal, kind_of, with_article

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
)


@given(VALUES)
def test_a_value_comes_back_from_its_bytes(value: Value) -> None:
    assert is_equal(decode(encode(value)), value)


def test_equal_objects_are_equal_bytes_whatever_the_order_of_their_keys() -> None:
    assert encode({"b": 1, "a": [True, None]}) == encode({"a": [True, None], "b": 1}) == b'{"a":[true,null],"b":1}'


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (math.nan, "nan is no number that JSON can say"),
        ([math.inf], "inf is no number"),
        (2**53 + 1, "beyond 2^53"),
        ("half a \ud83d", "half a character"),
        ({"\udc00": 1}, "half a character"),
        ({1: 2}, "the key 1 is no text"),
    ],
)
def test_what_json_cannot_say_is_refused(value: Value, problem: str) -> None:
    with pytest.raises(ValueFault, match=problem.replace("^", r"\^")):
        encode(value)


def test_nesting_has_a_bound() -> None:
    deep: Value = 1
    for _ in range(64):
        deep = [deep]

    assert encode(deep)
    with pytest.raises(ValueFault, match="64 levels"):
        encode([deep])


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ([1, {"a": True}], (1.0, {"a": True}), True),
        ([1], [True], False),
        ([1], [1, 1], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ("1", 1, False),
        ("ab", ["a", "b"], False),
    ],
)
def test_equality_keeps_kinds_apart(one: Value, other: Value, are_equal: bool) -> None:  # noqa: FBT001 - a case
    assert is_equal(one, other) is are_equal
    assert is_equal(other, one) is are_equal


def test_kinds_have_names() -> None:
    values: list[Value] = [None, True, 1, 1.5, "", [], (), {}]

    assert list(map(kind_of, values)) == ["null", "boolean", "number", "number", "text", "list", "list", "object"]
    assert [with_article(values[0]), with_article(values[-1]), with_article(values[2])] == [
        "null",
        "an object",
        "a number",
    ]


def test_a_digest_is_that_of_the_bytes() -> None:
    assert digest_of(encode({})) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
