"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Delays that double up to a cap, each drawn from between half and all of itself.

    `attempt` counts from 1 after each `reset`. Delays are in seconds.
    """

    def __init__(self, base: float, cap: float, *, draw: Callable[[], float] = random.random) -> None:
        self._base = base
        self._cap = cap
        self._draw = draw
        self.attempt = 0

    def next(self) -> float:
        """Count one more attempt; the delay before it."""
        doublings = min(self.attempt, 60)  # beyond it the cap has long decided, and a float would overflow
        self.attempt += 1
        whole: float = min(self._cap, self._base * 2**doublings)
        return whole * (0.5 + 0.5 * self._draw())

    def reset(self) -> None:
        """The connection succeeded."""
        self.attempt = 0
