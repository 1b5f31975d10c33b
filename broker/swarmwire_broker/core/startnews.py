"""That the broker runs: nobody is there when it starts, so who asks for what has been is told of it later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swarmwire_protocol.codec import encode, encode_event, event_head, quote, with_sub
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import StartAt
from swarmwire_protocol.topics import matches

if TYPE_CHECKING:
    from .hub import Hub
    from .session import Session

__all__ = ["StartNews"]

_TOPIC: Final = "$sys.daemon.started"


class StartNews:
    """The event of the broker's start. Nobody is told before it is announced."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._payload = b""
        self._head = 0

    def announce(self) -> None:
        """The broker runs from now on; the other brokers of a cluster, where people are who watch, are told at once."""
        hub, info = self._hub, self._hub.info
        facts = {"server": info.id, "name": info.name, "version": info.version, "pid": info.pid}
        self._payload = encode_event(event_head(_TOPIC), None, hub.clock.now_ms(), b"", encode(facts))
        self._head = hub.engine.head
        if hub.delivery.others is not None:
            hub.delivery.others.tell_all(_TOPIC, self._payload)

    def recall(self, session: Session, pattern: str, name: str | None, begin: str | StartAt) -> bool:
        """Tell a subscription (None: all that a client has) of the start; whether it was told.

        It is if its pattern matches that, and if it begins at something that may have been before it.
        """
        if begin == "now" or not self._payload or not matches(pattern, _TOPIC) or self._is_since(begin):
            return False
        session.outbox.notice(self._payload if name is None else with_sub(self._payload, quote(name)))
        return True

    def _is_since(self, begin: str | StartAt) -> bool:
        if not isinstance(begin, StartAt) or begin.cursor is None:
            return False
        cursor = Cursor.parse(begin.cursor)
        return cursor.epoch == self._hub.engine.epoch and cursor.seq > self._head
