"""What stands in the outbox's database."""

from typing import Final

__all__ = ["SCHEMA", "VERSION"]

# A database of another version is left alone: a release that is rolled back does not destroy what its successor has kept.
VERSION: Final = 1

SCHEMA: Final = (
    # The outbox itself, in one row: its id, the number of its next batch, and how far the journal is in batches.
    """
    CREATE TABLE outbox (
        id TEXT NOT NULL, next_sequence INTEGER NOT NULL, sealed_segment INTEGER NOT NULL, sealed_offset INTEGER NOT NULL
    )
    """,
    # Processes that captured. `digest` is the SHA-256 of `content`.
    "CREATE TABLE resources (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content BLOB NOT NULL)",
    # Batches that somebody still wants. What is large comes last, so that what is small is read without it.
    """
    CREATE TABLE batches (
        sequence INTEGER PRIMARY KEY, signal TEXT NOT NULL, items INTEGER NOT NULL, captured_ns INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL, resource INTEGER NOT NULL, digest BLOB NOT NULL, content BLOB NOT NULL
    )
    """,
    # A lane is a destination and a signal: its account, in items.
    """
    CREATE TABLE lanes (
        id INTEGER PRIMARY KEY, destination TEXT NOT NULL, signal TEXT NOT NULL,
        captured INTEGER NOT NULL, delivered INTEGER NOT NULL, rejected INTEGER NOT NULL, shed INTEGER NOT NULL,
        waiting INTEGER NOT NULL, last_error TEXT NOT NULL, UNIQUE (destination, signal)
    )
    """,
    # The batches that wait in a lane.
    "CREATE TABLE due (lane INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (lane, sequence)) WITHOUT ROWID",
    # What became of the last batches of a lane.
    """
    CREATE TABLE receipts (
        lane INTEGER NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, delivered INTEGER NOT NULL,
        rejected INTEGER NOT NULL, message TEXT NOT NULL, received_ns INTEGER NOT NULL, PRIMARY KEY (lane, sequence)
    ) WITHOUT ROWID
    """,
    # The accounts of outboxes that were taken over, and are no more.
    """
    CREATE TABLE inherited (
        outbox_id TEXT NOT NULL, destination TEXT NOT NULL, signal TEXT NOT NULL,
        captured INTEGER NOT NULL, delivered INTEGER NOT NULL, rejected INTEGER NOT NULL, shed INTEGER NOT NULL,
        PRIMARY KEY (outbox_id, destination, signal)
    ) WITHOUT ROWID
    """,
    f"PRAGMA user_version = {VERSION}",
)
