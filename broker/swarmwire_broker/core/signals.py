"""The broker's own events, for embedders: callbacks by name. The same events are `$sys` topics for clients."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args

from .ports import Clock

__all__ = ["SIGNALS", "Callback", "Signal", "Signals"]

log = logging.getLogger("swarmwire.broker.signals")

Signal = Literal[
    "started",
    "stopping",
    "connection",
    "authenticated",
    "disconnect",
    "subscribe",
    "unsubscribe",
    "publish",
    "dropped",
    "error",
]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)

Callback = Callable[[Mapping[str, Any]], Any]
"""Gets the facts of an event. Sync or async; what it raises is logged and stops nothing."""


class Signals:
    """Who wants to hear of what. A signal that nobody hears costs one test.

    `clock` runs what asynchronous callbacks answer; it is set before the first signal.
    """

    def __init__(self) -> None:
        self.clock: Clock | None = None
        self._callbacks: dict[Signal, list[Callback]] = {}

    def on(self, signal: Signal, callback: Callback) -> Callable[[], None]:
        """Call back at each `signal`; the answer takes the callback away again, and is harmless twice."""
        if signal not in SIGNALS:
            raise ValueError(f"expected one of {', '.join(SIGNALS)}, got {signal!r}")
        callbacks = self._callbacks.setdefault(signal, [])
        callbacks.append(callback)

        is_there = True

        def remove() -> None:
            nonlocal is_there
            if is_there:
                is_there = False
                callbacks.remove(callback)
            if not callbacks and self._callbacks.get(signal) is callbacks:
                del self._callbacks[signal]

        return remove

    def __contains__(self, signal: Signal) -> bool:
        return signal in self._callbacks

    def emit(self, signal: Signal, facts: Mapping[str, Any]) -> None:
        """Tell everyone who wants to hear of it."""
        for callback in list(self._callbacks.get(signal, ())):
            try:
                answer = callback(facts)
            except Exception:
                log.exception("a callback failed", extra={"signal": signal})
            else:
                if inspect.iscoroutine(answer) and self.clock is not None:
                    self.clock.spawn(answer)
