"""Visibility: which part of a catalog a caller sees, and the snapshot of that part alone."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace

from ignis_server.agents.history import History
from ignis_server.agents.selection.selector import Selector
from ignis_server.agents.snapshot import Snapshot, build_snapshot
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.clock import Clock

__all__ = ["EVERYTHING", "Views", "Visibility"]

MAX_VIEWS = 16


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose request it is, and the folders of the catalog that are open to it.

    A folder stands for all files below it; the empty one for the whole catalog. With several catalog roots, the first
    part of each path is the root's name. Nothing else of the catalog has any influence on an answer.
    """

    tenant: str = ""
    folders: tuple[str, ...] = ("",)

    def shows(self, path: str) -> bool:
        """Tell whether a file may be seen."""
        return any(not folder or path.startswith(f"{folder}/") for folder in self.folders)


EVERYTHING = Visibility()


class Views:
    """The snapshots of visible parts; the least recently used of more than 16 is forgotten, and built anew when asked for.

    To build one takes a fraction of a second for a thousand agents, on a thread.
    """

    def __init__(self, *, tokenizer: Tokenizer, selector: Selector, clock: Clock) -> None:
        self._tokenizer = tokenizer
        self._selector = selector
        self._clock = clock
        self._views: OrderedDict[tuple[str, tuple[str, ...]], Snapshot] = OrderedDict()
        self._building = asyncio.Lock()

    async def of(self, snapshot: Snapshot, visibility: Visibility) -> Snapshot:
        """Return what is visible of a snapshot, as if the catalog held nothing else."""
        if "" in visibility.folders:
            return snapshot
        key = (snapshot.catalog.revision, visibility.folders)
        async with self._building:
            view = self._views.get(key)
            if view is None:
                view = self._views[key] = await asyncio.to_thread(self._built, snapshot, visibility)
                while len(self._views) > MAX_VIEWS:
                    self._views.popitem(last=False)
            self._views.move_to_end(key)
        # What is remembered of the past may have grown since the view was built.
        return replace(view, history=_visible_history(snapshot.history, visibility))

    def _built(self, snapshot: Snapshot, visibility: Visibility) -> Snapshot:
        return build_snapshot(
            {path: artefact for path, artefact in snapshot.artefacts.items() if visibility.shows(path)},
            [diagnostic for diagnostic in snapshot.unread if visibility.shows(diagnostic.path)],
            tokenizer=self._tokenizer,
            selector=self._selector,
            clock=self._clock,
        )


def _visible_history(history: History, visibility: Visibility) -> History:
    # Revisions are of the whole catalog; of a part there is nothing to follow from.
    return replace(
        history,
        revisions=(),
        retired=tuple(agent for agent in history.retired if visibility.shows(agent.definition.path)),
    )
