"""A broker in this process: engine, hub and what embedders ask of them, without any server around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from swarmwire_protocol.messages import StartAt

from .auth import Revocations, configured_authenticator
from .auth.custom import Authenticate, custom_authenticator
from .clock import LoopClock
from .config import Config
from .core.hooks import Hook, Hooks
from .core.hub import Hub
from .core.ports import Authenticator
from .core.signals import Callback, Signal, Signals
from .core.stats import Stats
from .engines.memory import MemoryEngine
from .engines.retention import Keep
from .engines.sqlite import SqliteEngine
from .local import LocalClient, LocalSubscription
from .transports.peercred import own_subjects
from .version import VERSION

__all__ = ["Broker"]


class Broker:
    """Everything of a broker but its sockets. Start it on the loop it is to run on; start works again after stop.

    `authenticate(token, metadata)`, sync or async, takes the place of what `config.auth` says.

        broker = Broker()
        await broker.start()
        await broker.publish("agent.a1.status", {"status": "idle"})
    """

    def __init__(self, config: Config | None = None, *, authenticate: Authenticate | None = None) -> None:
        self.config = config or Config()
        self.stats = Stats()
        self.revocations = Revocations()
        self.hooks = Hooks()
        self.signals = Signals()
        self._custom = authenticate
        self._authenticator = self._make_authenticator()
        self._hub: Hub | None = None
        self._clock: LoopClock | None = None
        self._local: LocalClient | None = None
        self._is_stopped = False
        self._starting = asyncio.Lock()

    def _make_authenticator(self) -> Authenticator | None:
        if self._custom is not None:
            return custom_authenticator(self._custom)
        return configured_authenticator(self.config.auth, local_subjects=own_subjects(), revocations=self.revocations)

    @property
    def needs_login(self) -> bool:
        """Whether clients have to prove who they are."""
        return self._authenticator is not None

    @property
    def is_running(self) -> bool:
        return self._hub is not None

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped, and not started again since."""
        return self._is_stopped

    @property
    def hub(self) -> Hub:
        """The hub; RuntimeError before `start` and after `stop`."""
        if self._hub is None:
            raise RuntimeError("the broker is not started")
        return self._hub

    # ---- life

    async def start(self) -> None:
        """Open the log and be ready for connections. Harmless when it runs.

        Raises:
            OSError: the directory of the log cannot be used: another broker does, or what is there is no log, or is
                damaged, or of a newer version.
        """
        async with self._starting:
            if self._hub is None:
                await self._start()

    async def _start(self) -> None:
        self._is_stopped = False
        clock, limits = LoopClock(), self.config.limits
        engine = _make_engine(self.config, clock.now_ms)
        await engine.start()
        self._clock = clock
        self._hub = hub = Hub(
            engine,
            clock,
            limits=limits,
            rates=self.config.rates,
            authenticator=self._authenticator,
            name=self.config.name,
            version=VERSION,
            stats=self.stats,
            hooks=self.hooks,
            signals=self.signals,
        )
        self._local = LocalClient(hub)
        self._gauge(hub, engine)
        self.signals.emit("started", {"server": hub.info.id})

    def _gauge(self, hub: Hub, engine: MemoryEngine | SqliteEngine) -> None:
        delivery = hub.delivery
        self.stats.gauges.update(
            connections=lambda: len(hub.sessions),
            queue_bytes=lambda: sum(outbox.queued_bytes for outbox in delivery.outboxes),
            catching_up=lambda: sum(outbox.is_behind or outbox.replaying > 0 for outbox in delivery.outboxes),
            subscriptions=lambda: sum(len(session.subscriptions) for session in hub.sessions.values()),
            patterns=lambda: delivery.router.patterns,
            dedupe_keys=lambda: len(engine.keys),
        )
        if isinstance(engine, SqliteEngine):
            engine.on_commit = self.stats.commit
            self.stats.gauges.update(
                log_events=lambda: engine.held.floors.events,
                log_bytes=lambda: engine.held.floors.bytes,
                latest_topics=lambda: len(engine.held.table),
                write_queue_events=lambda: engine.queue.events,
                write_queue_bytes=lambda: engine.queue.bytes,
                writable=lambda: engine.trouble is None,
            )
        else:
            self.stats.gauges.update(
                log_events=lambda: len(engine.log),
                log_bytes=lambda: engine.log.bytes,
                latest_topics=lambda: len(engine.table),
            )

    def drain(self) -> None:
        """Say goodbye to every client and let none in. Harmless twice."""
        if self._hub is not None and not self._hub.is_draining:
            self._hub.drain()

    async def stop(self) -> None:
        """Close the log and let everything go. Whoever is still connected is told goodbye. Harmless twice."""
        self.drain()
        self._is_stopped = True
        hub, self._hub = self._hub, None
        clock, self._clock = self._clock, None
        if hub is None or clock is None:
            return
        self._local = None
        self.stats.gauges.clear()
        hub.close()
        for session in list(hub.sessions.values()):
            session.lost()
        await clock.close()
        await hub.engine.close()

    # ---- for embedders

    @property
    def local(self) -> LocalClient:
        """Publish and subscribe in this process; RuntimeError before `start` and after `stop`."""
        if self._local is None:
            raise RuntimeError("the broker is not started")
        return self._local

    async def publish(
        self,
        topic: str,
        data: Any,
        *,
        sender: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        ephemeral: bool = False,
        clear: bool = False,
    ) -> int | None:
        """Publish from this process; `LocalClient.publish` says how."""
        return await self.local.publish(
            topic, data, sender=sender, key=key, headers=headers, ephemeral=ephemeral, clear=clear
        )

    def subscribe(
        self,
        pattern: str,
        *,
        from_: str | dict[str, Any] | StartAt = "now",
        mode: str = "all",
        conflate_ms: int | None = None,
        queue_size: int | None = None,
        gaps: bool = False,
    ) -> LocalSubscription:
        """Subscribe in this process; `LocalClient.subscribe` says how."""
        return self.local.subscribe(
            pattern, from_=from_, mode=mode, conflate_ms=conflate_ms, queue_size=queue_size, gaps=gaps
        )

    def on(self, signal: Signal, callback: Callback) -> Callable[[], None]:
        """Hear of the broker's own events, from before it starts and over restarts; the answer ends that."""
        return self.signals.on(signal, callback)

    def route(self, pattern: str, handler: Hook, middleware: Iterable[Hook] = ()) -> None:
        """Let a handler see publishes on matching topics before they are accepted, over restarts too."""
        self.hooks.route(pattern, handler, middleware)

    def unroute(self, pattern: str) -> bool:
        """Take the routes of a pattern away; whether there were any."""
        return self.hooks.unroute(pattern)

    def revoke(self, *, subject: str | None = None, token_id: str | None = None) -> int:
        """Refuse a subject's tokens of up to now, or one token, and close the connections they have; how many."""
        if subject is not None:
            self.revocations.revoke_subject(subject)
        if token_id is not None:
            self.revocations.revoke_token(token_id)
        return self.hub.revoke(subject=subject, token_id=token_id)


def _make_engine(config: Config, now_ms: Callable[[], int]) -> MemoryEngine | SqliteEngine:
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
