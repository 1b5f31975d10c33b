"""The engine that a configuration asks for, and what is measured of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .config import Config
from .core.hub import Hub
from .core.stats import Stats
from .engines.base import Engine
from .engines.memory import MemoryEngine
from .engines.retention import Keep
from .engines.sqlite import SqliteEngine

if TYPE_CHECKING:
    from .engines.nats.engine import NatsEngine
    from .natslink import ServerFacts

__all__ = ["AnyEngine", "add_gauges", "make_engine", "told"]

AnyEngine: TypeAlias = "MemoryEngine | SqliteEngine | NatsEngine"

_Gauges: TypeAlias = Mapping[str, Callable[[], float]]


def make_engine(config: Config, now_ms: Callable[[], int]) -> AnyEngine:
    """The log that a configuration asks for, not started."""
    limits = config.limits
    common: dict[str, Any] = {
        "log_events": limits.log_events,
        "log_bytes": limits.log_bytes,
        "log_age_ms": limits.log_age_ms,
        "dedupe_ms": limits.dedupe_ms,
        "dedupe_keys": limits.dedupe_keys,
        "dedupe_keys_per_subject": limits.dedupe_keys_per_subject,
    }
    if config.nats:
        return _nats_engine(config, common | _window(config))
    common |= {"now_ms": now_ms, "latest_topics": limits.latest_topics, "latest_bytes": limits.latest_bytes}
    if config.data is None:
        return MemoryEngine(**common)
    return SqliteEngine(
        Path(config.data),
        sync=config.sync,
        log_rules={name: Keep(rule.events, rule.bytes, rule.age_ms) for name, rule in limits.log_rules.items()},
        **common,
        **_window(config),
    )


def _window(config: Config) -> dict[str, Any]:
    limits = config.limits
    return {
        "window_events": limits.window_events,
        "window_bytes": limits.window_bytes,
        "queue_events": limits.write_queue_events,
        "queue_bytes": limits.write_queue_bytes,
    }


def _nats_engine(config: Config, given: dict[str, Any]) -> NatsEngine:
    # Imported where it is wanted: most brokers are alone.
    from .engines.nats.engine import NatsEngine
    from .natslink import LinkFiles

    return NatsEngine(
        config.nats,
        name=config.name,
        space=config.nats_space,
        replicas=config.nats_replicas,
        files=LinkFiles(
            credentials=_path(config.nats_credentials),
            ca=_path(config.nats_ca),
            cert=_path(config.nats_cert),
            key=_path(config.nats_key),
        ),
        start_timeout=config.nats_wait_ms / 1000,
        **given,
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


def told(config: Config, engine: Engine) -> dict[str, Any]:
    """What operators are told of the log, without anything secret."""
    facts: dict[str, Any] = {"durability": engine.durability, "writable": engine.trouble is None}
    if config.nats:
        nats = cast("NatsEngine", engine)
        server = nats.link.server
        at = f"{_name(server)} {server.version_text}" if server is not None else None
        facts |= {"server": at, "servers": nats.cluster_size, "replicas": nats.replicas}
        return {"kind": "nats", "space": config.nats_space, **facts}
    if config.data is None:
        return {"kind": "memory", **facts}
    return {"kind": "sqlite", "directory": config.data, **facts}


def _name(server: ServerFacts) -> str:
    """The name of a server; one that was given none has its id, which nobody reads."""
    return server.name if server.name != server.id else server.id[:8]


def add_gauges(stats: Stats, hub: Hub, engine: AnyEngine) -> None:
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
    match engine:
        case MemoryEngine():
            stats.gauges.update(_of_memory(engine))
        case SqliteEngine():
            engine.on_commit = stats.commit
            stats.gauges.update(_of_sqlite(engine))
        case _:
            stats.gauges.update(_of_nats(engine))


def _of_memory(engine: MemoryEngine) -> _Gauges:
    return {
        "log_events": lambda: len(engine.log),
        "log_bytes": lambda: engine.log.bytes,
        "latest_topics": lambda: len(engine.table),
    }


def _of_sqlite(engine: SqliteEngine) -> _Gauges:
    return {
        "log_events": lambda: engine.held.floors.events,
        "log_bytes": lambda: engine.held.floors.bytes,
        "latest_topics": lambda: len(engine.held.table),
        "write_queue_events": lambda: engine.queue.events,
        "write_queue_bytes": lambda: engine.queue.bytes,
        "writable": lambda: engine.trouble is None,
    }


def _of_nats(engine: NatsEngine) -> _Gauges:
    return {
        "log_events": lambda: engine.head - engine.oldest + 1,
        "window_events": lambda: len(engine.ring),
        "write_queue_events": lambda: engine.queue.events,
        "write_queue_bytes": lambda: engine.queue.bytes,
        "writable": lambda: engine.trouble is None,
        "unacknowledged": lambda: engine.in_flight,
        "position_lag": lambda: engine.lag,
        "follower_restarts": lambda: engine.follower_restarts,
        "filters": lambda: engine.filters,
    }
