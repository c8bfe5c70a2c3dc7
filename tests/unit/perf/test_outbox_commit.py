"""The figures of the outbox can be made, on a small scale."""

from pathlib import Path

from perf.outbox_commit import commits, outbox_figures, table


def test_each_way_to_commit_is_measured(tmp_path: Path) -> None:
    rows = commits(tmp_path, b"span", 500)

    assert [name for name, _ in rows][:3] == ["os.write", "os.write, with a CRC-32", "mmap, with a CRC-32"]
    assert len(rows) == 7


async def test_the_outbox_is_measured(tmp_path: Path) -> None:
    rows = await outbox_figures(tmp_path, b"\x12\x02xx", 1_000, seconds=0.1)

    assert len(table("outbox", rows).splitlines()) == 2 + 6
