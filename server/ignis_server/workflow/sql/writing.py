"""What the journal writes, as work in one transaction each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Executable, Table, and_, bindparam, delete, insert, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ignis_server.workflow.changes import Changes
from ignis_server.workflow.definition_codec import encode_definition
from ignis_server.workflow.event_codec import encode_events
from ignis_server.workflow.journal import Answered, Beside, RaceLost, Retention
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.sql import schema
from ignis_server.workflow.sql.prepared import Prepared
from ignis_server.workflow.sql.reading import answered
from ignis_server.workflow.sql.schema import joined, micros
from ignis_server.workflow.state_machine import Decision

__all__ = ["Entry", "append", "keep_definition", "start"]


def _insert(dialect: str, table: Table) -> Any:  # noqa: ANN401 - the two have the same methods, and no common type
    return postgres_insert(table) if dialect == "postgresql" else sqlite_insert(table)


def _putting(table: Table) -> Prepared:
    return Prepared(lambda _: insert(table), table.columns.keys())


def _taking(dialect: str) -> Executable:
    """Return what notes a request, unless it was answered and that is not too long ago."""
    statement = _insert(dialect, schema.requests)
    renewed = {name: statement.excluded[name] for name in schema.requests.columns.keys() if name != "id"}  # noqa: SIM118 - no dict
    is_old = schema.requests.c.create_time <= bindparam("old_until", type_=BigInteger)
    taking: Executable = statement.on_conflict_do_update(index_elements=["id"], set_=renewed, where=is_old)
    return taking


def _forgetting(table: Table) -> Prepared:
    is_it = and_(table.c.run_id == bindparam("of_run"), table.c.step_id == bindparam("of_step"))
    return Prepared(lambda _: delete(table).where(is_it), ("of_run", "of_step"))


def _moving(_: str) -> Executable:
    return (
        update(schema.runs)
        .where(schema.runs.c.id == bindparam("of_run"), schema.runs.c.version == bindparam("before"))
        .values({name: bindparam(f"new_{name}") for name in _MOVED} | {"held_until": 0})
    )


_MOVED = ("state", "version", "end_time", "deadline", "summary")
_MOVE = Prepared(_moving, ("of_run", "before", *(f"new_{name}" for name in _MOVED)))
_FORGET = (_forgetting(schema.claimable_steps), _forgetting(schema.leases))
_TAKE_REQUEST = Prepared(_taking, (*schema.requests.columns.keys(), "old_until"))
_BEGIN = Prepared(
    lambda dialect: _insert(dialect, schema.runs).on_conflict_do_nothing(index_elements=["id"]),
    schema.runs.columns.keys(),
)
_PUT_LABEL, _PUT_EVENTS = _putting(schema.labels), _putting(schema.events)
_PUT_CLAIMABLE, _PUT_LEASE = _putting(schema.claimable_steps), _putting(schema.leases)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written at once: a decision, what it changes, and what goes with it; `now` is the database's time."""

    decision: Decision
    changes: Changes
    beside: Beside
    now: datetime
    retention: Retention


def keep_definition(connection: Connection, plan: Plan, now: datetime) -> None:
    """Keep a definition, or say that it is still in use."""
    row = {
        "digest": plan.digest,
        "id": plan.definition.id,
        "content": encode_definition(plan.definition),
        "keep_time": micros(now),
    }
    statement = _insert(connection.dialect.name, schema.definitions)
    keep = statement.on_conflict_do_update(index_elements=["digest"], set_={"keep_time": statement.excluded.keep_time})
    connection.execute(keep, row)


def start(connection: Connection, entry: Entry) -> Answered | None:
    """Begin a run."""
    before = _take_request(connection, entry)
    if before:
        return before
    summary = entry.changes.summary
    row = {
        "id": summary.id,
        "definition_id": summary.definition_id,
        "definition_digest": summary.definition_digest,
        "create_time": micros(summary.create_time),
        "held_until": 0,
    } | _standing(entry.changes)
    if not _BEGIN.run(connection, row):
        raise RaceLost(summary.id, 0)
    _PUT_LABEL.run(connection, *({"run_id": summary.id, "key": k, "value": v} for k, v in summary.labels.items()))
    _put_rows(connection, entry)
    return None


def append(connection: Connection, entry: Entry) -> Answered | None:
    """Append to a run."""
    before = _take_request(connection, entry)
    if before:
        return before
    run_id, version = entry.changes.summary.id, entry.decision.events[0].version - 1
    standing = {f"new_{name}": value for name, value in _standing(entry.changes).items()}
    if not _MOVE.run(connection, {"of_run": run_id, "before": version} | standing):
        raise RaceLost(run_id, version)
    steps = [{"of_run": run_id, "of_step": step_id} for step_id in entry.changes.touched]
    for statement in _FORGET:
        statement.run(connection, *steps)
    _put_rows(connection, entry)
    return None


def _take_request(connection: Connection, entry: Entry) -> Answered | None:
    """Note a request as answered, or return how it was: of two at once, the second waits for the first."""
    request = entry.beside.request
    if request is None:
        return None
    row = {
        "id": request.id,
        "digest": request.digest,
        "answer": request.answer,
        "run_id": entry.changes.summary.id,
        "create_time": micros(entry.now),
        "old_until": micros(entry.now - entry.retention.requests),
    }
    if _TAKE_REQUEST.run(connection, row):
        return None
    return answered(connection, request.id, timedelta.max, entry.now)


def _standing(changes: Changes) -> dict[str, Any]:
    summary = changes.summary
    return {
        "state": summary.state.value,
        "version": summary.version,
        "end_time": micros(summary.end_time) if summary.end_time else None,
        "deadline": micros(changes.deadline) if changes.deadline else None,
        "summary": msgspec.msgpack.encode(summary),
    }


def _put_rows(connection: Connection, entry: Entry) -> None:
    decision, changes, beside = entry.decision, entry.changes, entry.beside
    run_id = changes.summary.id
    event_row = {"run_id": run_id, "last_version": changes.summary.version, "content": encode_events(decision.events)}
    _PUT_EVENTS.run(connection, event_row)
    claimable = (
        {
            "run_id": run_id,
            "step_id": each.step_id,
            "attempt": each.attempt,
            "agent_id": each.agent_id,
            "requires": joined(each.requires),
            "since": micros(each.since),
            "held_until": 0,
        }
        for each in changes.claimable
    )
    _PUT_CLAIMABLE.run(connection, *claimable)
    leases = (
        {
            "run_id": run_id,
            "step_id": each.step_id,
            "attempt": each.attempt,
            "worker_id": each.worker_id,
            "claim_id": each.claim_id,
            "until": micros(each.until),
        }
        for each in changes.leases
    )
    _PUT_LEASE.run(connection, *leases)
    if beside.blobs:
        blobs = [{"run_id": run_id, "digest": digest, "content": content} for digest, content in beside.blobs.items()]
        connection.execute(
            _insert(connection.dialect.name, schema.blobs).on_conflict_do_nothing(index_elements=["run_id", "digest"]),
            blobs,
        )
