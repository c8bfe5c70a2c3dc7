"""BMAD teams: a YAML bundle of agents that work together."""

import re

from ignis_server.agents.formats.importer import Imported, TextFile
from ignis_server.agents.formats.markdown import id_of, stem_of
from ignis_server.agents.formats.yaml_reader import read_mapping
from ignis_server.agents.model import TeamDefinition
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.safe_yaml import YamlFault

__all__ = ["BmadTeam"]

BUNDLE_KEY = re.compile(r"^bundle:", re.MULTILINE)


class BmadTeam:
    """Reads the team's name, description and members."""

    def recognises(self, file: TextFile) -> bool:
        """Tell whether the file is YAML with the key `bundle`."""
        return file.path.lower().endswith((".yaml", ".yml")) and BUNDLE_KEY.search(file.text) is not None

    def read(self, file: TextFile) -> Imported:
        """Return the team; a file that is no YAML is rejected, as there is no guessing at members."""
        try:
            mapping = read_mapping(file.text)
        except YamlFault as error:
            return _rejected(file.path, error.line, f"the file is not YAML: {error.problem}")
        bundle, members = mapping.values.get("bundle"), mapping.values.get("agents")
        if not isinstance(bundle, dict) or not isinstance(members, list):
            return _rejected(file.path, 1, "the file lacks `bundle: {name: …}` or the list `agents:`")
        team = TeamDefinition(
            team_id=id_of(file.path),
            name=str(bundle.get("name") or stem_of(file.path)),
            description=str(bundle.get("description") or ""),
            members=tuple(member for member in members if isinstance(member, str)),
            path=file.path,
        )
        warnings = tuple(
            Diagnostic(file.path, remark.line, Severity.WARNING, remark.code, remark.message, remark.remedy)
            for remark in mapping.remarks
        )
        return Imported(teams=(team,), diagnostics=warnings)


def _rejected(path: str, line: int, message: str) -> Imported:
    diagnostic = Diagnostic(path, line, Severity.ERROR, "invalid-team", message, "write it as BMAD's own teams are")
    return Imported(diagnostics=(diagnostic,))
