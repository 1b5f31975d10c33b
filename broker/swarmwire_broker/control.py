"""A broker in the hands of its operators: stopped, and given another configuration, while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from .config import Config, ConfigError
from .enginechoice import told
from .services.operators.control import Reloaded

if TYPE_CHECKING:
    from .broker import Broker
    from .server import Server

__all__ = ["BrokerControl", "ServerControl"]

log = logging.getLogger("swarmwire.broker")


class BrokerControl:
    """What operators may do to a broker without a server around it.

    Arguments:
        load: reads the configuration, in a thread; without it the present one is taken again.

    Attributes:
        trouble: why the configuration could not be read again the last time.
    """

    def __init__(self, broker: Broker, load: Callable[[], Config] | None) -> None:
        self.trouble: str | None = None
        self._broker = broker
        self._load = load
        self._stopping: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()

    @property
    def config(self) -> Config:
        """What is in force."""
        return self._broker.config

    @property
    def urls(self) -> list[str]:
        """Nothing listens here."""
        return []

    @property
    def engine(self) -> dict[str, Any]:
        """What the log is."""
        return told(self._broker.config, self._broker.hub.engine)

    def stop(self) -> None:
        """Stop the broker; returns at once. Harmless twice."""
        self._begin(self._broker.stop())

    async def reload(self) -> Reloaded:
        """Read the configuration again, and apply what can be.

        Raises:
            ConfigError: it cannot be used; then nothing has changed.
        """
        async with self._reloading:
            try:
                reloaded = self._apply(await asyncio.to_thread(self._load) if self._load else self.config)
            except ConfigError as error:
                self.trouble = str(error)
                log.error("the configuration stays what it was: %s", error)
                raise
        self.trouble = None
        log.info("the configuration was read again", extra={"applied": reloaded.applied, "restart": reloaded.restart})
        return reloaded

    def _apply(self, config: Config) -> Reloaded:
        return self._broker.hold_to(config)

    def _begin(self, stop: Coroutine[Any, Any, None]) -> None:
        if self._stopping is not None and not self._stopping.done():
            stop.close()
            return
        self._stopping = asyncio.create_task(stop)
        self._stopping.add_done_callback(_report)


class ServerControl(BrokerControl):
    """What operators may do to a broker that a server is around."""

    def __init__(self, server: Server, load: Callable[[], Config] | None) -> None:
        super().__init__(server.broker, load)
        self._server = server
        self.asked_to_stop: Callable[[], object] = self._stop_by_itself

    @property
    def urls(self) -> list[str]:
        """Where clients of this machine reach it."""
        return self._server.urls if self._server.is_listening else []

    def stop(self) -> None:
        """Drain and stop; returns at once. Harmless twice."""
        self.asked_to_stop()

    def _stop_by_itself(self) -> None:
        self._begin(self._server.stop())

    def _apply(self, config: Config) -> Reloaded:
        return self._server.hold_to(config)


def _report(stopping: asyncio.Task[None]) -> None:
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.error("the broker did not stop as it should", exc_info=error)
