"""python -m perf.accuracy: whether telemetry says what happened, field by field.

A scripted workload is replayed against a real `ignis serve` on the sample catalog, and every call is written down as its client saw
it: method, code, reason, bytes, duration, and for loads the answer. The server sends its telemetry by OTLP to a receiver that keeps
all of it. When the server has ended, both are compared: calls and spans by the trace id that each call was sent with, counters and
histograms with the sums over all calls.

The workload has loads that are computed, found again, waited for at once by ten, continued in conversations with prices of their
own, refused for each reason, malformed, and too late; searches, readings, watches that the client cancels or gives a deadline; methods
that are not served; calls that the client does not want a span of.

Counts, tokens, codes, reasons and attributes must be equal, all of them. A duration agrees if the server's span is not longer than
the call was for its client, and shorter by at most 5 % or 1 ms, whichever is more; nothing is subtracted for the way there and
back. The server is kept to one core, the client and the receiver to another. Where the client gave up, the server hears of it later, and the span may be longer by as much. At least 95 % must agree of
the calls that were made one at a time. Of those made by ten callers at once, most of the client's time is spent waiting until the
server, which has one thread, takes the call up; that share is printed beside, and not required.

Ends with status 1 if anything differs.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import uvloop

from ignis_server.telemetry.model import Signal
from perf.serving import keep_to_core, serving
from perf.telemetry.comparison import Received, Row, compared, joined, share_within, timed
from perf.telemetry.receiver import Receiver, receiver
from perf.telemetry.script import Script
from perf.telemetry.tables import table, write
from perf.telemetry.truth import OUTCOMES, Sent, answers, ends, load_sums

CATALOG = Path(__file__).parents[1] / "examples" / "catalog"
SEED = 20_261_124
LEAST_SHARE = 0.95
# The server has a core of its own, so that the client's clock does not count its waiting for one.
SERVER, CLIENT = 1, 0
DURATION, REQUEST_SIZE, RESPONSE_SIZE = (
    "rpc.server.call.duration",
    "rpc.server.request.size",
    "rpc.server.response.size",
)


@dataclass(frozen=True, slots=True)
class Audited:
    """What was compared: a row for each field, and the shares of durations that agree."""

    calls: int
    rows: Sequence[Row]
    share_alone: float
    share_at_once: float

    @property
    def differing(self) -> list[Row]:
        """The fields that are not equal."""
        return [row for row in self.rows if not row.is_equal]


async def audited(*, rounds: int) -> Audited:
    """Replay, wait for the end, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        async with receiver() as collector:
            environment = {
                "IGNIS_OUTBOX_DIR": folder,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            }
            async with (
                serving([CATALOG], environment=environment, core=SERVER) as server,
                grpc.aio.insecure_channel(server.address) as channel,
            ):
                keep_to_core(CLIENT)
                await channel.channel_ready()
                script = Script(channel, random.Random(SEED))  # noqa: S311 - a workload that repeats, no secret
                await script.run(rounds=rounds)
            # It has ended, and its last metrics have been sent.
            spans = list(_spans(collector))
            rows = [*_counted(script.sent, spans, _points(collector)), *joined(script.sent, spans), *_logged(collector)]
    alone, at_once = script.sent[: script.alone], script.sent[script.alone :]
    return Audited(len(script.sent), rows, share_within(timed(alone, spans)), share_within(timed(at_once, spans)))


def _counted(sent: Sequence[Sent], spans: Sequence[Received], points: dict[tuple[str, str], Any]) -> list[Row]:
    truth = ends(sent)
    sampled = ends(each for each in sent if each.is_sampled)
    rows = compared("spans of", sampled, Counter(_end(span.attributes) for span in spans))
    for metric, of in ((DURATION, None), (REQUEST_SIZE, "request_bytes"), (RESPONSE_SIZE, "response_bytes")):
        found = {_end(_said(point.attributes)): point for (name, _), point in points.items() if name == metric}
        rows += compared(f"count of {metric} of", truth, {end: point.count for end, point in found.items()})
        if of is not None:
            sums: Counter[tuple[str, str, str]] = Counter()
            for each in sent:
                sums[each.end] += getattr(each, of)
            rows += compared(f"sum of {metric} of", sums, {end: round(point.sum) for end, point in found.items()})
    rows += compared("counter", load_sums(answers(sent)), _numbers(points, "ignis.load."))
    outcomes = Counter(OUTCOMES[each.cache_outcome] for each in answers(sent))
    return rows + compared("answers", outcomes, _outcomes(points))


