"""Who wants to hear of something."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

__all__ = ["Callbacks"]

log = logging.getLogger("swarmwire.broker.nats")

_P = ParamSpec("_P")


class Callbacks(Generic[_P]):
    """Called in the order they were added. One that fails is logged, and the others are called."""

    def __init__(self) -> None:
        self._all: tuple[tuple[object, Callable[_P, None]], ...] = ()

    def add(self, callback: Callable[_P, None]) -> Callable[[], None]:
        """Call it from now on; what is returned ends that, twice without harm."""
        mark = object()
        self._all = (*self._all, (mark, callback))

        def remove() -> None:
            self._all = tuple(one for one in self._all if one[0] is not mark)

        return remove

    def tell(self, *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Call them all."""
        for _, callback in self._all:
            try:
                callback(*args, **kwargs)
            except Exception:
                log.exception("who listens to the link to NATS failed")
