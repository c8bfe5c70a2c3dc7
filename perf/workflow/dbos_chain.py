"""Runs of three steps on DBOS, in a process of its own: `python -m perf.workflow.dbos_chain URL RUNS CALLERS`.

Prints runs a second. Its steps do nothing but add one, its workflows are called and awaited, and its log and its
administration server are off.
"""

import asyncio
import os
import sys
import time

from dbos import DBOS, DBOSConfig  # type: ignore[import-not-found]  # of the extra bench

STEPS = 3


def main() -> None:
    """Measure."""
    url, runs, callers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    config: DBOSConfig = {
        "name": "chain",
        "system_database_url": url,
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)

    @DBOS.step()  # type: ignore[untyped-decorator]  # as is all of DBOS where it is not installed
    async def step(number: int) -> int:
        return number + 1

    @DBOS.workflow()  # type: ignore[untyped-decorator]  # likewise
    async def chain(number: int) -> int:
        for _ in range(STEPS):
            number = await step(number)
        return number

    async def measure() -> float:
        DBOS.launch()
        for number in range(20):
            await chain(number)
        left = iter(range(runs))

        async def caller() -> None:
            for number in left:
                if await chain(number) != number + STEPS:
                    raise AssertionError("a step was not done")

        begun = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return runs / (time.perf_counter() - begun)

    print(f"{asyncio.run(measure()):.1f}", flush=True)
    # Its threads would go on.
    os._exit(0)


if __name__ == "__main__":
    main()
