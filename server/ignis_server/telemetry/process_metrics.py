"""What this process takes of the machine, and how far its event loop lags behind."""

import asyncio
import time

import psutil
from opentelemetry.metrics import Observation

from ignis_server.signal_table import (
    EVENT_LOOP_LAG,
    EVENT_LOOP_TASKS,
    PROCESS_CPU_TIME,
    PROCESS_FILE_DESCRIPTORS,
    PROCESS_MEMORY_USAGE,
    PROCESS_THREADS,
    PROCESS_UPTIME,
)
from ignis_server.telemetry.instruments import Instruments

__all__ = ["LoopLag", "observe_process"]

LOOK_SECONDS = 0.1


class LoopLag:
    """Sleeps a moment again and again, and notes how late it wakes: as late as every call is served."""

    def __init__(self) -> None:
        self._longest = 0.0
        self.tasks = 0

    async def run(self) -> None:
        """Look; never ends."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
            self._longest = max(self._longest, time.perf_counter() - began - LOOK_SECONDS)
            self.tasks = len(asyncio.all_tasks())

    def take(self) -> float:
        """Return the longest lag since this was asked last, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest


def observe_process(instruments: Instruments, lag: LoopLag) -> None:
    """Have the process looked at whenever metrics are exported."""
    process = psutil.Process()
    began = time.monotonic()

    def cpu_time() -> list[Observation]:
        times = process.cpu_times()
        return [Observation(times.user, {"cpu.mode": "user"}), Observation(times.system, {"cpu.mode": "system"})]

    instruments.observe(PROCESS_CPU_TIME, cpu_time)
    instruments.observe(PROCESS_MEMORY_USAGE, lambda: [Observation(process.memory_info().rss)])
    instruments.observe(PROCESS_THREADS, lambda: [Observation(process.num_threads())])
    instruments.observe(PROCESS_FILE_DESCRIPTORS, lambda: [Observation(process.num_fds())])
    instruments.observe(PROCESS_UPTIME, lambda: [Observation(time.monotonic() - began)])
    instruments.observe(EVENT_LOOP_LAG, lambda: [Observation(lag.take())])
    instruments.observe(EVENT_LOOP_TASKS, lambda: [Observation(lag.tasks)])
