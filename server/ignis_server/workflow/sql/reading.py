"""What the journal reads, and the two reads that reserve what they have found."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Row, and_, func, or_, select, tuple_, update

from ignis_server.errors import RunNotFound
from ignis_server.workflow.definition_codec import decode_definition
from ignis_server.workflow.event_codec import decode_events
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.journal import (
    Answered,
    ClaimableStep,
    Lease,
    Offer,
    Request,
    RunCursor,
    RunFilter,
    RunSummary,
)
from ignis_server.workflow.model import Definition
from ignis_server.workflow.sql.schema import (
    blobs,
    claimable_steps,
    definitions,
    events,
    labels,
    leases,
    micros,
    moment,
    parted,
    requests,
    runs,
)

__all__ = [
    "answered",
    "blob",
    "definition",
    "due",
    "events_of",
    "lease_of",
    "next_deadline",
    "offered",
    "page_of_runs",
]

_SUMMARY = msgspec.msgpack.Decoder(RunSummary)


def answered(connection: Connection, request_id: str, kept_for: timedelta, now: datetime) -> Answered | None:
    """Return how a request was answered within so long; `timedelta.max`: whenever."""
    found = connection.execute(select(requests).where(requests.c.id == request_id)).one_or_none()
    if found is None or now - moment(found.create_time) >= kept_for:
        return None
    return Answered(Request(found.id, found.digest, found.answer), found.run_id)


def events_of(connection: Connection, run_id: str, after: int, limit: int) -> tuple[Recorded, ...]:
    """Return events behind one of a number."""
    chosen = (
        select(events.c.content)
        .where(events.c.run_id == run_id, events.c.last_version > after)
        .order_by(events.c.last_version)
        .limit(limit)
    )
    found: list[Recorded] = []
    for (content,) in connection.execute(chosen):
        found += [each for each in decode_events(content) if each.version > after]
        if len(found) >= limit:
            break
    if not found and connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first() is None:
        raise RunNotFound(run_id)
    return tuple(found)


def definition(connection: Connection, digest: str) -> Definition | None:
    """Return a definition."""
    content = connection.execute(select(definitions.c.content).where(definitions.c.digest == digest)).scalar()
    return None if content is None else decode_definition(content)


def blob(connection: Connection, run_id: str, digest: str) -> bytes | None:
    """Return bytes beside a run."""
    chosen = select(blobs.c.content).where(blobs.c.run_id == run_id, blobs.c.digest == digest)
    content: bytes | None = connection.execute(chosen).scalar()
    return content


def offered(
    connection: Connection, offer: Offer, *, limit: int, hold: timedelta, now: datetime
) -> tuple[ClaimableStep, ...]:
    """Return steps that fit, and hold them: rows that somebody else is just looking at are passed over."""
    step = claimable_steps.c
    fitting = [each for each in _needs(connection) if offer.capabilities.issuperset(parted(each))]
    chosen = select(claimable_steps).where(step.requires.in_(fitting), step.held_until <= micros(now))
    if offer.agents:
        chosen = chosen.where(step.agent_id.in_(sorted(offer.agents)))
    if offer.run_id:
        chosen = chosen.where(step.run_id == offer.run_id)
    chosen = chosen.order_by(step.since, step.run_id, step.step_id).limit(limit).with_for_update(skip_locked=True)
    found = connection.execute(chosen).all()
    if found:
        keys = [(row.run_id, row.step_id) for row in found]
        held = update(claimable_steps).where(tuple_(step.run_id, step.step_id).in_(keys))
        connection.execute(held.values(held_until=micros(now + hold)))
    return tuple(_claimable(row) for row in found)


def _needs(connection: Connection) -> list[str]:
    """Return each set of capabilities that is needed, by a step from one to the next in the index: there are few."""
    step = claimable_steps.c
    first = select(func.min(step.requires).label("requires")).cte("needs", recursive=True)
    following = select(select(func.min(step.requires)).where(step.requires > first.c.requires).scalar_subquery()).where(
        first.c.requires.is_not(None)
    )
    needs = first.union_all(following)
    return [each for (each,) in connection.execute(select(needs.c.requires)) if each is not None]


def _claimable(row: Row[tuple[object, ...]]) -> ClaimableStep:
    return ClaimableStep(row.run_id, row.step_id, row.attempt, row.agent_id, parted(row.requires), moment(row.since))


def lease_of(connection: Connection, claim_id: str) -> Lease | None:
    """Return the lease of a claim."""
    row = connection.execute(select(leases).where(leases.c.claim_id == claim_id)).first()
    if row is None:
        return None
    return Lease(row.run_id, row.step_id, row.attempt, row.worker_id, row.claim_id, moment(row.until))


def due(connection: Connection, *, limit: int, hold: timedelta, now: datetime) -> tuple[str, ...]:
    """Return runs whose deadline has passed, and hold them."""
    chosen = (
        select(runs.c.id)
        .where(runs.c.deadline <= micros(now), runs.c.held_until <= micros(now))
        .order_by(runs.c.deadline, runs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = tuple(connection.execute(chosen).scalars())
    if found:
        connection.execute(update(runs).where(runs.c.id.in_(found)).values(held_until=micros(now + hold)))
    return found


def next_deadline(connection: Connection) -> datetime | None:
    """Return the next deadline of all."""
    found = connection.execute(select(func.min(runs.c.deadline)).where(runs.c.deadline.is_not(None))).scalar()
    return None if found is None else moment(found)


def page_of_runs(
    connection: Connection, chosen: RunFilter, *, limit: int, behind: RunCursor | None
) -> tuple[RunSummary, ...]:
    """Return a page of runs."""
    page = select(runs.c.summary).order_by(runs.c.create_time.desc(), runs.c.id.desc()).limit(limit)
    if chosen.states:
        page = page.where(runs.c.state.in_(sorted(each.value for each in chosen.states)))
    if chosen.definition_id:
        page = page.where(runs.c.definition_id == chosen.definition_id)
    if chosen.create_time_from:
        page = page.where(runs.c.create_time >= micros(chosen.create_time_from))
    if chosen.create_time_until:
        page = page.where(runs.c.create_time < micros(chosen.create_time_until))
    for key, value in chosen.labels.items():
        labelled = select(labels.c.run_id).where(labels.c.key == key, labels.c.value == value)
        page = page.where(runs.c.id.in_(labelled))
    if behind:
        time = micros(behind.create_time)
        is_later = and_(runs.c.create_time == time, runs.c.id < behind.run_id)
        page = page.where(or_(runs.c.create_time < time, is_later))
    return tuple(_SUMMARY.decode(content) for content in connection.execute(page).scalars())
