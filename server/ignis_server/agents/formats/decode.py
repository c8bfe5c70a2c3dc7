"""From bytes to text: whatever an editor or an export left in a file's encoding is put right here."""

import codecs

from ignis_server.agents.formats.importer import TextFile
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["decode"]

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(path: str, data: bytes) -> tuple[TextFile | None, tuple[Diagnostic, ...]]:
    """Turn a file's bytes into text with LF line ends; None where there is no text in it.

    Text that is not UTF-8 is taken for Windows-1252, the usual culprit, with a warning.
    """
    bom, encoding = next(((bom, name) for bom, name in BOMS if data.startswith(bom)), (b"", "utf-8"))
    content = data.removeprefix(bom)
    if encoding == "utf-8" and b"\0" in content:
        return None, (_rejected(path, _line_of(content, content.index(b"\0")), "binary-file", "holds binary data"),)
    diagnostics: tuple[Diagnostic, ...] = ()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            return None, (_rejected(path, 1, "bad-encoding", f"begins as {encoding.upper()} and does not go on so"),)
        text, diagnostics = content.decode("cp1252", errors="replace"), (_not_utf8(path, content, error),)
    if not text.strip():
        return None, (_rejected(path, 1, "empty-file", "is empty"),)
    return TextFile(path, text.replace("\r\n", "\n").replace("\r", "\n")), diagnostics


def _not_utf8(path: str, content: bytes, error: UnicodeDecodeError) -> Diagnostic:
    return Diagnostic(
        path,
        _line_of(content, error.start),
        Severity.WARNING,
        "not-utf8",
        f"byte 0x{content[error.start]:02x} is not UTF-8; the file was read as Windows-1252",
        "save the file as UTF-8",
    )


def _rejected(path: str, line: int, code: str, fact: str) -> Diagnostic:
    return Diagnostic(path, line, Severity.ERROR, code, f"the file {fact}", "replace it by a text file, or remove it")


def _line_of(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
