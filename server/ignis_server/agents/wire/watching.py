"""WatchCatalog: its request validated, its events encoded in messages that every client accepts."""

from collections.abc import Iterator
from typing import Final

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.history import CatalogStep
from ignis_server.agents.watch import CatalogEvent, CatalogHeartbeat, CatalogReplaced
from ignis_server.agents.wire.parts import MAX_PAGE_BYTES, from_summary
from ignis_server.rpc.checks import Checks

__all__ = ["from_event", "to_known_revision"]

MAX_REVISION_BYTES: Final = 128


def to_known_revision(request: pb.WatchCatalogRequest) -> str:
    """Validate the beginning of a watch.

    Raises:
        InvalidRequest: The revision is longer than any.
    """
    checks = Checks()
    revision = checks.text("known_revision", request.known_revision, max_bytes=MAX_REVISION_BYTES)
    checks.finish()
    return revision


def from_event(event: CatalogEvent) -> Iterator[pb.WatchCatalogResponse]:
    """Encode an event: one message, or several where a step is larger than what gRPC clients accept."""
    match event:
        case CatalogHeartbeat():
            yield pb.WatchCatalogResponse(heartbeat=pb.CatalogHeartbeat(revision=event.revision))
        case CatalogReplaced():
            parts = list(_parts(event.step))
            for number, part in enumerate(parts, start=1):
                part.revision = event.step.revision
                part.previous_revision = event.step.previous_revision
                part.change_time.FromDatetime(event.time)
                part.has_more = number < len(parts)
                yield pb.WatchCatalogResponse(change=part)


def _parts(step: CatalogStep) -> Iterator[pb.CatalogChange]:
    part, size = pb.CatalogChange(), 0
    for one in _changes(step):
        size += one.ByteSize()
        if size > MAX_PAGE_BYTES:
            yield part
            part, size = pb.CatalogChange(), one.ByteSize()
        part.MergeFrom(one)
    yield part


def _changes(step: CatalogStep) -> Iterator[pb.CatalogChange]:
    """Yield a step one agent at a time."""
    for agent in step.added:
        yield pb.CatalogChange(added=[from_summary(agent)])
    for agent in step.changed:
        yield pb.CatalogChange(changed=[from_summary(agent)])
    for agent_id in step.removed_ids:
        yield pb.CatalogChange(removed_ids=[agent_id])
