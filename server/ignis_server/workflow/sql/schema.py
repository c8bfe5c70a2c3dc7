"""The tables as this release reads them; `migrations` makes them. Times are microseconds since 1970: exact on every database."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

__all__ = [
    "METADATA",
    "blobs",
    "claimable_steps",
    "definitions",
    "events",
    "joined",
    "labels",
    "leases",
    "micros",
    "moment",
    "parted",
    "requests",
    "runs",
]

METADATA = MetaData()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

definitions = Table(
    "workflow_definitions",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("keep_time", BigInteger, nullable=False),
)
runs = Table(
    "workflow_runs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("definition_id", Text, nullable=False),
    Column("definition_digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("end_time", BigInteger),
    Column("deadline", BigInteger),
    Column("held_until", BigInteger, nullable=False),
    Column("summary", LargeBinary, nullable=False),
)
labels = Table(
    "workflow_labels",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
events = Table(
    "workflow_events",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("last_version", BigInteger, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
claimable_steps = Table(
    "workflow_claimable_steps",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("step_id", Text, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("requires", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("held_until", BigInteger, nullable=False),
)
leases = Table(
    "workflow_leases",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("step_id", Text, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
requests = Table(
    "workflow_requests",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
)
blobs = Table(
    "workflow_blobs",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)


def micros(time: datetime) -> int:
    """Return a moment as it is written."""
    return (time - EPOCH) // MICROSECOND


def moment(number: int) -> datetime:
    """Return a moment that was written."""
    return EPOCH + number * MICROSECOND


def joined(capabilities: Iterable[str]) -> str:
    """Return capabilities as they are written; none of them has a line feed."""
    return "\n".join(capabilities)


def parted(requires: str) -> tuple[str, ...]:
    """Return capabilities that were written."""
    return tuple(requires.split("\n")) if requires else ()
