"""ListRuns: its request validated, a page of runs encoded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import PageTokenInvalid
from ignis_server.rpc.checks import Checks
from ignis_server.rpc.cursor import decode_cursor, encode_cursor
from ignis_server.workflow.journal import RunCursor, RunFilter, RunSummary
from ignis_server.workflow.wire.identifiers import request_digest, to_definition_id, to_labels
from ignis_server.workflow.wire.parts import MAX_PAGE_BYTES, RUN_STATES, to_time, within
from ignis_server.workflow.wire.runs import from_summary
from ignis_server.workflow.words import RunState

__all__ = ["RunPage", "from_run_page", "to_run_page"]

METHOD: Final = "ListRuns"
MAX_STATES: Final = 8
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Microseconds since 1970 up to the year 2286, and a run's id: a token is not signed, and what it says goes to the database.
POSITION: Final = re.compile(r"([0-9]{1,16}) ([^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128})", re.ASCII)
STATE_OF_NUMBER: Final = {int(number): state for state, number in RUN_STATES.items()}


@dataclass(frozen=True, slots=True)
class RunPage:
    """What a listing of runs asks for: those that a filter admits, behind a cursor."""

    chosen: RunFilter
    behind: RunCursor | None
    limit: int
    binding: str

    @property
    def wanted(self) -> int:
        """How many runs to look up: one more than the page has, which tells whether there is another page."""
        return self.limit + 1


def to_run_page(request: pb.ListRunsRequest) -> RunPage:
    """Validate a listing of runs.

    Raises:
        InvalidRequest, PageTokenInvalid: The request breaks rules, or its token is of another one.
    """
    checks = Checks()
    chosen = RunFilter(
        states=_to_states(checks, request),
        definition_id=to_definition_id(checks, request.definition_id, "definition_id") if request.definition_id else "",
        labels=to_labels(checks, request.labels),
        create_time_from=to_time(checks, "create_time_from", request.create_time_from)
        if request.HasField("create_time_from")
        else None,
        create_time_until=to_time(checks, "create_time_until", request.create_time_until)
        if request.HasField("create_time_until")
        else None,
    )
    limit = checks.page_size(request.page_size, default=50, most=1_000)
    checks.finish()
    binding = request_digest(request, without=("page_size", "page_token"))
    return RunPage(chosen, _to_cursor(request.page_token, binding), limit, binding)


def _to_states(checks: Checks, request: pb.ListRunsRequest) -> frozenset[RunState]:
    if len(request.states) > MAX_STATES:
        checks.add("states", f"{len(request.states)} entries are more than the {MAX_STATES} allowed: send each once")
        return frozenset()
    states = {
        checks.member(f"states[{number}]", value, pb.RunState.DESCRIPTOR, STATE_OF_NUMBER.get)
        for number, value in enumerate(request.states)
        if value != pb.RUN_STATE_UNSPECIFIED
    }
    # Unspecified is any, and any besides others is any.
    if pb.RUN_STATE_UNSPECIFIED in request.states:
        return frozenset()
    return frozenset(each for each in states if each is not None)


def _to_cursor(token: str, binding: str) -> RunCursor | None:
    if not token:
        return None
    position = POSITION.fullmatch(decode_cursor(token, method=METHOD, binding=binding))
    if position is None:
        raise PageTokenInvalid(METHOD)
    return RunCursor(EPOCH + timedelta(microseconds=int(position[1])), position[2])


def from_run_page(page: RunPage, summaries: Sequence[RunSummary]) -> pb.ListRunsResponse:
    """Encode a page of runs, of which `page.wanted` were looked up."""
    listed = list(within(MAX_PAGE_BYTES, map(from_summary, summaries[: page.limit])))
    token = ""
    if len(listed) < len(summaries):
        last = summaries[len(listed) - 1]
        position = f"{(last.create_time - EPOCH) // timedelta(microseconds=1)} {last.id}"
        token = encode_cursor(position, method=METHOD, binding=page.binding)
    return pb.ListRunsResponse(runs=listed, next_page_token=token)
