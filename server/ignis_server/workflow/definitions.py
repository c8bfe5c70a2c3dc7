"""The definitions that can be started, and plans of all that runs began with."""

import difflib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from ignis_server.errors import DefinitionNotFound, InvalidRequest, Violation
from ignis_server.workflow.journal import Journal
from ignis_server.workflow.library import Library
from ignis_server.workflow.plan import Plan

__all__ = ["Definitions"]

# Plans of definitions that are no longer in the library; a plan of 256 steps is some 500 KB.
MAX_PAST_PLANS: Final = 64
MAX_NEAREST: Final = 3


class Definitions:
    """Finds definitions by what callers call them, and plans by what runs call them."""

    def __init__(self, library: Library, journal: Journal) -> None:
        """Make plans of a library.

        Args:
            library: What can be started.
            journal: Has the definitions that runs began with, which may be in the library no longer.
        """
        self._journal = journal
        plans = [Plan.of(definition) for definition in library.definitions.values()]
        self._by_id = {plan.definition.id: plan for plan in plans}
        self._by_digest = {plan.digest: plan for plan in plans}
        self._past: OrderedDict[str, Plan] = OrderedDict()

    @property
    def ordered(self) -> Sequence[Plan]:
        """All that can be started, ordered by id."""
        return tuple(self._by_id.values())

    def find(self, reference: str) -> Plan:
        """Return the definition that an id, or a name that is unique, means.

        Raises:
            DefinitionNotFound: There is none.
            InvalidRequest: Several have the name.
        """
        if plan := self._by_id.get(reference):
            return plan
        wanted = reference.casefold()
        named = [plan for plan in self._by_id.values() if plan.definition.name.casefold() == wanted]
        if len(named) > 1:
            ids = ", ".join(plan.definition.id for plan in named[:MAX_NEAREST])
            raise InvalidRequest(
                (Violation("definition", f'several have the name "{reference}": write the id, one of {ids}'),)
            )
        if not named:
            raise DefinitionNotFound(reference, self._nearest(reference))
        return named[0]

    async def plan_of(self, digest: str) -> Plan:
        """Return the plan of a run that began with a definition.

        Raises:
            DefinitionNotFound: The journal has the run and not its definition, which no release of ours brings about.
        """
        if plan := self._by_digest.get(digest) or self._past.get(digest):
            return plan
        definition = await self._journal.definition(digest)
        if definition is None:
            raise DefinitionNotFound(digest, ())
        plan = self._past[digest] = Plan.of(definition)
        if len(self._past) > MAX_PAST_PLANS:
            self._past.popitem(last=False)
        return plan

    def _nearest(self, reference: str) -> tuple[str, ...]:
        return tuple(difflib.get_close_matches(reference, self._names(), n=MAX_NEAREST))

    def _names(self) -> list[str]:
        definitions = (plan.definition for plan in self._by_id.values())
        return [name for each in definitions for name in dict.fromkeys((each.id, each.name))]
