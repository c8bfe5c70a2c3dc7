"""Migrations: numbered steps of SQL, each done once, forwards only, by whichever replica starts first.

A step never takes away what the release before reads, so that old and new replicas run beside each other. A step that
was released is never changed; another one follows.
"""

from sqlalchemy import Connection, text

__all__ = ["STEPS", "migrate"]

# Any number will do, as long as every release has the same: it is the name of the lock.
LOCK = 4_718_216_035

# `bytes` is the one type that the two databases have other words for.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        (
            "CREATE TABLE workflow_definitions (digest TEXT PRIMARY KEY, id TEXT NOT NULL, content {bytes} NOT NULL, "
            "keep_time BIGINT NOT NULL)"
        ),
        (
            "CREATE TABLE workflow_runs (id TEXT PRIMARY KEY, definition_id TEXT NOT NULL, definition_digest TEXT NOT NULL, "
            "state TEXT NOT NULL, version BIGINT NOT NULL, create_time BIGINT NOT NULL, end_time BIGINT, deadline BIGINT, "
            "held_until BIGINT NOT NULL, summary {bytes} NOT NULL)"
        ),
        "CREATE INDEX workflow_runs_by_time ON workflow_runs (create_time, id)",
        "CREATE INDEX workflow_runs_by_definition ON workflow_runs (definition_id, create_time, id)",
        "CREATE INDEX workflow_runs_by_digest ON workflow_runs (definition_digest)",
        "CREATE INDEX workflow_runs_by_deadline ON workflow_runs (deadline) WHERE deadline IS NOT NULL",
        "CREATE INDEX workflow_runs_by_end ON workflow_runs (end_time) WHERE end_time IS NOT NULL",
        (
            "CREATE TABLE workflow_labels (run_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
            "PRIMARY KEY (run_id, key))"
        ),
        "CREATE INDEX workflow_labels_by_value ON workflow_labels (key, value, run_id)",
        (
            "CREATE TABLE workflow_events (run_id TEXT NOT NULL, last_version BIGINT NOT NULL, content {bytes} NOT NULL, "
            "PRIMARY KEY (run_id, last_version))"
        ),
        (
            "CREATE TABLE workflow_claimable_steps (run_id TEXT NOT NULL, step_id TEXT NOT NULL, attempt INTEGER NOT NULL, "
            "agent_id TEXT NOT NULL, requires TEXT NOT NULL, since BIGINT NOT NULL, held_until BIGINT NOT NULL, "
            "PRIMARY KEY (run_id, step_id))"
        ),
        "CREATE INDEX workflow_claimable_steps_by_need ON workflow_claimable_steps (requires, since)",
        (
            "CREATE TABLE workflow_leases (run_id TEXT NOT NULL, step_id TEXT NOT NULL, attempt INTEGER NOT NULL, "
            "worker_id TEXT NOT NULL, claim_id TEXT NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (run_id, step_id))"
        ),
        "CREATE INDEX workflow_leases_by_claim ON workflow_leases (claim_id)",
        (
            "CREATE TABLE workflow_requests (id TEXT PRIMARY KEY, digest TEXT NOT NULL, answer {bytes} NOT NULL, "
            "run_id TEXT NOT NULL, create_time BIGINT NOT NULL)"
        ),
        "CREATE INDEX workflow_requests_by_time ON workflow_requests (create_time)",
        (
            "CREATE TABLE workflow_blobs (run_id TEXT NOT NULL, digest TEXT NOT NULL, content {bytes} NOT NULL, "
            "PRIMARY KEY (run_id, digest))"
        ),
    ),
)


def migrate(connection: Connection) -> None:
    """Do the steps that are missing, all in the transaction that is given; on SQLite it must be one that may write.

    Of replicas that start at once one does them, and the others wait and find them done.
    """
    is_postgres = connection.dialect.name == "postgresql"
    if is_postgres:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    connection.execute(text("CREATE TABLE IF NOT EXISTS workflow_schema_steps (number INTEGER PRIMARY KEY)"))
    done = connection.execute(text("SELECT COALESCE(MAX(number), 0) FROM workflow_schema_steps")).scalar_one()
    for number, statements in enumerate(STEPS[done:], start=done + 1):
        for statement in statements:
            connection.execute(text(statement.format(bytes="BYTEA" if is_postgres else "BLOB")))
        connection.execute(text("INSERT INTO workflow_schema_steps VALUES (:number)"), {"number": number})
