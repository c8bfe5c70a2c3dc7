"""What a request is refused for."""

from collections.abc import Callable

from ignis_server.errors import InvalidRequest

__all__ = ["violations_of"]


def violations_of(understand: Callable[[], object]) -> dict[str, str]:
    """Return what each field is refused for; nothing where nothing is refused."""
    try:
        understand()
    except InvalidRequest as refused:
        return {each.field: each.description for each in refused.violations}
    return {}
