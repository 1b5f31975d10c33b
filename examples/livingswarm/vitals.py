"""How an agent fares: figures that follow what it does, and wander."""

from __future__ import annotations

import random
import time

from swarmwire_channels import HealthMetrics, WorkMetrics

__all__ = ["Vitals"]

UNWELL = 92.0
"""Percent of the processor above which an agent does not call itself healthy."""


class Vitals:
    """Begun with the agent; told of each task."""

    def __init__(self) -> None:
        self._since = self._began = time.monotonic()
        self._busy = False
        self._done = self._failed = 0
        self._took = 0.0
        self._cpu = random.uniform(2, 15)
        self._memory = random.uniform(20, 45)

    @property
    def healthy(self) -> bool:
        """Whether it is well."""
        return self._cpu < UNWELL

    def begin(self) -> None:
        """It has begun a task."""
        self._busy, self._began = True, time.monotonic()

    def succeed(self) -> None:
        """It has done it."""
        self._done += 1
        self._took = time.monotonic() - self._began

    def fail(self) -> None:
        """It has not."""
        self._failed += 1
        self._took = time.monotonic() - self._began

    def rest(self) -> None:
        """It has nothing to do."""
        self._busy = False

    def health(self) -> HealthMetrics:
        """The process, a moment later than at the last look."""
        aim = 75.0 if self._busy else 8.0
        self._cpu = min(99.0, max(0.5, self._cpu + 0.3 * (aim - self._cpu) + random.gauss(0, 8)))
        self._memory = min(95.0, max(10.0, self._memory + random.gauss(0.3 if self._busy else -0.4, 1.0)))
        return HealthMetrics(
            cpu=round(self._cpu, 1),
            memory=round(self._memory, 1),
            uptime=round(1000 * (time.monotonic() - self._since)),
            tasks_completed=self._done,
            error_count=self._failed,
        )

    def metrics(self) -> WorkMetrics:
        """The work."""
        ended = self._done + self._failed
        return WorkMetrics(
            response_time=round(1000 * self._took, 1),
            throughput=round(60 * ended / (time.monotonic() - self._since), 2),
            error_rate=round(self._failed / ended, 3) if ended else 0,
            queue_size=int(self._busy),
        )

    def sentence(self) -> str:
        """A line for a log."""
        return f"{self._done} tasks done, {self._failed} failed, {self._cpu:.0f} % of the processor"
