"""The journal on SQL: tables, their migrations, and the two databases. docs/decisions/0012-journal.md has the reasons."""
