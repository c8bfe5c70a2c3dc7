"""Values on the wire."""

import math

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct
from google.protobuf.struct_pb2 import Value as ValueMessage
from hypothesis import given
from hypothesis import strategies as st

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.values import Json, Value, decode, encode, is_equal
from ignis_server.workflow.wire.documents import from_document, from_value, to_document, to_value
from support.violations import violations_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5), max_leaves=20
)


def read(message: ValueMessage) -> Value:
    checks = Checks()
    value = to_value(checks, "answer", message)
    checks.finish()
    return value


@given(VALUES)
def test_a_value_comes_back_from_the_wire(value: Value) -> None:
    message = ValueMessage.FromString(from_value(encode(value)).SerializeToString())

    assert is_equal(read(message), value)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_a_document_comes_back_from_the_wire(value: dict[str, Value]) -> None:
    checks = Checks()
    message = Struct.FromString(from_document(encode(value)).SerializeToString())

    assert is_equal(to_document(checks, "inputs", message), value)
    checks.finish()


@pytest.mark.parametrize(
    ("number", "value"), [(3.0, 3), (-0.0, 0), (2.0**53, 2**53), (2.0**54, 2.0**54), (1e300, 1e300), (0.5, 0.5)]
)
def test_whole_numbers_are_whole_where_that_is_exact(number: float, value: float) -> None:
    got = read(ValueMessage(number_value=number))

    assert got == value
    assert type(got) is type(value)
    assert encode(got)


@pytest.mark.parametrize("empty", [Json(b"{}"), Json(b"[]"), Json(b"null"), Json(b'""'), Json(b'{"a":[{}]}')])
def test_what_is_empty_is_there(empty: Json) -> None:
    message = from_value(empty)

    assert message.WhichOneof("kind") is not None
    assert encode(read(message)) == empty


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(number: float) -> None:
    message = ValueMessage(list_value=ListValue(values=[ValueMessage(number_value=number)]))

    assert violations_of(lambda: read(message)) == {
        "answer": f"cannot be kept: {number} is no number that JSON can say; send null or a text"
    }


def test_a_value_that_is_not_set_is_refused() -> None:
    assert violations_of(lambda: read(ValueMessage())) == {
        "answer": "cannot be kept: a value is not set; send null_value for null"
    }


def nested(levels: int, *, in_lists: bool) -> Value:
    value: Value = 1
    for _ in range(levels):
        value = [value] if in_lists else {"a": value}
    return value


@pytest.mark.parametrize("in_lists", [True, False])
def test_nesting_has_a_bound(in_lists: bool) -> None:  # noqa: FBT001 - a parameter of the test
    at, above = (from_value(encode(nested(levels, in_lists=in_lists))) for levels in (24, 25))

    assert read(at) == nested(24, in_lists=in_lists)
    assert violations_of(lambda: read(above)) == {
        "answer": "cannot be kept: it nests deeper than 24 levels; send what is inside as a text of JSON"
    }


def test_a_document_is_a_level_of_its_own() -> None:
    checks = Checks()
    to_document(checks, "output", from_document(encode({"at": nested(23, in_lists=True)})))
    checks.finish()
    to_document(checks, "output", from_document(encode({"above": nested(24, in_lists=True), "fine": 1})))

    assert list(violations_of(checks.finish)) == ["output.above"]


def test_what_came_in_can_go_out_in_the_deepest_message_of_all() -> None:
    """Protobuf reads 100 messages within each other: a value that a step may report must not be one that nobody can fetch."""
    document: Value = nested(24, in_lists=False)
    for _ in range(9):
        document = [document]
    inputs = from_document(encode({"steps": {"each": [document]}}))

    claimed = pb.ClaimStepResponse(claimed=pb.ClaimedStep(inputs=inputs))

    assert pb.ClaimStepResponse.FromString(claimed.SerializeToString()) == claimed


def test_a_document_is_an_object() -> None:
    with pytest.raises(TypeError, match="is an object"):
        from_document(Json(b"[]"))


def test_numbers_go_out_as_doubles() -> None:
    message = from_value(encode([1, 1.5, True]))

    assert [each.WhichOneof("kind") for each in message.list_value.values] == [
        "number_value",
        "number_value",
        "bool_value",
    ]
    assert decode(encode(read(message))) == [1, 1.5, True]
