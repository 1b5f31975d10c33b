"""The welcomed connection: requests get an id, messages become bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import encode
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import ClientMessage, Welcome

from .connection import Connection
from .errors import ErrorCode, SwarmwireError
from .feed import Feed
from .feeds import Feeds
from .requests import Request, Requests, SubscribeRequest

__all__ = ["Link"]

_ENVELOPE = 128  # bytes of a subscribe around its subscriptions, with room to spare


class Link:
    """What the parts of a client write through between a welcome and the loss of its connection."""

    def __init__(
        self, connection: Connection, welcome: Welcome, feeds: Feeds, requests: Requests, ids: Iterator[int]
    ) -> None:
        self._connection = connection
        self.send = connection.send
        """Send bytes that are a message."""
        self._feeds = feeds
        self._requests = requests
        self._ids = ids
        self.welcome = welcome
        self.epoch = Cursor.parse(welcome.cursor).epoch
        self.max_message_bytes = welcome.limits.get("max_message_bytes")
        self.heartbeat_ms = welcome.heartbeat_ms
        subject = welcome.identity.subject
        # Who did not log in has a new subject with every connection, and is known by the `instance` of its hello.
        self.scope = "" if subject == f"anonymous:{welcome.client_id}" else subject

    @property
    def writable(self) -> bool:
        """Whether the socket keeps up."""
        return self._connection.writable

    def tell(self, message: ClientMessage) -> None:
        """Send a message that has no answer."""
        self._connection.send(encode(message))

    def request(self, make: Callable[[int], ClientMessage], request: Request) -> int:
        """Send a request and wait for its answer; returns its id.

        Raises:
            SwarmwireError: MESSAGE_TOO_LARGE. Nothing was sent then.
        """
        number = next(self._ids)
        payload = encode(make(number))
        most = self.max_message_bytes
        if most is not None and len(payload) > most:
            sentence = f"It takes {len(payload)} bytes; the broker accepts at most {most}."
            raise SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, sentence)
        self._requests.add(number, request)
        self.send(payload)
        return number

    def subscribe(self, feeds: list[Feed], done: Callable[[], None]) -> None:
        """Ask for subscriptions: in one message, or in as few as the limits of the broker allow."""
        parts = list(self._parts(feeds))
        unanswered = len(parts)

        def answered() -> None:
            nonlocal unanswered
            unanswered -= 1
            if not unanswered:
                done()

        for part, items in parts:
            asked = {feed.name: feed for feed in part}
            request = SubscribeRequest(
                partial(self._feeds.answered, asked),
                partial(self._feeds.refused, asked),
                answered,
            )
            self.request(partial(_subscribe, items), request)

    def unsubscribe(self, names: list[str]) -> None:
        """End subscriptions by name. Nobody waits for the answer: what still comes finds no subscription."""
        self.tell(wire.Unsubscribe(id=next(self._ids), subs=names))

    def _parts(self, feeds: list[Feed]) -> Iterator[tuple[list[Feed], list[wire.Subscription]]]:
        limit = self.max_message_bytes
        part: list[Feed] = []
        items: list[wire.Subscription] = []
        size = _ENVELOPE
        for feed in feeds:
            item = feed.request(self.epoch)
            length = len(encode(item)) + 1
            if items and limit is not None and size + length > limit:
                yield part, items
                part, items, size = [], [], _ENVELOPE
            part.append(feed)
            items.append(item)
            size += length
        if items:
            yield part, items


def _subscribe(items: list[wire.Subscription], number: int) -> wire.Subscribe:
    return wire.Subscribe(id=number, subscriptions=items)
