"""The engines that the model is played against."""

from __future__ import annotations

from functools import partial

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine

from ..core.fakes import DeepEngine, FakeClock
from .world import Disk, Kind

__all__ = ["DEEP", "MEMORY", "in_memory"]


class _MemoryDisk(Disk):
    def __init__(self, limits: Limits, engine_class: type[MemoryEngine]) -> None:
        self.clock = FakeClock()
        self._limits = limits
        self._engine_class = engine_class

    def open(self) -> MemoryEngine:
        limits = self._limits
        return self._engine_class(
            now_ms=self.clock.now_ms,
            steady_ms=self.clock.steady_ms,
            log_events=limits.log_events,
            log_bytes=limits.log_bytes,
            log_age_ms=limits.log_age_ms,
            latest_topics=limits.latest_topics,
            latest_bytes=limits.latest_bytes,
            dedupe_ms=limits.dedupe_ms,
            dedupe_keys=limits.dedupe_keys,
            dedupe_keys_per_subject=limits.dedupe_keys_per_subject,
        )


def in_memory(engine_class: type[MemoryEngine]) -> Kind:
    """A kind of engine that lives in memory."""
    return Kind(engine_class.__name__, partial(_MemoryDisk, engine_class=engine_class))


MEMORY = in_memory(MemoryEngine)

DEEP = in_memory(DeepEngine)
"""Most of the log can only be fetched, which takes turns of the loop."""
