"""Slots: nobody shares one, and what somebody left behind is found."""

from pathlib import Path

import pytest

from ignis_server.telemetry.outbox.slot import DATABASE, Slot, claim_slots, orphaned_slots
from ignis_server.telemetry.outbox.trouble import DiskTrouble


def claim(root: Path) -> Slot:
    return next(claim_slots(root))


def test_each_takes_the_first_that_is_free(tmp_path: Path) -> None:
    first, second = claim(tmp_path), claim(tmp_path)
    first.release()
    third = claim(tmp_path)

    assert [each.folder.name for each in (first, second, third)] == ["0000", "0001", "0000"]
    for slot in (second, third):
        slot.release()


def test_only_the_owner_can_look_into_it(tmp_path: Path) -> None:
    root = tmp_path / "outbox"
    slot = claim(root)

    assert [path.stat().st_mode & 0o777 for path in (root, slot.folder, root / "0000.lock")] == [0o700, 0o700, 0o600]
    slot.release()


@pytest.mark.parametrize("name", [DATABASE, "journal-3.log"])
def test_what_somebody_left_is_found_and_held(tmp_path: Path, name: str) -> None:
    left, empty, held = claim(tmp_path), claim(tmp_path), claim(tmp_path)
    for slot in (left, held):
        (slot.folder / name).touch()
    left.release()
    empty.release()

    found = list(orphaned_slots(tmp_path))

    assert [slot.folder.name for slot in found] == ["0000"]
    assert list(orphaned_slots(tmp_path)) == []
    for slot in (*found, held):
        slot.release()


def test_what_is_removed_is_gone_but_for_what_was_kept(tmp_path: Path) -> None:
    slot, other = claim(tmp_path), claim(tmp_path)
    for each in (slot, other):
        (each.folder / DATABASE).touch()
    (other.folder / f"{DATABASE}.corrupt-1").touch()

    slot.remove()
    other.remove()

    assert not slot.folder.exists()
    assert [path.name for path in other.folder.iterdir()] == [f"{DATABASE}.corrupt-1"]
    assert list(orphaned_slots(tmp_path)) == []


def test_what_was_removed_under_us_is_made_anew(tmp_path: Path) -> None:
    slot = claim(tmp_path)
    assert not slot.is_lost()
    slot.folder.rmdir()
    assert slot.is_lost()

    slot.renew()

    assert not slot.is_lost()
    (tmp_path / "0000.lock").unlink()
    slot.folder.rmdir()
    assert slot.is_lost()
    slot.renew()
    assert not slot.is_lost()
    assert claim(tmp_path).folder.name == "0001"


def test_a_slot_that_another_has_taken_by_then_is_not_taken_back(tmp_path: Path) -> None:
    slot = claim(tmp_path)
    (tmp_path / "0000.lock").unlink()
    other = claim(tmp_path)

    with pytest.raises(DiskTrouble):
        slot.renew()

    assert other.folder.name == "0000"
    for each in (slot, other):
        each.release()


def test_a_root_that_is_no_folder_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DiskTrouble) as raised:
        claim(tmp_path / "file" / "outbox")

    assert raised.value.reason == "broken"
