"""Opening slots: one for this process, and those that processes left behind that are no more."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from ignis_server.telemetry.outbox.contents import Contents, Means
from ignis_server.telemetry.outbox.slot import claim_slots, orphaned_slots
from ignis_server.telemetry.outbox.trouble import DiskTrouble, StoreForeign
from ignis_server.telemetry.outbox.waiting_room import WaitingRoom

__all__ = ["open_orphans", "open_slot"]

log = structlog.get_logger()


def open_slot(root: Path, means: Means, room: WaitingRoom) -> Contents:
    """Open the first slot that nobody holds, and that is no other release's.

    Raises:
        DiskTrouble: That is not possible for now.
    """
    for slot in claim_slots(root):
        try:
            return Contents(slot, means, room)
        except StoreForeign as error:
            slot.release()
            log.warning("outbox.slot_of_another_release", slot=slot.number, error=str(error))
        except BaseException:
            slot.release()
            raise
    raise DiskTrouble("broken")


def open_orphans(root: Path, means: Means, *, limit: int, room_bytes: int, max_bytes: int) -> Sequence[Contents]:
    """Open slots that hold something and that nobody holds.

    Args:
        root: Where slots are.
        means: What they are opened with.
        limit: How many at most.
        room_bytes: What they may take together: those that would pass it are left alone, and wait until there is room.
        max_bytes: A slot that has more than this alone never fits, and is opened all the same.
    """
    opened: list[Contents] = []
    with suppress(DiskTrouble):
        for slot in orphaned_slots(root):
            size = _folder_bytes(slot.folder)
            if len(opened) >= limit or room_bytes < size <= max_bytes:
                slot.release()
                continue
            try:
                opened.append(Contents(slot, means))
            except (DiskTrouble, StoreForeign) as error:
                slot.release()
                log.warning("outbox.slot_left_alone", slot=slot.number, error=str(error))
            else:
                room_bytes -= size
    return opened


def _folder_bytes(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.iterdir() if ".corrupt-" not in entry.name)
