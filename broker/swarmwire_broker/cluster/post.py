"""The post of a broker: messages to one other broker or to all, and those that come, each to who asked for its kind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from typing import Any, Final, TypeVar

from .bus import Bus, BusDown
from .messages import Message, decode, encode
from .parcels import Parcels, cut

__all__ = ["Post"]

log = logging.getLogger("swarmwire.broker.cluster")

M = TypeVar("M", bound=Message)

_ALL: Final = "all"


class Post:
    """Sends and receives messages. Those to oneself, and those that this version does not know, go nowhere.

    Arguments:
        bus: started by whoever has it.
        prefix: of the subjects of this cluster.
        id: of this broker.

    Attributes:
        heard: called with the id of a broker before each message of it is handed over; False: it is not to be.
    """

    def __init__(self, bus: Bus, prefix: str, id: str) -> None:
        self.bus = bus
        self.id = id
        self.heard: Callable[[str, Message], bool] = _anybody
        self._prefix = prefix
        self._receivers: dict[type[Any], Callable[[str, Any], None]] = {}
        self._parcels = Parcels()
        self._numbers = count(1)
        self._ends: list[Callable[[], None]] = []

    def on(self, kind: type[M], receive: Callable[[str, M], None]) -> None:
        """Have each message of a kind handed over, with the id of who sent it."""
        self._receivers[kind] = receive

    def open(self) -> None:
        """Receive from now on."""
        self._ends = [self.bus.subscribe(f"{self._prefix}.{to}", self._take) for to in (_ALL, self.id)]

    def close(self) -> None:
        """Receive no more. Harmless twice."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    # ---- sending

    def send(self, to: str, message: Message) -> None:
        """Send a message to one broker.

        Raises:
            BusDown: it was certainly not sent.
        """
        self._publish(f"{self._prefix}.{to}", encode(self.id, message))

    def tell(self, to: str, message: Message) -> None:
        """The same; where it cannot be sent, it is not."""
        try:
            self.send(to, message)
        except BusDown as error:
            log.debug("a message for %s was not sent: %s", to, error)

    def send_all(self, message: Message) -> None:
        """Send a message to all other brokers.

        Raises:
            BusDown: it was certainly not sent.
        """
        self.send(_ALL, message)

    def tell_all(self, message: Message) -> None:
        """The same; where it cannot be sent, it is not."""
        self.tell(_ALL, message)

    def _publish(self, subject: str, payload: bytes) -> None:
        most = self.bus.max_bytes
        if len(payload) <= most:
            self.bus.publish(subject, payload)
            return
        for part in cut(self.id, next(self._numbers), payload, most):
            self.bus.publish(subject, part)

    # ---- receiving

    def forget(self, sender: str) -> None:
        """Nothing more comes of this broker's parcels that are not whole."""
        self._parcels.forget(sender)

    def _take(self, payload: bytes) -> None:
        try:
            whole = payload if payload.startswith(b"{") else self._parcels.take(payload)
            if whole is None:
                return
            envelope = decode(whole)
        except ValueError as error:
            log.debug("a message of another broker was not understood: %s", error)
            return
        sender, message = envelope.sender, envelope.m
        if sender != self.id and self.heard(sender, message):
            receive = self._receivers.get(type(message))
            if receive is not None:
                self._hand(receive, sender, message)

    def _hand(self, receive: Callable[[str, Any], None], sender: str, message: Message) -> None:
        try:
            receive(sender, message)
        except Exception:
            log.exception("a message of another broker could not be handled")


def _anybody(sender: str, message: Message) -> bool:
    return True
