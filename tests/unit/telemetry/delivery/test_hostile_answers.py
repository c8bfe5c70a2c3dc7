"""Whatever a destination says, it is one of the four outcomes, with a pause that is a number and a message of bounded length."""

import math
from datetime import UTC, datetime

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.delivery.answers import accepted
from ignis_server.telemetry.delivery.otlp_grpc import outcome_of
from ignis_server.telemetry.delivery.otlp_http import retry_after_seconds
from ignis_server.telemetry.delivery.transport import Retry, TooLarge, tidied
from ignis_server.telemetry.model import Signal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def retry_info(seconds: int, nanos: int = 0) -> bytes:
    retry = RetryInfo()
    retry.retry_delay.seconds, retry.retry_delay.nanos = seconds, nanos
    status = Status()
    status.details.add().Pack(retry)
    return status.SerializeToString()


@given(
    st.text()
    | st.from_regex(r"[0-9]{1,500}", fullmatch=True)
    | st.datetimes().map(lambda date: f"{date:%a, %d %b %Y %T GMT}")
)
def test_any_retry_after_is_a_time_or_nothing(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)

    assert seconds is None or (seconds >= 0 and not math.isnan(seconds))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("0", 0),
        (" 120 ", 120),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0),
        ("Thu, 01 Jan 2026 00:01:00 -0000", 60),
    ],
)
def test_forms_of_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.sampled_from(FAILURES), st.text(), st.none() | st.binary() | st.text())
def test_any_status_is_an_outcome(code: grpc.StatusCode, text: str, details: str | bytes | None) -> None:
    outcome = outcome_of(code, text, details)

    assert len(outcome.message) <= 300
    assert outcome.message.isprintable()


@given(st.integers(-(1 << 62), 1 << 62), st.integers(-(1 << 31), (1 << 31) - 1))
def test_any_delay_is_a_time(seconds: int, nanos: int) -> None:
    outcome = outcome_of(grpc.StatusCode.UNAVAILABLE, "", retry_info(seconds, nanos))

    assert isinstance(outcome, Retry)
    assert outcome.after_seconds is not None
    assert outcome.after_seconds >= 0


def test_an_answer_that_is_too_large_for_us_is_no_fault_of_the_request() -> None:
    """OTLP obliges us to take it as final; cutting the request would not make the answer smaller."""
    outcome = outcome_of(grpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Received message larger than max (5 vs. 4)", None)

    assert not isinstance(outcome, Retry | TooLarge)


@given(st.sampled_from(Signal), st.binary())
def test_any_body_of_a_success_is_success(signal: Signal, body: bytes) -> None:
    assert isinstance(accepted(signal, body).rejected_items, int)


@given(st.text())
def test_what_is_kept_of_a_message_is_one_short_line(text: str) -> None:
    line = tidied(text)

    assert len(line) <= 300
    assert line.isprintable()
    assert line == line.strip()
