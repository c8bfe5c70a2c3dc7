"""Checking requests."""

import pytest

from ignis_server.errors import InvalidRequest
from ignis_server.rpc.checks import Checks


def test_nothing_wrong_raises_nothing() -> None:
    checks = Checks()

    checks.text("brief", "x" * 10, max_bytes=10)
    checks.number("price", 1.0, least=0, most=1)

    checks.finish()


def test_length_is_counted_in_bytes_of_utf8() -> None:
    checks = Checks()

    checks.text("brief", "ü" * 6, max_bytes=10)

    with pytest.raises(InvalidRequest, match="12 bytes are more than the 10 allowed"):
        checks.finish()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 10.1])
def test_a_number_out_of_range_is_a_violation(value: float) -> None:
    checks = Checks()

    checks.number("prices.cache_read", value, least=0, most=10)

    with pytest.raises(InvalidRequest, match="is not between 0 and 10"):
        checks.finish()


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1_000, 1_000), (5_000, 1_000)])
def test_a_page_size_is_defaulted_and_reduced(asked: int, given: int) -> None:
    checks = Checks()

    assert checks.page_size(asked, default=50, most=1_000) == given
    checks.finish()


def test_a_negative_page_size_is_a_violation() -> None:
    checks = Checks()

    checks.page_size(-1, default=50, most=1_000)

    with pytest.raises(InvalidRequest, match="page_size: -1 is negative"):
        checks.finish()
