"""What arrived, span by span."""

import math

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ignis_server.telemetry.model import Signal
from perf.telemetry.arrivals import (
    Arrival,
    Repeated,
    arrivals,
    catch_up_seconds,
    delays_seconds,
    lost,
    percentile,
    repeated,
)
from perf.telemetry.receiver import Taken


def came(number: int, batch: str = "box/1", *, ended: float = 0.0, received: float = 1.0) -> Arrival:
    name = bytes([number])
    return Arrival(name, name, round(ended * 1e9), round(received * 1e9), batch)


def test_spans_are_found_with_the_batch_that_they_came_in() -> None:
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="ignis.outbox.id").value.string_value = "box"
    of_resource.resource.attributes.add(key="ignis.batch.sequence").value.int_value = 7
    of_resource.scope_spans.add().spans.add(trace_id=b"t", span_id=b"s", end_time_unix_nano=3)

    found = list(arrivals([Taken(Signal.TRACES, request, 5), Taken(Signal.LOGS, None, 6)]))

    assert found == [Arrival(b"t", b"s", 3, 5, "box/7")]


def test_a_call_is_lost_whose_span_neither_came_nor_was_rejected() -> None:
    assert lost([b"a", b"b", b"c"], [b"a", b"x"], [b"b"]) == [b"c"]


def test_nothing_is_repeated_where_all_came_once() -> None:
    assert repeated([came(1), came(2)]) == Repeated(0, is_by_whole_batches=True)


def test_a_batch_that_came_twice_as_a_whole_is_told_from_one_that_came_in_part() -> None:
    whole = [came(1), came(2), came(3, "box/2"), came(1), came(2)]

    assert repeated(whole) == Repeated(2, is_by_whole_batches=True)
    assert repeated(whole[:-1]) == Repeated(1, is_by_whole_batches=False)


def test_a_span_that_came_in_two_batches_is_no_repetition_of_a_batch() -> None:
    assert repeated([came(1), came(1, "box/2")]) == Repeated(1, is_by_whole_batches=False)


def test_repetitions_of_those_who_number_no_batches_are_not_by_whole_batches() -> None:
    assert repeated([came(1, ""), came(1, "")]) == Repeated(1, is_by_whole_batches=False)


def test_the_first_receipt_counts() -> None:
    found = delays_seconds([came(1, received=4.0), came(2, ended=2.5, received=3.0), came(1, received=9.0)])

    assert found == [0.5, 4.0]


def test_catching_up_takes_until_the_last_of_those_is_there_that_had_ended_when_trouble_was_over() -> None:
    seen = [came(1, ended=1, received=12), came(2, ended=9, received=14), came(3, ended=11, received=20)]

    assert catch_up_seconds(seen, 10 * 10**9) == 4.0
    assert catch_up_seconds(seen[:1], 13 * 10**9) == 0.0


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 201)]

    assert (percentile(values, 99), percentile(values, 100), percentile(values, 50)) == (198, 200, 100)
    assert math.isnan(percentile([], 99))
