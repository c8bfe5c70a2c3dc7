"""What is past its retention goes, so much at a time that nobody waits long for it."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from ignis_server.workflow.journal import Removed, Retention
from ignis_server.workflow.sql.schema import blobs, definitions, events, labels, micros, requests, runs

__all__ = ["remove_old"]


def remove_old(connection: Connection, retention: Retention, *, limit: int, now: datetime) -> Removed:
    """Remove so much of each kind; what another replica is removing is left to it."""
    before = micros(now - retention.runs)
    ended = select(runs.c.id).where(runs.c.end_time <= before).order_by(runs.c.end_time, runs.c.id)
    run_ids = list(connection.execute(ended.limit(limit).with_for_update(skip_locked=True)).scalars())
    if run_ids:
        for column in (events.c.run_id, blobs.c.run_id, labels.c.run_id, runs.c.id):
            connection.execute(delete(column.table).where(column.in_(run_ids)))
    old = select(requests.c.id).where(requests.c.create_time <= micros(now - retention.requests))
    request_ids = list(connection.execute(old.limit(limit).with_for_update(skip_locked=True)).scalars())
    if request_ids:
        connection.execute(delete(requests).where(requests.c.id.in_(request_ids)))
    is_used = exists().where(runs.c.definition_digest == definitions.c.digest)
    unused = select(definitions.c.digest).where(definitions.c.keep_time <= before, ~is_used)
    digests = list(connection.execute(unused.limit(limit).with_for_update(skip_locked=True)).scalars())
    if digests:
        connection.execute(delete(definitions).where(definitions.c.digest.in_(digests)))
    return Removed(len(run_ids), len(request_ids), len(digests))
