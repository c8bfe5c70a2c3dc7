"""The graph of what needs what: cycles in it, and what can never begin because of one."""

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ancestors", "cycles", "never_beginning"]

Needs = Mapping[str, Sequence[str]]


def cycles(needs: Needs) -> list[list[str]]:
    """Return cycles, none of which shares a step with another, each as the steps in the order of their needs.

    With one step of each left out, nothing would wait for itself any more.
    """
    found: list[list[str]] = []
    ended = _can_end(needs, ())
    while len(ended) < len(needs):
        found.append(_cycle(needs, ended))
        ended = _can_end(needs, (*ended, *found[-1]))
    return found


def never_beginning(needs: Needs) -> list[str]:
    """Return the steps that are in no cycle and need one that is, or one that needs such a step."""
    circling = {step for cycle in cycles(needs) for step in cycle}
    ended = _can_end(needs, ())
    return [step for step in needs if step not in ended and step not in circling]


def ancestors(needs: Needs) -> dict[str, frozenset[str]]:
    """Return everything that must have ended before each step; in a cycle, the whole of it."""
    found: dict[str, frozenset[str]] = {}
    for step in needs:
        seen: set[str] = set()
        waiting = list(needs[step])
        while waiting:
            need = waiting.pop()
            if need not in seen:
                seen.add(need)
                waiting += found.get(need) or needs.get(need, ())
        found[step] = frozenset(seen)
    return found


def _can_end(needs: Needs, ended: Iterable[str]) -> set[str]:
    """Return what ends if some steps have ended; needs that are no steps count as ended."""
    done = set(ended)
    while True:
        more = {
            step
            for step in needs
            if step not in done and all(each in done or each not in needs for each in needs[step])
        }
        if not more:
            return done
        done |= more


def _cycle(needs: Needs, ended: set[str]) -> list[str]:
    """Follow needs that cannot end from the first such step, until one comes again."""
    walked: list[str] = []
    step = next(each for each in needs if each not in ended)
    while step not in walked:
        walked.append(step)
        step = next(each for each in needs[step] if each in needs and each not in ended)
    return walked[walked.index(step) :]
