"""What a table of word vectors has learnt from a larger model, as a file of differences that ships with this package.

`perf/selection/distillation.py` makes the file; docs/decisions/0007-distilled-meaning.md says from what, and what it is
worth. Differences, rounded to steps of one size, take a fifteenth of the room of the table that they are added to.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["DISTILLED", "Distilled"]

DISTILLED: Final = Path(__file__).with_name("distilled.npz")
# Rounding to it turns a vector by less than one degree; the vectors have a length of 14 on average.
STEP: Final = 0.05
MOST_STEPS: Final = 127


@dataclass(frozen=True, slots=True)
class Distilled:
    """Differences to add to a table.

    Attributes:
        checksum: CRC-32 of the table that the differences belong to.
        rows: Numbers of the rows that differ.
        steps: For each of these (row) and each dimension (column), the difference in steps.
    """

    checksum: int
    rows: NDArray[np.int32]
    steps: NDArray[np.int8]

    @classmethod
    def between(cls, table: NDArray[np.float32], taught: NDArray[np.float32]) -> Self:
        """Round what a taught table has more than the one it began as."""
        steps = np.rint((taught - table) / STEP).clip(-MOST_STEPS, MOST_STEPS).astype(np.int8)
        rows = np.flatnonzero(steps.any(axis=1)).astype(np.int32)
        return cls(_checksum(table), rows, steps[rows])

    @classmethod
    def read(cls, path: Path = DISTILLED) -> Self:
        """Read the differences; a tenth of a second.

        Raises:
            OSError: The file cannot be read.
        """
        with np.load(path, allow_pickle=False) as arrays:
            return cls(int(arrays["checksum"]), arrays["rows"], arrays["steps"])

    def write(self, path: Path) -> None:
        """Write the differences."""
        np.savez_compressed(path, checksum=np.array(self.checksum), rows=self.rows, steps=self.steps)

    def added_to(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the table is with the differences.

        Raises:
            ValueError: They belong to another table.
        """
        found = _checksum(table)
        if found != self.checksum:
            raise ValueError(
                f"the vectors have the checksum {found:08x} and not {self.checksum:08x}, to which the distilled "
                "differences belong: install the version of wordllama that pyproject.toml names"
            )
        taught = table.copy()
        taught[self.rows] += self.steps * np.float32(STEP)
        return taught


def _checksum(table: NDArray[np.float32]) -> int:
    return zlib.crc32(np.ascontiguousarray(table).data)
