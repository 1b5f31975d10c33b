"""The events of the connection's state, and whoever listens to them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from swarmwire_protocol.errors import SwarmwireError

__all__ = ["STATE_EVENTS", "Emitter", "Listener"]

Listener = Callable[..., object]
"""A function or coroutine function; what it is called with depends on the name of the event."""

STATE_EVENTS: dict[str, str] = {
    "connected": "client_id",
    "authenticated": "identity",
    "disconnected": "code, reason",
    "reconnecting": "attempt, delay",
    "resumed": "",
    "gap": "gap, pattern",
    "pong": "latency_ms",
    "error": "exception",
    "message": "event",
}
"""The names of the events, with the arguments of their listeners."""

_log = logging.getLogger("swarmwire.client")


class Emitter:
    """Calls listeners in the order they came. One that fails stops neither the others nor the caller."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[object, Listener]] = {name: {} for name in STATE_EVENTS}
        self._running: set[asyncio.Task[None]] = set()

    def listen(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` at every event of that name; returns a function that ends it, harmless twice.

        Raises:
            ValueError: for a name that is not in `STATE_EVENTS`.
        """
        if name not in STATE_EVENTS:
            raise ValueError(f"expected the name of a state event ({', '.join(STATE_EVENTS)}), got {name!r}")
        listeners, ticket = self._listeners[name], object()
        listeners[ticket] = listener
        return lambda: _end(listeners, ticket)

    def emit(self, name: str, *arguments: object) -> None:
        """Tell all listeners of the event. Never raises."""
        for listener in tuple(self._listeners[name].values()):
            self.run(name, listener, *arguments)

    def has(self, name: str) -> bool:
        """Whether anybody listens to this event."""
        return bool(self._listeners[name])

    def run(self, name: str, listener: Listener, *arguments: object) -> None:
        """Call a listener that is none of the table's. Never raises."""
        try:
            result = listener(*arguments)
        except Exception as error:
            self._failed(name, error)
        else:
            if inspect.isawaitable(result):
                self._spawn(name, result)

    async def hand(self, name: str, *arguments: object) -> None:
        """Tell all listeners of the event, one after the other, and wait until they are done. Never raises."""
        for listener in tuple(self._listeners[name].values()):
            try:
                result = listener(*arguments)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                self._failed(name, error)

    def report(self, sentence: str, error: Exception) -> None:
        """Something failed that no caller waits for: log it, and tell the listeners of `error`."""
        # A named error says it all; of anything else people need the place.
        _log.warning("%s: %s", sentence, error, exc_info=None if isinstance(error, SwarmwireError) else error)
        self.emit("error", error)

    def _spawn(self, name: str, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(self._finish(name, work))
        self._running.add(task)  # a task that nobody holds may be collected before it ends
        task.add_done_callback(self._running.discard)

    async def _finish(self, name: str, work: Awaitable[object]) -> None:
        try:
            await work
        except Exception as error:
            self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> None:
        if name == "error":
            _log.error("a listener of the error event failed", exc_info=error)
        else:
            self.report(f"a listener of the {name} event failed", error)


def _end(listeners: dict[object, Listener], ticket: object) -> None:
    listeners.pop(ticket, None)
