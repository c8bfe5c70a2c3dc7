"""The outbox: what is captured is kept here, on disk, until every destination has it."""
