"""Reloading: what files become while they are served, and what is remembered of what they were."""

from pathlib import Path

import pytest

from ignis_server.agents.artefacts import NoArtefacts
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.compiler import CatalogCompiler
from ignis_server.agents.history import History
from ignis_server.agents.live import LiveCatalog
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import Project
from ignis_server.agents.reload import CatalogReloader
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.source import read_directories
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.errors import AgentNotFound, InvalidRequest, RevisionTooOld
from ignis_server.signals import CatalogReloaded
from support.catalogs import FILES, write_files
from support.fakes import HandClock, RecordedSignals, WordTokenizer

HAIKU = "skills/haiku/SKILL.md"
EDITED = FILES[HAIKU].replace("one turn", "no turn")


class Served:
    """A catalog on disk that is served, as the composition root wires it, without the watch on its folder."""

    def __init__(self, root: Path, selector: HybridSelector, *, max_revisions: int = 16) -> None:
        self.root = root
        self.signals = RecordedSignals()
        self.prepared: list[Snapshot] = []
        self._selector = selector
        self._max_revisions = max_revisions

    async def start(self) -> None:
        write_files(self.root)
        compiler = CatalogCompiler(
            tokenizer=WordTokenizer(),
            selector=self._selector,
            kept=NoArtefacts(),
            clock=HandClock(),
            signals=self.signals,
        )
        snapshot = await compiler.compile(read_directories((self.root,)))
        self.live = LiveCatalog(snapshot, HandClock(), History(max_revisions=self._max_revisions))
        self._reloader = CatalogReloader(
            self.live,
            compiler,
            read=lambda: read_directories((self.root,)),
            prepare=self._prepare,
            signals=self.signals,
        )

    async def _prepare(self, now: Snapshot, successor: Snapshot) -> None:
        assert now is self.snapshot
        self.prepared.append(successor)

    async def edit(self, path: str, content: str | None) -> Snapshot:
        """Write a file, or remove it, and reload."""
        if content is None:
            (self.root / path).unlink()
        else:
            write_files(self.root, {path: content})
        await self._reloader.reload()
        return self.snapshot

    @property
    def snapshot(self) -> Snapshot:
        return self.live.snapshot

    @property
    def reloads(self) -> list[CatalogReloaded]:
        return [signal for signal in self.signals.reported if isinstance(signal, CatalogReloaded)]

    def load(self, **project: object) -> list[tuple[str, str]]:
        """Return id and content of each agent of a load."""
        loader = AgentLoader(clock=HandClock(), signals=self.signals)
        request = LoadRequest.of(Project(**project), 10_000)  # type: ignore[arg-type]  # whatever a test gives
        loaded = loader.load(request, self.snapshot)
        return [(each.agent.agent_id, each.content) for each in loaded.bundle.agents]


@pytest.fixture
async def served(tmp_path: Path, embedder: StaticEmbedder) -> Served:
    served = Served(tmp_path, HybridSelector(embedder))
    await served.start()
    return served


def found(snapshot: Snapshot, path: str) -> list[Diagnostic]:
    return [each for each in snapshot.catalog.diagnostics if each.path == path]


async def test_an_edit_is_served_and_a_call_under_way_keeps_what_it_began_with(served: Served) -> None:
    before = served.snapshot

    after = await served.edit(HAIKU, EDITED)

    assert "no turn" in after.agent("haiku").full.text
    assert "one turn" in before.agent("haiku").full.text
    assert served.reloads == [CatalogReloaded("replaced", changed=1)]
    assert served.prepared == [after]


async def test_what_was_touched_and_not_changed_reloads_nothing(served: Served) -> None:
    before = served.snapshot

    assert await served.edit(HAIKU, FILES[HAIKU]) is before
    assert served.reloads == []


async def test_a_broken_edit_keeps_the_agent_and_raises_a_diagnostic(served: Served) -> None:
    good = served.snapshot.agent("haiku")

    after = await served.edit(HAIKU, FILES[HAIKU].replace("name: haiku", "name: [haiku"))

    assert after.agent("haiku") == good
    assert [(each.severity, each.code) for each in found(after, HAIKU)] == [
        (Severity.ERROR, "edit-rejected"),
        (Severity.WARNING, "invalid-yaml"),
    ]
    assert served.load(brief="a haiku about autumn") == [(good.agent_id, good.full.text)]


async def test_the_agent_is_kept_through_several_broken_edits_and_mended_by_a_good_one(served: Served) -> None:
    good = served.snapshot.agent("haiku")

    for broken in ("", FILES[HAIKU].replace("name: haiku", "name: [haiku"), "---\nname: [\n---\n", "\0"):
        assert (await served.edit(HAIKU, broken)).agent("haiku") == good
    after = await served.edit(HAIKU, EDITED)

    assert "no turn" in after.agent("haiku").full.text
    assert found(after, HAIKU) == []


async def test_a_broken_team_is_kept_too(served: Served) -> None:
    good = served.snapshot.catalog.team("Duo")

    after = await served.edit("pack/agent-teams/duo.yaml", FILES["pack/agent-teams/duo.yaml"] + "more: [")

    assert after.catalog.team("Duo") == good


async def test_a_file_that_cannot_be_read_any_more_is_kept_and_one_that_is_gone_is_not(served: Served) -> None:
    (served.root / HAIKU).unlink()
    (served.root / HAIKU).symlink_to("nowhere")

    kept = await served.edit("README.md", "# Another\n")
    assert kept.agent("haiku").agent_id == "skills/haiku"
    assert "edit-rejected" in {each.code for each in found(kept, HAIKU)}

    gone = await served.edit(HAIKU, None)
    with pytest.raises(AgentNotFound):
        gone.agent("haiku")


