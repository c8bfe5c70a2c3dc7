"""What is wrong with a definition that is of the right shape: all of it at once, each with its line and a remedy."""

from ignis_server.diagnostics import Diagnostic
from ignis_server.workflow.formats import Located
from ignis_server.workflow.validation.bounds import check_bounds
from ignis_server.workflow.validation.expressions import check_expressions
from ignis_server.workflow.validation.needs import check_needs
from ignis_server.workflow.validation.remarks import Remarks

__all__ = ["check"]


def check(located: Located, path: str) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a definition from the file at `path`."""
    remarks = Remarks(path, located.lines)
    check_bounds(located.definition, remarks)
    check_needs(located.definition.steps, remarks)
    check_expressions(located.definition, remarks)
    return tuple(remarks.diagnostics)
