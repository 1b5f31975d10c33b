"""A broker in this process: engine, hub and what embedders ask of them, without any server around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from swarmwire_protocol.handling import Function
from swarmwire_protocol.messages import StartAt

from .auth import Revocations, configured_authenticator
from .auth.custom import Authenticate, custom_authenticator
from .clock import LoopClock
from .config import Auth, Config, ConfigError
from .control import BrokerControl
from .core.hooks import Hook, Hooks
from .core.hub import Hub
from .core.ports import Authenticator
from .core.signals import Callback, Signal, Signals
from .core.stats import Stats
from .enginechoice import add_gauges, make_engine
from .local import LocalClient, LocalSubscription
from .localcalls import LocalHandler, LocalHandlers
from .logs import is_configured
from .services.operators.control import Control, Reloaded
from .services.operators.reloading import Secrets, apply, plan_of, secrets_of
from .services.services import Services
from .transports.peercred import own_subjects
from .version import VERSION

if TYPE_CHECKING:
    from .cluster.cluster import Cluster

__all__ = ["Broker"]

_NO_SECRETS = Secrets({}, None)


class Broker:
    """Everything of a broker but its sockets. Start it on the loop it is to run on; start works again after stop.

    `authenticate(token, metadata)`, sync or async, takes the place of what `config.auth` says. `load()` reads the
    configuration again when operators ask for that; without it the same one is taken, its files of secrets read anew.

        broker = Broker()
        await broker.start()
        await broker.publish("agent.a1.status", {"status": "idle"})
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        authenticate: Authenticate | None = None,
        load: Callable[[], Config] | None = None,
    ) -> None:
        self.config = config or Config()
        self.control: Control = BrokerControl(self, load)
        self.stats = Stats()
        self.revocations = Revocations()
        self.hooks = Hooks()
        self.signals = Signals()
        self._custom = authenticate
        self._secrets = _NO_SECRETS if authenticate is not None else secrets_of(self.config.auth)
        self._authenticator = self._make_authenticator(self.config.auth)
        self._hub: Hub | None = None
        self._clock: LoopClock | None = None
        self._local: LocalClient | None = None
        self._handlers = LocalHandlers()
        self._services: Services | None = None
        self._cluster: Cluster | None = None
        self._is_stopped = False
        self._starting = asyncio.Lock()

    def _make_authenticator(self, auth: Auth) -> Authenticator | None:
        if self._custom is not None:
            return custom_authenticator(self._custom)
        return configured_authenticator(auth, local_subjects=own_subjects(), revocations=self.revocations)

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
        clock, config = LoopClock(), self.config
        engine = make_engine(config, clock.now_ms)
        await engine.start()
        hub = Hub(
            engine,
            clock,
            limits=config.limits,
            rates=config.rates,
            authenticator=self._authenticator,
            name=self.config.name,
            version=VERSION,
            stats=self.stats,
            hooks=self.hooks,
            signals=self.signals,
        )
        cluster = self._join(hub, config) if config.nats else None
        services = cluster.services if cluster is not None else Services(hub, self.control)
        try:
            await (services.start() if cluster is None else cluster.start())
        except BaseException:
            if cluster is not None:
                await cluster.close()
            services.close()
            await clock.close()
            await engine.close()
            raise
        if self.config is not config:  # it was read again meanwhile
            hub.bound(self.config.limits)
            hub.login.ask(self._authenticator)
            hub.login.meter(self.config.rates, forget_failures=True)
        self._clock, self._hub, self._services, self._cluster = clock, hub, services, cluster
        self._local = LocalClient(hub, self._handlers)
        add_gauges(self.stats, hub, engine)
        if cluster is not None:
            self.stats.gauges.update(cluster.gauges())
        hub.start_news.announce()
        self.signals.emit("started", {"server": hub.info.id})

    def _join(self, hub: Hub, config: Config) -> Cluster:
        """What ties this broker to the others, not started."""
        # Imported where it is wanted: most brokers are alone.
        from .cluster.natscluster import new_cluster
        from .engines.nats.engine import NatsEngine

        assert isinstance(hub.engine, NatsEngine)
        cluster = new_cluster(
            hub,
            hub.engine,
            lambda deaths: Services(hub, self.control, deaths),
            space=config.nats_space,
            replicas=config.nats_replicas,
            start_timeout=config.nats_wait_ms / 1000,
        )
        cluster.revoked = self._revoke
        cluster.revocations = self.revocations
        return cluster

    def drain(self) -> None:
        """Say goodbye to every client and let none in. Harmless twice."""
        if self._hub is not None and not self._hub.is_draining:
            self._hub.drain()
            if self._cluster is not None and self._clock is not None:
                self._clock.spawn(self._cluster.leave())

    async def stop(self) -> None:
        """Close the log and let everything go. Whoever is still connected is told goodbye. Harmless twice."""
        self.drain()
        self._is_stopped = True
        hub, self._hub = self._hub, None
        clock, self._clock = self._clock, None
        services, self._services = self._services, None
        cluster, self._cluster = self._cluster, None
        if hub is None or clock is None or services is None:
            return
        if self._local is not None:
            self._local.close()
            self._local = None
        if cluster is not None:
            await cluster.leave()
        services.close()
        self.stats.gauges.clear()
        hub.close()
        for session in list(hub.sessions.values()):
            session.lost()
        if cluster is not None:
            await cluster.close()
        await clock.close()
        await hub.engine.close()

    # ---- for operators

    async def reload(self) -> Reloaded:
        """Read the configuration again and apply what can be; `Control.reload` says how."""
        return await self.control.reload()

    def hold_to(self, config: Config) -> Reloaded:
        """Apply what can be applied of another configuration without a restart.

        Raises:
            ConfigError: it cannot be used; then nothing has changed.
        """
        is_custom = self._custom is not None
        secrets = self._secrets if is_custom else secrets_of(config.auth)
        rewritten = [name for name, text in secrets.files.items() if self._secrets.files.get(name, text) != text]
        plan = plan_of(self.config, config, rewritten=rewritten, keeps_auth=is_custom, keeps_level=not is_configured())
        authenticator, former_token = self._authenticator, self._secrets.token
        if plan.touches("auth"):
            try:
                authenticator = self._make_authenticator(plan.config.auth)
            except ConfigError:
                raise
            except ValueError as error:
                raise ConfigError(str(error), "auth") from None
            self._secrets = secrets
        self.config, self._authenticator = plan.config, authenticator
        if self._hub is not None:
            apply(self._hub, plan, authenticator, token=self._secrets.token, former_token=former_token)
        return Reloaded(applied=plan.applied, restart=plan.restart)

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

    async def call(self, method: str, params: Any = None, *, timeout: float | None = None) -> Any:
        """Call a method from this process; `LocalClient.call` says how."""
        return await self.local.call(method, params, timeout=timeout)

    @overload
    def handler(self, method: str, function: Function) -> LocalHandler: ...

    @overload
    def handler(self, method: str) -> Callable[[Function], LocalHandler]: ...

    def handler(
        self, method: str, function: Function | None = None
    ) -> LocalHandler | Callable[[Function], LocalHandler]:
        """Let a function of this process answer calls, from before it starts and over restarts; also a decorator.

            @broker.handler("greet")
            async def greet(params):
                return f"Hello {params['name']}"

        `LocalClient.handler` says more.
        """
        if function is None:
            return partial(self._handlers.add, method)
        return self._handlers.add(method, function)

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
        """Refuse a subject's tokens of up to now, or one token, and close the connections they have; how many.

        It holds for all brokers of a cluster, and for those that come while one of them runs; counted are the
        connections of this one.
        """
        count = self._revoke(subject, token_id)
        if self._cluster is not None:
            self._cluster.revoke(subject, token_id)
        return count

    def _revoke(self, subject: str | None, token_id: str | None) -> int:
        if subject is not None:
            self.revocations.revoke_subject(subject)
        if token_id is not None:
            self.revocations.revoke_token(token_id)
        return self.hub.revoke(subject=subject, token_id=token_id)
