"""Figures as Markdown, and written down beside those of other parts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["table", "write"]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows))


def write(folder: Path, name: str, sections: Mapping[str, tuple[str, object]]) -> None:
    """Write tables and figures of parts to `<name>.json` and `<name>.md`; parts that were not measured keep what stands there."""
    folder.mkdir(parents=True, exist_ok=True)
    json_file, markdown_file = folder / f"{name}.json", folder / f"{name}.md"
    known = json.loads(json_file.read_text(encoding="utf-8")) if json_file.exists() else {}
    known |= {part: {"table": text, "figures": figures} for part, (text, figures) in sections.items()}
    json_file.write_text(f"{json.dumps(known, indent=2)}\n", encoding="utf-8")
    parts = [f"## {part[:1].upper()}{part[1:]}\n\n{section['table']}\n" for part, section in known.items()]
    markdown_file.write_text("\n".join([f"# {name}\n", *parts]), encoding="utf-8")
