"""What requests name things by."""

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.wire.identifiers import (
    request_digest,
    to_definition_id,
    to_labels,
    to_message,
    to_names,
    to_request_id,
    to_run_id,
)
from support.violations import violations_of

REQUEST_ID = "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"


def problem(name: str, *, max_characters: int = 128) -> str:
    def understand() -> None:
        checks = Checks()
        if max_characters == 1_024:
            to_definition_id(checks, name, "name")
        else:
            to_run_id(checks, name, "name")
        checks.finish()

    return violations_of(understand).get("name", "")


@pytest.mark.parametrize("max_characters", [128, 1_024])
def test_a_name_has_a_bound(max_characters: int) -> None:
    assert problem("x", max_characters=max_characters) == ""
    assert problem("ü" * max_characters, max_characters=max_characters) == ""
    assert problem("x" * (max_characters + 1), max_characters=max_characters) == (
        f"{max_characters + 1} characters are more than the {max_characters} allowed: shorten it"
    )


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_a_name_says_something(name: str) -> None:
    assert problem(name) == "must not be empty"


@pytest.mark.parametrize(("letter", "code"), [("\0", "0000"), ("\n", "000A"), ("\x7f", "007F"), ("\x85", "0085")])
def test_a_name_holds_no_control_characters(letter: str, code: str) -> None:
    """PostgreSQL keeps no NUL: what holds one would be refused as late as in the database."""
    assert problem(f"run{letter}1") == f"holds the control character U+{code}: take it out"


def test_a_request_id_is_the_same_in_either_case() -> None:
    checks = Checks()

    assert to_request_id(checks, REQUEST_ID.upper()) == to_request_id(checks, REQUEST_ID) == REQUEST_ID
    checks.finish()


@pytest.mark.parametrize("value", ["1", REQUEST_ID[:-1], f"{{{REQUEST_ID}}}", REQUEST_ID.replace("-", ""), "٣" * 36])
def test_a_request_id_is_a_uuid(value: str) -> None:
    checks = Checks()
    to_request_id(checks, value)

    assert violations_of(checks.finish)["request_id"] == (
        f"{value!r} is no UUID: make one, such as 0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10"
    )


def test_a_request_id_is_required() -> None:
    checks = Checks()
    to_request_id(checks, "")

    assert violations_of(checks.finish) == {"request_id": "must not be empty: make a UUID, which makes repetition safe"}


def test_there_are_sixteen_labels_at_most() -> None:
    def understand(count: int) -> None:
        checks = Checks()
        assert to_labels(checks, dict.fromkeys(map(str, range(count)), "x")) is not None
        checks.finish()

    assert violations_of(lambda: understand(16)) == {}
    assert violations_of(lambda: understand(17)) == {"labels": "17 entries are more than the 16 allowed: send fewer"}


def test_keys_and_values_of_labels_have_a_bound() -> None:
    checks = Checks()
    kept = to_labels(checks, {"k" * 128: " v" * 64})
    checks.finish()
    to_labels(checks, {"": "x", "a": "", "b": "v" * 129, "c" * 129: "\0"})

    assert kept == {"k" * 128: " v" * 64}
    assert violations_of(checks.finish) == {
        "labels key ''": "must not be empty",
        "labels['a']": "must not be empty",
        "labels['b']": "129 characters are more than the 128 allowed: shorten it",
        f"labels key '{'c' * 40}'": "129 characters are more than the 128 allowed: shorten it",
        f"labels['{'c' * 40}']": "holds the control character U+0000: take it out",
    }


def test_names_are_stripped_and_counted() -> None:
    checks = Checks()
    assert to_names(checks, "agents", [" a", "b", "a"], max_count=3) == {"a", "b"}
    checks.finish()
    to_names(checks, "agents", ["a"] * 4, max_count=3)
    to_names(checks, "capabilities", ["a", ""], max_count=3)

    assert violations_of(checks.finish) == {
        "agents": "4 entries are more than the 3 allowed: send fewer",
        "capabilities[1]": "must not be empty",
    }


def test_words_for_people_may_be_none_and_hold_lines() -> None:
    checks = Checks()
    assert to_message(checks, "reason", "", max_characters=4) == ""
    assert to_message(checks, "reason", "a\nbü", max_characters=4) == "a\nbü"
    checks.finish()
    to_message(checks, "reason", "abcde", max_characters=4)

    assert violations_of(checks.finish) == {"reason": "5 characters are more than the 4 allowed: shorten it"}


class TestRequestDigest:
    """Which requests are the same."""

    def test_the_request_id_does_not_count(self) -> None:
        one = pb.CancelRunRequest(request_id="1", run_id="r", reason="x")
        other = pb.CancelRunRequest(request_id="2", run_id="r", reason="x")

        assert request_digest(one) == request_digest(other)
        assert one.request_id == "1"

    def test_the_content_counts(self) -> None:
        digests = {
            request_digest(pb.CancelRunRequest(run_id="r")),
            request_digest(pb.CancelRunRequest(run_id="r", reason="x")),
            request_digest(pb.CancelRunRequest(run_id="s")),
        }

        assert len(digests) == 3

    def test_the_method_counts(self) -> None:
        assert request_digest(pb.CancelRunRequest()) != request_digest(pb.StartRunRequest())

    def test_the_order_of_maps_does_not_count(self) -> None:
        names = [str(number) for number in range(50)]
        one, other = pb.StartRunRequest(), pb.StartRunRequest()
        for name in names:
            one.labels[name] = one.inputs[name] = name
        for name in reversed(names):
            other.labels[name] = other.inputs[name] = name

        assert request_digest(one) == request_digest(other)
        assert request_digest(one).startswith("sha256:")