async def test_files_that_cannot_be_served_at_all_change_nothing(served: Served) -> None:
    before = served.snapshot
    served.root.rename(served.root.with_name("elsewhere"))

    await served.edit("x.unknown", "")
    assert served.snapshot is before
    assert [reload.outcome for reload in served.reloads] == ["kept"]


async def test_a_past_version_can_be_pinned_and_got(served: Served) -> None:
    old = served.snapshot.agent("haiku")
    after = await served.edit(HAIKU, EDITED)
    pin = f"haiku@{old.digest}"

    assert after.agent(pin) == old
    assert served.load(required_agents=(pin,)) == [(old.agent_id, old.full.text)]
    assert served.load(brief="a haiku about autumn", required_agents=(pin,)) == [(old.agent_id, old.full.text)]


async def test_an_agent_that_is_gone_can_be_pinned(served: Served) -> None:
    old = served.snapshot.agent("haiku")
    await served.edit(HAIKU, None)

    loaded = served.load(brief="tune slow PostgreSQL queries", required_agents=(f"skills/haiku@{old.digest[7:15]}",))

    assert [agent_id for agent_id, _ in loaded] == ["backend/postgres-dba", "skills/haiku"]
    assert loaded[1][1] == old.full.text


async def test_two_versions_of_one_agent_cannot_be_required(served: Served) -> None:
    digests = [served.snapshot.agent("haiku").digest]
    for text in ("no turn", "two turns"):
        snapshot = await served.edit(HAIKU, FILES[HAIKU].replace("one turn", text))
        digests.append(snapshot.agent("haiku").digest)
    pins = tuple(f"haiku@{digest}" for digest in digests)

    with pytest.raises(InvalidRequest, match="another version of skills/haiku"):
        served.load(required_agents=pins[:2])
    # The third is the one that is served: it stands in the catalog, where the first stands in for it.
    with pytest.raises(InvalidRequest, match="another version of skills/haiku"):
        served.load(required_agents=(pins[0], pins[2]))


async def test_what_is_forbidden_is_that_version_only(served: Served) -> None:
    old = served.snapshot.agent("haiku")
    await served.edit(HAIKU, EDITED)
    pin = f"haiku@{old.digest}"

    (loaded,) = served.load(brief="a haiku about autumn", forbidden_agents=(pin,))
    assert "no turn" in loaded[1]
    with pytest.raises(InvalidRequest, match="also in forbidden_agents"):
        served.load(required_agents=(pin,), forbidden_agents=(pin,))
    with pytest.raises(InvalidRequest, match="also in forbidden_agents"):
        served.load(required_agents=(pin,), forbidden_agents=("haiku",))


async def test_versions_of_the_last_revisions_are_remembered_and_older_ones_are_not(
    tmp_path: Path, embedder: StaticEmbedder
) -> None:
    served = Served(tmp_path, HybridSelector(embedder), max_revisions=2)
    await served.start()
    revisions, pins = [], []
    for number in range(4):
        revisions.append(served.snapshot.catalog.revision)
        pins.append(f"haiku@{served.snapshot.agent('haiku').digest}")
        await served.edit(HAIKU, FILES[HAIKU].replace("one turn", f"{number} turns"))

    for pin in pins[2:]:
        assert served.snapshot.agent(pin).agent_id == "skills/haiku"
    with pytest.raises(AgentNotFound):
        served.snapshot.agent(pins[1])
    step = served.snapshot.history.step(revisions[2], served.snapshot.catalog)
    assert [agent.agent_id for agent in step.changed] == ["skills/haiku"]
    with pytest.raises(RevisionTooOld, match=revisions[2]):
        served.snapshot.history.step(revisions[1], served.snapshot.catalog)


async def test_a_step_tells_what_was_added_changed_and_removed(served: Served) -> None:
    first = served.snapshot.catalog.revision
    await served.edit(HAIKU, EDITED)
    await served.edit("skills/sourdough/SKILL.md", None)
    now = await served.edit("new.md", "---\nname: new\ndescription: Is new.\n---\nNew.\n")

    step = now.history.step(first, now.catalog)

    assert [agent.agent_id for agent in step.added] == ["new"]
    assert [agent.agent_id for agent in step.changed] == ["skills/haiku"]
    assert step.removed_ids == ("skills/sourdough",)
    everything = now.history.step("", now.catalog)
    assert everything.added == now.catalog.agents
    assert (everything.changed, everything.removed_ids) == ((), ())


async def test_what_comes_back_is_no_longer_of_the_past(served: Served) -> None:
    await served.edit(HAIKU, EDITED)
    now = await served.edit(HAIKU, FILES[HAIKU])

    assert [agent.agent_id for agent in now.history.retired] == ["skills/haiku"]
    assert "no turn" in now.history.retired[0].full.text
    assert len(now.history.revisions) == 1


async def test_texts_of_the_past_are_bounded(served: Served) -> None:
    history = History(max_retired_bytes=600)
    catalog = served.snapshot.catalog
    for number in range(5):
        now = (await served.edit(HAIKU, FILES[HAIKU].replace("one turn", f"{number} turns"))).catalog
        history, catalog = history.followed_by(catalog, now), now

    assert 0 < len(history.retired) < len(history.revisions)
    assert "3 turns" in history.retired[-1].full.text
