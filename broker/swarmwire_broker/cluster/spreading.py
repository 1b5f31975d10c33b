"""Events for whoever is live just now, from the clients of one broker to those of the others."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from ..core.hub import Hub
from .bus import BusDown
from .messages import Ephemeral
from .names import NamesOfAll
from .post import Post

__all__ = ["Spreading"]

_FEW: Final = 2
"""Up to so many brokers are told one by one; more of them all at once."""


class Spreading:
    """Sends ephemeral events where somebody may want them. They are left out when the bus takes no more."""

    def __init__(self, hub: Hub, post: Post, names: NamesOfAll) -> None:
        self._hub = hub
        self._post = post
        self._names = names
        hub.delivery.others = self
        post.on(Ephemeral, self._told)

    def close(self) -> None:
        """Send nothing any more. Harmless twice."""
        self._hub.delivery.others = None

    def want(self, topic: str) -> bool:
        return self._names.wants(topic)

    def tell(self, topic: str, payload: bytes, hidden_from: str | None) -> None:
        message = Ephemeral(topic=topic, event=Raw(payload), hidden=hidden_from)
        if self._post.bus.is_crowded:
            self._hub.stats.ephemeral_skipped += 1
            return
        try:
            self._send(topic, message)
        except BusDown:
            self._hub.stats.ephemeral_skipped += 1

    def tell_all(self, topic: str, payload: bytes) -> None:
        self._post.tell_all(Ephemeral(topic=topic, event=Raw(payload)))

    def _send(self, topic: str, message: Ephemeral) -> None:
        brokers = self._names.wanting(topic)
        if len(brokers) > _FEW:
            self._post.send_all(message)
        else:
            for broker in brokers:
                self._post.send(broker, message)

    def _told(self, sender: str, message: Ephemeral) -> None:
        self._hub.delivery.deliver_ephemeral(message.topic, bytes(message.event), message.hidden)
