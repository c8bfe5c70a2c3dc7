"""Whatever a client sends is understood or refused: nothing else may come of it."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import InvalidRequest, PageTokenInvalid, ResumeTokenInvalid
from ignis_server.workflow.wire import definitions, listing, people, runs, starting, watching, working
from ignis_server.workflow.wire.identifiers import request_digest

TEXTS = st.sampled_from(["", " ", "x", "run-1", "\0", "x" * 2_000, "0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10", "WzFd"])
MAX_DEPTH = 4


def whole(bits: int, *, is_signed: bool = True) -> st.SearchStrategy[int]:
    least = -(2 ** (bits - 1)) if is_signed else 0
    return st.sampled_from([0, 1, -1, 7, 1_000, 999_999_999, least, 2 ** (bits - 1) - 1]).filter(lambda n: n >= least)


SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=3),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_INT32: whole(32),
    FieldDescriptor.TYPE_INT64: whole(64),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 12),
}


@st.composite
def written(draw: st.DrawFn, kind: type[Message]) -> Message:
    """A message with any of its fields set to anything, as a client would have sent it."""
    message = kind()
    _fill(draw, message, MAX_DEPTH)
    return message


def _fill(draw: st.DrawFn, message: Message, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if not draw(st.booleans()):
            continue
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            _set(draw, message, field.name)
        elif depth:
            _set_message(draw, message, field.name, depth)


def _set(draw: st.DrawFn, message: Message, name: str) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    # An enum with one value only admits that.
    is_null = field.enum_type is not None and field.enum_type.name == "NullValue"
    value = 0 if is_null else draw(SCALARS[field.type])
    if field.is_repeated:
        getattr(message, name).extend([value] * draw(st.sampled_from([1, 2, 130])))
    else:
        setattr(message, name, value)


def _set_message(draw: st.DrawFn, message: Message, name: str, depth: int) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    target = getattr(message, name)
    assert field.message_type
    if field.message_type.GetOptions().map_entry:
        for key in draw(st.lists(TEXTS, max_size=2)):
            if field.message_type.fields_by_name["value"].message_type:
                _fill(draw, target[key], depth - 1)
            else:
                target[key] = draw(TEXTS)
    elif field.is_repeated:
        for _ in range(draw(st.sampled_from([1, 2, 66]))):
            target.add()
        _fill(draw, target[0], depth - 1)
    else:
        target.SetInParent()
        _fill(draw, target, depth - 1)


UNDERSTANDING: dict[type[Message], Callable[[Any], object]] = {
    pb.ListDefinitionsRequest: definitions.to_definition_page,
    pb.GetDefinitionRequest: definitions.to_definition_reference,
    pb.StartRunRequest: starting.to_start,
    pb.GetRunRequest: runs.to_run_reference,
    pb.GetStepRequest: runs.to_step_reference,
    pb.ListRunsRequest: listing.to_run_page,
    pb.CancelRunRequest: runs.to_cancellation,
    pb.ClaimStepRequest: working.to_claim,
    pb.HeartbeatStepRequest: working.to_heartbeat,
    pb.CompleteStepRequest: working.to_completion,
    pb.FailStepRequest: working.to_failure,
    pb.ResolveInputRequest: people.to_resolution,
    pb.WatchRunRequest: watching.to_watch,
}


def test_every_request_of_the_service_is_here() -> None:
    methods = pb.DESCRIPTOR.services_by_name["WorkflowService"].methods

    assert {kind.DESCRIPTOR.full_name for kind in UNDERSTANDING} == {each.input_type.full_name for each in methods}


@pytest.mark.parametrize("kind", UNDERSTANDING, ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.data())
def test_any_request_is_understood_or_refused(kind: type[Message], data: st.DataObject) -> None:
    request = data.draw(written(kind))
    try:
        UNDERSTANDING[kind](request)
    except InvalidRequest as refused:
        said = [each.description for each in refused.violations]
    except (PageTokenInvalid, ResumeTokenInvalid):
        said = []
    else:
        said = []

    assert all(said)


@pytest.mark.parametrize("kind", [pb.StartRunRequest, pb.CancelRunRequest, pb.ResolveInputRequest])
@given(data=st.data())
def test_a_request_that_went_over_the_wire_has_the_same_digest(kind: type[Message], data: st.DataObject) -> None:
    request = data.draw(written(kind))

    again = kind.FromString(request.SerializeToString())

    assert request_digest(again) == request_digest(request)
