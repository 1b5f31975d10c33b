"""Rate limits that hold for a cluster: each broker tells what was spent at it, and charges what the others tell."""

from __future__ import annotations

from typing import Final

from ..core import rates
from ..core.hub import Hub
from ..core.ports import Timer
from .messages import Spent
from .post import Post

__all__ = ["Spending"]

_EVERY: Final = 0.2
"""Seconds between two tellings; within them a limit can be passed once at each broker."""

_MOST: Final = 5_000
"""Names that are told at once; the others' turn comes next time."""


class Spending:
    """Tells and charges. Nothing is said where nothing is limited, or nothing was spent."""

    def __init__(self, hub: Hub, post: Post) -> None:
        self._hub = hub
        self._post = post
        self._timer: Timer | None = None
        post.on(Spent, self._told)

    def start(self) -> None:
        """Tell from now on."""
        self._timer = self._hub.clock.call_later(_EVERY, self._tell)

    def close(self) -> None:
        """Tell nothing any more. Harmless twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        spent = self._hub.login.limiter.take_spent(_MOST)
        if spent.is_any:
            self._post.tell_all(Spent(subjects=spent.subjects, clients=spent.clients, topics=spent.topics))
        self._timer = self._hub.clock.call_later(_EVERY, self._tell)

    def _told(self, sender: str, message: Spent) -> None:
        spent = rates.Spent(message.subjects, message.clients, message.topics)
        self._hub.login.limiter.charge_for_others(spent, self._hub.clock.time())
