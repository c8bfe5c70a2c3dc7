"""Front matter between `---` lines: YAML where it parses, and what was meant where it does not.

Most front matter in the wild is written by hand or by a model, and a colon in an unquoted description
makes it invalid: in one public catalog in 36 files of 38. Refusing them would refuse the catalog. So
what YAML cannot read is read line by line: `key: value` from the first column on, up to the next such line.
"""

import re
from dataclasses import dataclass, field

from ignis_server.agents.formats.importer import TextFile
from ignis_server.agents.formats.yaml_reader import Remark, YamlMapping, read_mapping
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.safe_yaml import YamlFault

__all__ = ["FrontMatter", "has_front_matter", "read_front_matter"]

FENCE = re.compile(r"---[ \t]*\n")
END = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)
KEY = re.compile(r"^([A-Za-z_][\w .-]{0,63}?)[ \t]*:(?:[ \t]+(.*)|[ \t]*)$")
BLOCK = re.compile(r"^[|>][+-]?\d?[ \t]*(?:#.*)?$")
ITEM = re.compile(r"^[ \t]*-[ \t]+(.*)$")
QUOTED = re.compile(r"""^(["'])(.*)\1$""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """Fields by lower-case key, the text below, and the line of the file on which that begins."""

    fields: dict[str, object] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1
    diagnostics: tuple[Diagnostic, ...] = ()

    def text(self, key: str) -> str:
        """Return a field as text: lists are joined by commas, mappings and what is absent are empty."""
        value = self.fields.get(key, "")
        if isinstance(value, list):
            return ", ".join(str(each) for each in value if isinstance(each, str))
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a field as a list of texts; a single text is split at its commas."""
        value = self.fields.get(key, "")
        parts = value if isinstance(value, list) else str(value).strip("[]").split(",") if value else []
        return tuple(part for each in parts if isinstance(each, str) and (part := each.strip().strip("\"'")))


def has_front_matter(file: TextFile) -> bool:
    """Tell whether a file begins with front matter, finished or not."""
    return FENCE.match(file.text.lstrip("\n")) is not None


def read_front_matter(file: TextFile) -> FrontMatter:
    """Split a file into fields and body; a file without front matter is all body."""
    skipped = len(file.text) - len(file.text.lstrip("\n"))
    start = FENCE.match(file.text, skipped)
    if start is None:
        return FrontMatter(body=file.text)
    end = END.search(file.text, start.end())
    if end is None:
        return _unterminated(file, start.end(), skipped)
    head = file.text[start.end() : end.start()]
    fields, diagnostics = _fields(file.path, head, first_line=skipped + 2)
    return FrontMatter(fields, file.text[end.end() :], file.text.count("\n", 0, end.end()) + 1, diagnostics)


def _unterminated(file: TextFile, start: int, skipped: int) -> FrontMatter:
    """Take the leading `key: value` lines for fields, and the rest for the body."""
    lines = file.text[start:].split("\n")
    length = next((number for number, line in enumerate(lines) if not KEY.match(line)), len(lines))
    fields = {key: value for key, value, _ in _entries(lines[:length])}
    diagnostic = Diagnostic(
        file.path,
        skipped + 1,
        Severity.WARNING,
        "unterminated-front-matter",
        "the front matter begins with --- here and has no --- at its end",
        f"put a line with --- before line {skipped + 2 + length}",
    )
    return FrontMatter(fields, "\n".join(lines[length:]), skipped + 2 + length, (diagnostic,))


def _fields(path: str, head: str, *, first_line: int) -> tuple[dict[str, object], tuple[Diagnostic, ...]]:
    try:
        mapping = read_mapping(head) if head.strip() else YamlMapping()
    except YamlFault as error:
        return _lenient_fields(path, head, error, first_line=first_line)
    return {key.strip().lower(): value for key, value in mapping.values.items()}, tuple(
        _warning(path, remark, first_line) for remark in mapping.remarks
    )


def _lenient_fields(
    path: str, head: str, error: YamlFault, *, first_line: int
) -> tuple[dict[str, object], tuple[Diagnostic, ...]]:
    fields: dict[str, object] = {}
    remarks = [
        Remark(
            error.line,
            "invalid-yaml",
            f"the front matter is not YAML: {error.problem}; it was read line by line",
            "put the value in quotes, or after `>-` on lines of its own",
        )
    ]
    for key, value, line in _entries(head.split("\n")):
        if key in fields:
            remarks.append(Remark(line, "duplicate-key", f"the key {key!r} stands here again", "remove one of the two"))
        fields[key] = value
    return fields, tuple(_warning(path, remark, first_line) for remark in remarks)


def _warning(path: str, remark: Remark, first_line: int) -> Diagnostic:
    line = first_line + remark.line - 1
    return Diagnostic(path, line, Severity.WARNING, remark.code, remark.message, remark.remedy)


def _entries(lines: list[str]) -> list[tuple[str, object, int]]:
    """Return keys, values and line numbers of `key: value` entries with their continuation lines."""
    entries: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(lines, start=1):
        match = KEY.match(line)
        if match:
            entries.append((match[1].strip().lower(), [match[2] or ""], number))
        elif entries:
            entries[-1][1].append(line)
    return [(key, _value(parts), number) for key, parts, number in entries]


def _value(parts: list[str]) -> object:
    """Return the value of an entry: a list, a block, or text over several lines, without its quotes."""
    first, rest = parts[0].strip(), [part.strip() for part in parts[1:]]
    items = [ITEM.match(part) for part in parts[1:] if part.strip()]
    if not first and items and all(items):
        return [_unquoted(item[1].strip()) for item in items if item]
    if BLOCK.match(first):
        return ("\n" if first.startswith("|") else " ").join(rest).strip()
    return _unquoted(" ".join(part for part in (first, *rest) if part))


def _unquoted(text: str) -> str:
    match = QUOTED.match(text)
    return match[2] if match else text
