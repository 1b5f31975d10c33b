"""The engine that a configuration asks for, and what is measured of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .config import Config
from .core.hub import Hub
from .core.stats import Stats
from .engines.memory import MemoryEngine
from .engines.retention import Keep
from .engines.sqlite import SqliteEngine

__all__ = ["add_gauges", "make_engine"]


def make_engine(config: Config, now_ms: Callable[[], int]) -> MemoryEngine | SqliteEngine:
    """The log that a configuration asks for, not started."""
    limits = config.limits
    common: dict[str, Any] = {
        "now_ms": now_ms,
        "log_events": limits.log_events,
        "log_bytes": limits.log_bytes,
        "log_age_ms": limits.log_age_ms,
        "latest_topics": limits.latest_topics,
        "latest_bytes": limits.latest_bytes,
        "dedupe_ms": limits.dedupe_ms,
        "dedupe_keys": limits.dedupe_keys,
        "dedupe_keys_per_subject": limits.dedupe_keys_per_subject,
    }
    if config.data is None:
        return MemoryEngine(**common)
    return SqliteEngine(
        Path(config.data),
        sync=config.sync,
        log_rules={name: Keep(rule.events, rule.bytes, rule.age_ms) for name, rule in limits.log_rules.items()},
        window_events=limits.window_events,
        window_bytes=limits.window_bytes,
        queue_events=limits.write_queue_events,
        queue_bytes=limits.write_queue_bytes,
        **common,
    )


def add_gauges(stats: Stats, hub: Hub, engine: MemoryEngine | SqliteEngine) -> None:
    """Let what there is of clients, and of the log, be read at any time."""
    delivery = hub.delivery
    stats.gauges.update(
        connections=lambda: len(hub.sessions),
        queue_bytes=lambda: sum(outbox.queued_bytes for outbox in delivery.outboxes),
        catching_up=lambda: sum(outbox.is_behind or outbox.replaying > 0 for outbox in delivery.outboxes),
        subscriptions=lambda: sum(len(session.subscriptions) for session in hub.sessions.values()),
        patterns=lambda: delivery.router.patterns,
        dedupe_keys=lambda: len(engine.keys),
    )
    if isinstance(engine, SqliteEngine):
        engine.on_commit = stats.commit
        stats.gauges.update(
            log_events=lambda: engine.held.floors.events,
            log_bytes=lambda: engine.held.floors.bytes,
            latest_topics=lambda: len(engine.held.table),
            write_queue_events=lambda: engine.queue.events,
            write_queue_bytes=lambda: engine.queue.bytes,
            writable=lambda: engine.trouble is None,
        )
    else:
        stats.gauges.update(
            log_events=lambda: len(engine.log),
            log_bytes=lambda: engine.log.bytes,
            latest_topics=lambda: len(engine.table),
        )
