"""What is under way to the stream: how it is sent, how much of it there may be, and which answer is to which."""

from __future__ import annotations

from typing import Final

from ....natslink.link import Link
from ..body import stored_headers, stored_payload
from ..subjects import Subjects
from .patience import Patience
from .pending import Pending, Stage

__all__ = ["Flight"]

_MOST_KNOWN: Final = 100_000

_FLYING = Stage.FLYING


class Flight:
    """Sends publishes by their numbers. The answer to each comes on a subject that ends with its number.

    Attributes:
        base: the subject below which all answers come.
        events, bytes: what is sent and not landed.
    """

    def __init__(self, link: Link, subjects: Subjects, patience: Patience) -> None:
        self.base = link.new_inbox()
        self.events = 0
        self.bytes = 0
        self._publish = link.publish
        self._subjects = subjects
        self._most = patience.flying
        self._most_bytes = patience.flying_bytes
        self._known: dict[str, bytes] = {}  # the subjects of topics that were met lately
        self._round = 0
        self._inbox = b""
        self.next_round()

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self.events < self._most and self.bytes < self._most_bytes

    def send(self, item: Pending, number: int, tick: int, after: int) -> None:
        """Send it now, at this tick, when the log has reached the place `after`.

        Raises:
            LinkError: it was not sent.
        """
        draft = item.draft
        payload = stored_payload(draft)
        topic = draft.topic
        subject = self._known.get(topic)
        if subject is None:
            subject = self._learn(topic)
        reply = b"%b%d" % (self._inbox, number)
        self._publish(subject, payload, reply=reply, headers=stored_headers(draft, item.message_id))
        item.stage = _FLYING
        item.tick = tick
        item.after = after
        item.size = size = len(payload)
        self.events += 1
        self.bytes += size

    def _learn(self, topic: str) -> bytes:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        subject = self._known[topic] = self._subjects.subject(topic)
        return subject

    def landed(self, item: Pending) -> None:
        """It is not under way any more."""
        self.events -= 1
        self.bytes -= item.size

    def number_of(self, subject: bytes) -> int:
        """The number of the publish that is answered on a subject; -1: of one of an earlier round."""
        inbox = self._inbox
        return int(subject[len(inbox) :]) if subject.startswith(inbox) else -1

    def next_round(self) -> None:
        """What is answered to anything sent before is not heard any more."""
        self._round += 1
        self._inbox = b"%b.%d." % (self.base, self._round)
