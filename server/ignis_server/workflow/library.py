"""A library: the definitions of some files, checked, and everything that there is to say about the files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.workflow.agent_directory import AgentDirectory, with_agent_ids
from ignis_server.workflow.formats import Located, TextFile, import_file
from ignis_server.workflow.model import Definition
from ignis_server.workflow.validation import check

__all__ = ["Library", "compile_library"]


@dataclass(frozen=True, slots=True)
class Library:
    """Definitions that can be started, by id in order; diagnostics in the order of the files."""

    definitions: Mapping[str, Definition]
    diagnostics: tuple[Diagnostic, ...]
    file_count: int


def compile_library(
    files: Iterable[TextFile], directory: AgentDirectory | None = None, diagnostics: Iterable[Diagnostic] = ()
) -> Library:
    """Read files and check what is in them; agents are looked up where there is a directory of them.

    `diagnostics` are what there was to say before, about files that could not be read.

    A file of another kind is passed over with a note, and a definition with an error is not part of the library.
    """
    definitions: dict[str, Definition] = {}
    said = list(diagnostics)
    count = 0
    for file in sorted(files, key=lambda each: each.path):
        count += 1
        imported = import_file(file)
        said += imported.diagnostics if imported.is_workflow else (_passed_over(file),)
        for located in imported.definitions:
            definition, remarks = _checked(located, file.path, directory)
            if definition.id in definitions:
                remarks = (*remarks, _same_id(file, definition))
            said += remarks
            if all(each.severity is not Severity.ERROR for each in remarks):
                definitions[definition.id] = definition
    ordered = MappingProxyType(dict(sorted(definitions.items())))
    return Library(ordered, tuple(sorted(set(said))), count)


def _checked(
    located: Located, path: str, directory: AgentDirectory | None
) -> tuple[Definition, tuple[Diagnostic, ...]]:
    remarks = check(located, path)
    if directory is None:
        return located.definition, remarks
    definition, about_agents = with_agent_ids(located, path, directory)
    return definition, (*remarks, *about_agents)


def _passed_over(file: TextFile) -> Diagnostic:
    fact = "the file is no workflow: it has neither `steps` nor `workflow`"
    remedy = "nothing to do, unless it is meant to be one: then write `name` and `steps`"
    return Diagnostic(file.path, 1, Severity.NOTE, "not-a-workflow", fact, remedy)


def _same_id(file: TextFile, definition: Definition) -> Diagnostic:
    fact = f'another file gives the id "{definition.id}" too'
    return Diagnostic(file.path, 1, Severity.ERROR, "duplicate-definition", fact, "rename one of the files")
