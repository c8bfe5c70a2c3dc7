"""Log lines as log records: which lines go on, with which fields, and how errors are described."""

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs, SeverityNumber

from ignis_server.telemetry.capture import Forgotten
from ignis_server.telemetry.logs import LogRelay
from ignis_server.telemetry.model import Signal
from support.fakes import HandClock


class Kept(Forgotten):
    """Keeps log records."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    def capture(self, signal: Signal, items: int, data: bytes) -> None:
        """Keep them."""
        records = ScopeLogs.FromString(data).log_records
        assert (signal, items) == (Signal.LOGS, len(records))
        self.records += records


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def relay(kept: Kept) -> LogRelay:
    relay = LogRelay(HandClock())
    relay.relay_to(kept)
    return relay


def attributes(kept: Kept) -> dict[str, AnyValue]:
    (record,) = kept.records
    return {each.key: each.value for each in record.attributes}


def fail() -> None:
    message = "what a caller wrote"
    raise ValueError(message)


def test_an_event_of_the_table_is_a_record_with_the_fields_that_the_table_names(relay: LogRelay, kept: Kept) -> None:
    relay(None, "warning", {"event": "background.failed", "task": "reload", "retry_seconds": 5, "needs": "a secret"})
    (record,) = kept.records
    assert record.event_name == "background.failed"
    assert record.severity_number == SeverityNumber.SEVERITY_NUMBER_WARN
    assert record.time_unix_nano == HandClock().now_ns()
    assert attributes(kept) == {"task": AnyValue(string_value="reload"), "retry_seconds": AnyValue(int_value=5)}


def test_an_event_that_the_table_does_not_know_is_written_and_not_handed_on(relay: LogRelay, kept: Kept) -> None:
    line = {"event": "somebody.else", "task": "reload"}
    assert relay(None, "info", dict(line)) == line
    assert kept.records == []


def test_no_line_is_handed_on_any_longer_once_that_was_said(relay: LogRelay, kept: Kept) -> None:
    relay.relay_to(None)
    relay(None, "error", {"event": "background.failed", "task": "reload"})
    assert kept.records == []


@pytest.mark.parametrize("handled", [True, False], ids=["the one being handled", "one that is given"])
def test_an_error_is_its_class_and_where_it_arose_and_not_what_it_says(
    relay: LogRelay, kept: Kept, *, handled: bool
) -> None:
    try:
        fail()
    except ValueError as error:
        relay(None, "error", {"event": "background.failed", "exc_info": True if handled else error})
    described = attributes(kept)
    assert described["exception.type"].string_value == "ValueError"
    assert described["exception.stacktrace"].string_value.splitlines()[-1].endswith(" in fail")
    assert "a caller" not in str(kept.records)


def test_a_line_that_speaks_of_an_error_where_there_is_none_describes_none(relay: LogRelay, kept: Kept) -> None:
    relay(None, "error", {"event": "background.failed", "task": "reload", "exc_info": True})
    assert set(attributes(kept)) == {"task"}
