"""The formats in which workflows are written down: one importer each."""

from ignis_server.workflow.formats.files import Imported, TextFile, import_file
from ignis_server.workflow.formats.ignis_yaml import json_schema
from ignis_server.workflow.formats.importer import Importer, Located

__all__ = ["Imported", "Importer", "Located", "TextFile", "import_file", "json_schema"]
