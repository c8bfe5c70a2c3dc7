"""WatchRun: its request validated, its messages encoded, and the tokens by which a watch goes on elsewhere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import PageTokenInvalid, ResumeTokenInvalid
from ignis_server.rpc.checks import Checks
from ignis_server.rpc.cursor import decode_cursor, encode_cursor
from ignis_server.workflow.run import Run
from ignis_server.workflow.wire.identifiers import to_run_id
from ignis_server.workflow.wire.parts import MAX_PAGE_BYTES, from_time
from ignis_server.workflow.wire.runs import from_run

__all__ = ["Watch", "from_events", "from_heartbeat", "from_snapshot", "to_watch"]

METHOD: Final = "WatchRun"
# A token is not signed: what it says must be a number that a database takes.
MAX_VERSION_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, and the version behind which the watch goes on; None: it begins with a snapshot."""

    run_id: str
    after: int | None


def to_watch(request: pb.WatchRunRequest) -> Watch:
    """Validate the beginning of a watch.

    Raises:
        InvalidRequest, ResumeTokenInvalid: The request breaks rules, or its token is of another run.
    """
    checks = Checks()
    run_id = to_run_id(checks, request.run_id)
    checks.finish()
    return Watch(run_id, _to_version(run_id, request.resume_token) if request.resume_token else None)


def _to_version(run_id: str, token: str) -> int:
    try:
        version = decode_cursor(token, method=METHOD, binding=run_id)
    except PageTokenInvalid as error:
        raise ResumeTokenInvalid(run_id) from error
    if not (version.isascii() and version.isdecimal() and len(version) <= MAX_VERSION_DIGITS and int(version)):
        raise ResumeTokenInvalid(run_id)
    return int(version)


def _from_version(run_id: str, version: int) -> str:
    return encode_cursor(str(version), method=METHOD, binding=run_id)


def from_snapshot(run: Run) -> pb.WatchRunResponse:
    """Encode where a run stands."""
    return pb.WatchRunResponse(snapshot=from_run(run), resume_token=_from_version(run.id, run.version))


def from_events(run_id: str, events: Iterable[pb.RunEvent]) -> Iterator[pb.WatchRunResponse]:
    """Encode events that follow each other: in one message, or in several where a client would not accept it."""
    part: list[pb.RunEvent] = []
    size = 0
    for event in events:
        size += event.ByteSize()
        if part and size > MAX_PAGE_BYTES:
            yield _from_part(run_id, part)
            part, size = [], event.ByteSize()
        part.append(event)
    if part:
        yield _from_part(run_id, part)


def _from_part(run_id: str, part: list[pb.RunEvent]) -> pb.WatchRunResponse:
    token = _from_version(run_id, part[-1].version)
    return pb.WatchRunResponse(events=pb.RunEvents(events=part), resume_token=token)


def from_heartbeat(run_id: str, version: int, now: datetime) -> pb.WatchRunResponse:
    """Say that nothing has happened since a version."""
    return pb.WatchRunResponse(
        heartbeat=pb.WatchHeartbeat(time=from_time(now)), resume_token=_from_version(run_id, version)
    )
