"""A broker with its sockets: start, stop, and the process that does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from .app import create_app, sites_of
from .auth.custom import Authenticate
from .broker import Broker
from .config import Config, ConfigError
from .listeners import Listeners
from .transports.handover import HandoverProtocol
from .transports.origin import check_allow_lists, is_loopback
from .transports.shortcut import shortcut_protocol

__all__ = ["Server", "run"]

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

    Raises:
        ConfigError: settings that cannot go together, such as a public address without authentication.
    """

    def __init__(self, config: Config | None = None, *, authenticate: Authenticate | None = None) -> None:
        self.config = config or Config()
        try:
            check_allow_lists(allowed_origins=self.config.allowed_origins, allowed_hosts=self.config.allowed_hosts)
            self.broker = Broker(self.config, authenticate=authenticate)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        _check_exposure(self.config, self.broker)
        self._listeners = Listeners(self.config, self.broker)
        self._port: int | None = None
        self._uvicorn: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

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
            http=shortcut_protocol(self.broker, sites_of(self.config), self.config.path, self.config.limits),
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


def _check_exposure(config: Config, broker: Broker) -> None:
    if broker.needs_login or config.insecure or is_loopback(config.host):
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


# ---- a process that is a broker


def run(config: Config, *, on_started: Callable[[Server], object] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then drain; the exit code. A second signal stops at once.

    Raises:
        ConfigError, OSError: what `Server` and its `start` raise.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(Server(config), on_started))


async def _serve(server: Server, on_started: Callable[[Server], object] | None) -> int:
    stopping = asyncio.Event()
    with _signals(stopping):
        await server.start()
        # What is here now stays; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        if on_started is not None:
            on_started(server)
        await stopping.wait()
        stopping.clear()
        log.info("draining")
        draining = asyncio.create_task(server.stop())
        again = asyncio.create_task(stopping.wait())
        await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not draining.done():
            draining.cancel()
            return 1
        draining.result()
    return 0


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event while this lasts."""
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    before: dict[signal.Signals, Any] = {}
    for number in handled:
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Windows
            before[number] = signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
    try:
        yield
    finally:
        for number in handled:
            if number in before:
                signal.signal(number, before[number])
            else:
                loop.remove_signal_handler(number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