def _spans(collector: Receiver) -> Iterable[Received]:
    for taken in collector.taken:
        if taken.signal is Signal.TRACES:
            for of_resource in taken.request.resource_spans:
                for scope in of_resource.scope_spans:
                    for span in scope.spans:
                        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
                        said = _said(span.attributes)
                        yield Received(span.trace_id, span.parent_span_id, span.name, said, seconds)


def _points(collector: Receiver) -> dict[tuple[str, str], Any]:
    """Return the latest point of each metric by its attributes: all are cumulative."""
    found: dict[tuple[str, str], Any] = {}
    for taken in collector.taken:
        if taken.signal is Signal.METRICS:
            for of_resource in taken.request.resource_metrics:
                for scope in of_resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in getattr(metric, metric.WhichOneof("data")).data_points:
                            key = (metric.name, _key(_said(point.attributes)))
                            before = found.get(key)
                            if before is None or before.time_unix_nano <= point.time_unix_nano:
                                found[key] = point
    return found


def _logged(collector: Receiver) -> list[Row]:
    """Compare the log records that the script knows to be written: one start, one end, and no failure."""
    events = Counter(
        record.event_name
        for taken in collector.taken
        if taken.signal is Signal.LOGS
        for of_resource in taken.request.resource_logs
        for scope in of_resource.scope_logs
        for record in scope.log_records
    )
    known = {"server.started": 1, "server.stopping": 1, "call.failed": 0, "background.failed": 0, "outbox.lost": 0}
    return [Row(f"log records of {event}", count, events[event]) for event, count in known.items()]


def _numbers(points: dict[tuple[str, str], Any], prefix: str) -> dict[str, float]:
    return {
        f"{name} {key}".strip(): point.as_int or point.as_double
        for (name, key), point in points.items()
        if name.startswith(prefix) and hasattr(point, "as_int") and name != "ignis.load.answers"
    }


def _outcomes(points: dict[tuple[str, str], Any]) -> dict[str, int]:
    found = {}
    for (name, _), point in points.items():
        said = _said(point.attributes)
        if name == "ignis.load.answers" and not said["ignis.refused"]:
            found[str(said["ignis.cache.outcome"])] = point.as_int
    return found


def _end(said: dict[str, object] | Any) -> tuple[str, str, str]:  # noqa: ANN401 - a mapping
    return (str(said["rpc.method"]), str(said["rpc.response.status_code"]), str(said.get("error.type", "")))


def _said(attributes: Iterable[Any]) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}


def _key(said: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(said.items()))


def rows_of(found: Audited) -> list[Sequence[str]]:
    """Return all rows of the table; durations come last."""
    rows: list[Sequence[str]] = [
        (row.field, _shown(row.truth), _shown(row.received), "yes" if row.is_equal else "NO") for row in found.rows
    ]
    is_enough = "yes" if found.share_alone >= LEAST_SHARE else "NO"
    rows.append(("durations that agree, one call at a time", "at least 95%", f"{found.share_alone:.2%}", is_enough))
    rows.append(("durations that agree, ten callers at once", "", f"{found.share_at_once:.2%}", ""))
    return rows


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def main() -> None:
    """Parse, replay, compare, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=40, help="how often each kind of call is made (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder for telemetry-accuracy.json and telemetry-accuracy.md")
    given = parser.parse_args()
    found = uvloop.run(audited(rounds=given.rounds))
    text = table(("field", "truth", "received", "equal?"), rows_of(found))
    print(text)
    summary = f"{found.calls:,} calls, {len(found.rows)} fields, {len(found.differing)} of them differ"
    print(f"\n{summary}; durations that agree: {found.share_alone:.2%}")
    if given.out:
        figures = {
            "calls": found.calls,
            "fields": len(found.rows),
            "differing": [row.field for row in found.differing],
            "share_alone": found.share_alone,
            "share_at_once": found.share_at_once,
        }
        write(given.out, "telemetry-accuracy", {"accuracy": (text, figures)})
    if found.differing or found.share_alone < LEAST_SHARE:
        sys.exit(1)


if __name__ == "__main__":
    main()
