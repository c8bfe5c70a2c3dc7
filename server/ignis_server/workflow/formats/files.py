"""From a file's bytes to the definitions in it, by the importer that knows its keys."""

import codecs
from dataclasses import dataclass

from ignis_server.diagnostics import Diagnostic
from ignis_server.safe_yaml import YamlFault
from ignis_server.workflow.formats.bmad import Bmad
from ignis_server.workflow.formats.ignis_yaml import IgnisYaml
from ignis_server.workflow.formats.importer import Importer, Located
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.formats.yaml_tree import read_tree
from ignis_server.workflow.limits import MAX_FILE_BYTES, MAX_ID_CHARACTERS

__all__ = ["Imported", "TextFile", "import_file"]

IMPORTERS: tuple[Importer, ...] = (Bmad(), IgnisYaml())


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file: `path` relative to where workflows are kept, with forward slashes, and its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file gave; `is_workflow` is false where it is YAML of another kind."""

    definitions: tuple[Located, ...]
    diagnostics: tuple[Diagnostic, ...]
    is_workflow: bool = True


def import_file(file: TextFile) -> Imported:
    """Read a file: definitions, or an error, or the word that it is no workflow."""
    reading = Reading(file.path)
    text = _text(file, reading)
    if text is None:
        return Imported((), tuple(reading.diagnostics))
    try:
        tree = read_tree(text)
    except YamlFault as fault:
        reading.error(fault.line, "invalid-yaml", f"the file is not YAML: {fault.problem}", "mend it there or above")
        return Imported((), tuple(reading.diagnostics))
    importer = next((each for each in IMPORTERS if each.recognises(tree)), None)
    if importer is None:
        return Imported((), (), is_workflow=False)
    definitions = importer.read(tree, file.path.rpartition(".")[0] or file.path, reading)
    return Imported(definitions, tuple(reading.diagnostics))


def _text(file: TextFile, reading: Reading) -> str | None:
    """Return a file's text with LF line ends; None where it has none."""
    if len(file.data) > MAX_FILE_BYTES:
        fact = f"the file has more than the {MAX_FILE_BYTES} bytes that a workflow's may have"
        reading.error(1, "file-too-large", fact, "split the workflow, or move long texts to its agents")
        return None
    if len(file.path) > MAX_ID_CHARACTERS:
        fact = f"the path has {len(file.path)} characters, more than the {MAX_ID_CHARACTERS} of an id"
        reading.error(1, "long-id", fact, "move the file further up")
        return None
    content = file.data.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reading.error(line, "not-utf8", f"byte 0x{content[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")
