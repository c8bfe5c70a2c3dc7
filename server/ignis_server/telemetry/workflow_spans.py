"""Runs and attempts as spans, by OpenTelemetry's conventions for generative AI.

They are as long as a run is, maybe for days, so each is written down when it ends, with the times that the journal has. A run
that was begun by a call is in that call's trace, on whatever replica it ends.
"""

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ignis_server.rpc.trace import CallTrace
from ignis_server.signals import AttemptEnded, RunEnded, TokensUsed
from ignis_server.telemetry.call_spans import encode_attributes
from ignis_server.telemetry.otlp import FIELD_2, length_delimited

__all__ = ["encoded_span"]

# What an attempt or a run comes to where nothing is wrong with it.
GOOD = frozenset({"completed", "held"})


def encoded_span(signal: RunEnded | AttemptEnded) -> bytes | None:
    """Return the end of a run or of an attempt as field 2 of a ScopeSpans; None where its trace is not sampled."""
    trace = CallTrace((("traceparent", signal.traceparent),))
    if not trace.is_sampled:
        return None
    match signal:
        case RunEnded():
            name, outcome = "invoke_workflow", signal.state
            said: dict[str, str | int | bool] = {"ignis.run.state": signal.state, "ignis.run.steps": signal.steps}
        case AttemptEnded():
            name, outcome = "invoke_agent", signal.outcome
            said = {"ignis.step.attempt": signal.attempt, "ignis.step.outcome": signal.outcome}
    attributes = {
        "gen_ai.operation.name": name,
        "gen_ai.conversation.id": signal.run_id,
        **_used(signal.tokens),
        **said,
    }
    if outcome not in GOOD:
        attributes["error.type"] = outcome
    span = Span(
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        parent_span_id=trace.parent_id,
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=signal.began_ns,
        end_time_unix_nano=signal.ended_ns,
        status=Status(code=Status.STATUS_CODE_UNSET if outcome in GOOD else Status.STATUS_CODE_ERROR),
    )
    span.MergeFromString(encode_attributes(attributes))
    return length_delimited(FIELD_2, span.SerializeToString())


def _used(tokens: TokensUsed) -> dict[str, str | int | bool]:
    used = {
        "gen_ai.usage.input_tokens": tokens.input_tokens,
        "gen_ai.usage.output_tokens": tokens.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": tokens.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": tokens.cache_write_tokens,
    }
    return {name: count for name, count in used.items() if count}
