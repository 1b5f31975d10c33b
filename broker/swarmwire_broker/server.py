"""A broker with its sockets: start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn

from .app import create_app, sites_of
from .auth.custom import Authenticate
from .broker import Broker
from .config import Config, ConfigError
from .control import ServerControl
from .listeners import Listeners
from .services.operators.control import Reloaded
from .transports.handover import HandoverProtocol, upgrade_protocol
from .transports.origin import check_allow_lists, is_loopback
from .transports.shortcut import shortcut_protocol

__all__ = ["Server"]

log = logging.getLogger("swarmwire.broker.server")

_BACKLOG = 2_048


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handlers (whoever owns the process decides about signals), telling when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """A broker that listens. Use it as an async context manager, or by `start` and `stop`.

    `start` returns when connections are accepted; `port` then tells which port a 0 became. `stop` is harmless
    twice and takes at most the drain timeout and a moment; `start` works again after it.

    `load()` reads the configuration again, in a thread, when operators ask for that; without it the same one is taken,
    its files of secrets read anew.

    Raises:
        ConfigError: settings that cannot go together, such as a public address without authentication.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        authenticate: Authenticate | None = None,
        load: Callable[[], Config] | None = None,
    ) -> None:
        config = config or Config()
        self._has_own_login = authenticate is not None
        self.check(config)
        try:
            self.broker = Broker(config, authenticate=authenticate, load=load)
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self._control = self.broker.control = ServerControl(self, load)
        self._listeners = Listeners(config, self.broker)
        self._upgrades = upgrade_protocol(config.limits)
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._port: int | None = None
        self._uvicorn: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    def check(self, config: Config) -> None:
        """See that this server could be started with a configuration.

        Raises:
            ConfigError: it could not.
        """
        try:
            check_allow_lists(allowed_origins=config.allowed_origins, allowed_hosts=config.allowed_hosts)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if not self._has_own_login:
            _check_exposure(config)

    @property
    def config(self) -> Config:
        """What is in force: what it was made with, and what was applied since."""
        return self.broker.config

    @property
    def is_listening(self) -> bool:
        """Whether it is started, and not told to stop since."""
        return self._port is not None

    @property
    def port(self) -> int:
        """The port it listens at; RuntimeError while it does not."""
        if self._port is None:
            raise RuntimeError("the server is not started")
        return self._port

    @property
    def _grace(self) -> int:
        """Seconds that connections have to end, once they were told."""
        return max(1, round(self.config.limits.drain_timeout_ms / 1000) + 1)

    @property
    def url(self) -> str:
        """Where clients of this machine reach its WebSocket."""
        return f"ws://{self._authority}{self.config.path}"

    @property
    def urls(self) -> list[str]:
        """Every way in which clients of this machine reach it; `url` comes first."""
        return [self.url, *self._listeners.urls, f"http://{self._authority}"]

    @property
    def _authority(self) -> str:
        host = self.config.host if self.config.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"

    # ---- life

    async def start(self) -> None:
        """Listen. Returns when connections are accepted.

        Raises:
            OSError: the address, or a Unix socket or pipe that was asked for, cannot be listened at, for instance
                because the port is busy.
            RuntimeError: it runs already.
        """
        async with self._changing:
            await self._start()

    async def _start(self) -> None:
        if self._serving is not None:
            raise RuntimeError("the server is started already")
        listener = _listen(self.config.host, self.config.port)
        try:
            await self.broker.start()
        except BaseException:
            listener.close()
            raise
        self._stopped.clear()
        self._port = listener.getsockname()[1]
        self._uvicorn = server = _Uvicorn(self._uvicorn_config())
        self._serving = asyncio.create_task(server.serve(sockets=[listener]))
        self._serving.add_done_callback(_report)
        listens = asyncio.create_task(server.listens.wait())
        await asyncio.wait((listens, self._serving), return_when=asyncio.FIRST_COMPLETED)
        if not listens.done():
            listens.cancel()
            await self._stop()
            raise OSError("the server did not start; the log says why")
        try:
            await self._listeners.start()
        except BaseException:
            await self._stop()
            raise

    def _uvicorn_config(self) -> uvicorn.Config:
        return uvicorn.Config(
            create_app(self.broker),
            http=shortcut_protocol(self.broker, sites_of(self.config), self.config.path, self._upgrades),
            ws=HandoverProtocol,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            ws_max_size=self.config.limits.max_hello_bytes,
            lifespan="off",
            proxy_headers=False,  # failed logins count for who connects, not for whom a header names
            log_config=None,
            access_log=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=self._grace,
        )

    def hold_to(self, config: Config) -> Reloaded:
        """Apply what can be applied of another configuration without a restart.

        Raises:
            ConfigError: it cannot be used; then nothing has changed.
        """
        self.check(config)
        reloaded = self.broker.hold_to(config)
        self._upgrades.limits = self.config.limits
        self._listeners.bound(self.config.limits)
        return reloaded

    async def reload(self) -> Reloaded:
        """Read the configuration again and apply what can be; `Control.reload` says how."""
        return await self.broker.reload()

    def when_asked_to_stop(self, callback: Callable[[], object]) -> None:
        """Have a callback decide what becomes of `daemon.stop`; without one the server stops by itself."""
        self._control.asked_to_stop = callback

    async def stopped(self) -> None:
        """Wait until it is stopped, by whomever; returns at once where it does not run."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Drain: say goodbye to every client, let what was written go out, and stop listening.

        Cancelled, it cuts what is left.
        """
        async with self._changing:
            await self._stop()

    async def _stop(self) -> None:
        serving, self._serving = self._serving, None
        server, self._uvicorn = self._uvicorn, None
        self._port = None
        try:
            self._listeners.stop_listening()
            if server is not None and serving is not None:
                for listener in getattr(server, "servers", []):
                    listener.close()
                self.broker.drain()
                server.should_exit = True
                await self._drained(serving)
        finally:
            self._listeners.abort()
            if serving is not None:
                serving.cancel()
            await self.broker.stop()
            self._stopped.set()

    async def _drained(self, serving: asyncio.Task[None]) -> None:
        """Wait until every connection is gone, which takes as long as draining may; uvicorn bounds its own."""
        others = asyncio.create_task(self._listeners.closed())
        others.add_done_callback(_report)
        try:
            await asyncio.wait((others,), timeout=self._grace)
            await asyncio.wait((serving,))
        finally:
            others.cancel()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()


def _check_exposure(config: Config) -> None:
    if config.auth.configured or config.insecure or is_loopback(config.host):
        return
    raise ConfigError(
        f"host is {config.host}, which other machines reach, and no authentication is configured: "
        "set auth.token_file or another of auth.*, listen at 127.0.0.1, or say --insecure",
        "host",
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio sets TCP_NODELAY on what it accepts; else an answer in two writes takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            # There it would let two brokers share a port; elsewhere it lets one follow another at once.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen at {host}:{port}: {error.strerror}") from None
    return listener


def _report(serving: asyncio.Task[None]) -> None:
    if not serving.cancelled() and (error := serving.exception()) is not None:
        log.error("the server failed", exc_info=error)
