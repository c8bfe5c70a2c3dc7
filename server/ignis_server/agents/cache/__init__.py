"""What was worked out before: answers in memory and in Redis, compiled files on disk and in Redis."""
