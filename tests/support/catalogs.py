"""Small catalogs, written for the tests."""

from collections.abc import Mapping
from pathlib import Path

from ignis_server.agents.assembly import compile_catalog
from ignis_server.agents.catalog import Catalog
from ignis_server.agents.source import read_directories
from support.fakes import WordTokenizer

__all__ = ["FILES", "catalog_of", "write_files"]

FILES: Mapping[str, str] = {
    "backend/postgres-dba.md": """---
name: postgres-dba
description: Designs PostgreSQL schemas, finds slow queries and plans migrations.
tools: Read, Bash
model: sonnet
---
# Postgres DBA

Read the plan before you change the query. Use EXPLAIN (ANALYZE, BUFFERS) on a copy of production data.

## Indexes

- A partial index for the rows that are asked for.
- CREATE INDEX CONCURRENTLY, never a plain CREATE INDEX on a live table.

## Workflow

1. Read what the database already knows: pg_stat_statements, the slow query log, and the sizes of tables and indexes.
   Nothing is changed before the three statements that cost most are known by name.
2. Reproduce the slow query on a copy that has the size and the statistics of production.
3. Change one thing, measure again, and write both figures down beside the change.

## Rules

- A migration that locks a table for longer than a second is two migrations.
- Every index has a query that needs it; the others are dropped after a week of watching their scans.

## Examples

```sql
-- Rows that are asked for, and no others.
CREATE INDEX CONCURRENTLY orders_open ON orders (customer_id) WHERE closed_at IS NULL;

# no heading, but a comment of another tool
SELECT relname, seq_scan, idx_scan FROM pg_stat_user_tables ORDER BY seq_scan DESC LIMIT 20;
```

| what is slow | where to look first |
|---|---|
| one query, always | its plan, with actual rows beside the estimated ones |
| one query, sometimes | its parameters, and locks that it waits for |
| everything, since Monday | autovacuum, disk latency, and what was deployed on Monday |

## References

- The chapters on indexes, on EXPLAIN and on routine vacuuming in the manual of the version that is in use.
- The release notes of every major version since, for what became faster by itself.
""",
    "frontend/nextjs-developer.md": """---
name: nextjs-developer
description: Builds storefronts and dashboards with Next.js and React.
---
# Next.js developer

Server components by default; a client component needs a reason. Measure the largest contentful paint.
""",
    "payments/payments-engineer.md": """---
name: payments-engineer
description: Integrates Stripe payments, webhooks and refunds.
---
Every webhook is verified, stored, and then handled once. Money is an integer of minor units.
""",
    "operations/kubernetes-operator.md": """---
name: kubernetes-operator
description: Deploys services to Kubernetes with probes, limits and disruption budgets.
---
Requests equal what the service uses at rest; limits stop a leak and nothing else.
""",
    "security/security-reviewer.md": """---
name: security-reviewer
description: Reviews code and configuration for security flaws before a release.
---
Begin with what an attacker can reach. Report only what you can show.
""",
    "skills/sourdough/SKILL.md": """---
name: sourdough
description: Bakes sourdough bread from starter to crust.
---
Feed the starter at night. The dough is ready when it trembles.
""",
    "skills/haiku/SKILL.md": """---
name: haiku
description: Writes haiku about the seasons.
---
Five, seven, five; one image, one turn.
""",
    "pack/agents/pm.md": """# pm

```yaml
agent:
  name: Ada
  id: pm
  title: Product Manager
  whenToUse: Use for product requirements and priorities.
persona:
  role: Writes requirements that can be tested.
```
""",
    "pack/agent-teams/duo.yaml": """bundle:
  name: Duo
  description: Product and database.
agents:
  - pm
  - postgres-dba
""",
    "README.md": "# A catalog for tests\n",
}


def write_files(root: Path, files: Mapping[str, str | bytes] = FILES) -> Path:
    """Write files below a folder, and return it."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def catalog_of(root: Path, files: Mapping[str, str | bytes] = FILES) -> Catalog:
    """Write files below a folder, and compile them with a tokenizer that counts words."""
    return compile_catalog(read_directories((write_files(root, files),)), WordTokenizer())
