"""The short stretches of characters that a text is made of, which words in another form still share."""

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.knobs import SelectionKnobs

__all__ = ["grams_of"]

SPACE = ord(" ")
# Knuth's multiplier for 64 bits, from "The Art of Computer Programming", vol. 2: spreads code points evenly.
MULTIPLIER = np.uint64(6_364_136_223_846_793_005)


def grams_of(text: str, knobs: SelectionKnobs) -> NDArray[np.uint64]:
    """Return the hashes of all stretches of characters within a text's words, with repetitions.

    A word has a space on each side, which a stretch may begin or end with. Equal stretches have equal
    hashes on every platform; of different ones, two in 2^64 are alike.
    """
    spaced = f" {' '.join(text.lower().split())} "
    points = np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_space = points == SPACE
    found = []
    hashes = np.zeros(len(points), np.uint64)
    is_inside = np.ones(len(points), bool)
    for length in range(1, knobs.longest_gram + 1):
        count = len(points) - length + 1
        if count <= 0:
            break
        # The hash of one more character, from that of all before it; arithmetic is modulo 2^64.
        hashes = (hashes[:count] + points[length - 1 :] + np.uint64(1)) * MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
        if length > 2:  # noqa: PLR2004 - the first and the last may be spaces
            is_inside = is_inside[:count] & ~is_space[length - 2 : length - 2 + count]
        if length >= knobs.shortest_gram:
            found.append(hashes[is_inside[:count]])
    return np.concatenate(found) if found else np.zeros(0, np.uint64)
