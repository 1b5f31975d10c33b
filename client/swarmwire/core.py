"""The client without its socket: what every message of the broker means for subscriptions, publishes and requests."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import InvalidMessage, decode_from_broker
from swarmwire_protocol.errors import ERRORS
from swarmwire_protocol.messages import BrokerMessage, Welcome

from .callhandlers import CallHandlers
from .connection import Connection
from .direct import Direct
from .emitter import Emitter
from .errors import Disconnected, ErrorCode, SwarmwireError, afresh, error_from
from .feeds import Feeds
from .link import Link
from .options import Settings
from .outgoing import Outgoing
from .records import Gap, Published
from .requests import Requests

__all__ = ["Core"]


class Core:
    """Keeps what outlives a connection, and passes messages on to where they belong. It reads and writes nothing.

    `link` is the way to the broker between a welcome and the next loss, else None. `ended` is the reason once
    there will be no connection any more.
    """

    def __init__(self, settings: Settings, emitter: Emitter) -> None:
        self._emitter = emitter
        self._loop = asyncio.get_running_loop()
        self.ids = itertools.count(1)
        self.requests = Requests()
        self.feeds = Feeds(self._gap, self._loop.call_later)
        self.outgoing = Outgoing(settings.offline_queue)
        self.direct = Direct(emitter, settings.queue_size)
        self.callhandlers = CallHandlers(emitter)
        self.link: Link | None = None
        self.welcome: Welcome | None = None
        self.ended: SwarmwireError | None = None
        self.closing_error: SwarmwireError | None = None
        """The error that the broker gave before it closed."""
        self.bye: wire.Bye | None = None
        self._pings: dict[int, tuple[float, asyncio.Future[float] | None]] = {}
        self._at_end: dict[object, Callable[[], None]] = {}

    # ---- The life of a connection

    def connected(self, connection: Connection, welcome: Welcome) -> None:
        """The broker said welcome: tell the users, then ask and publish again what is due."""
        again = self.welcome is not None
        self.welcome, self.bye, self.closing_error = welcome, None, None
        self.link = link = Link(connection, welcome, self.feeds, self.requests, self.ids)
        connection.on_writable = self._writable
        self._emitter.emit("connected", welcome.client_id)
        self._emitter.emit("authenticated", welcome.identity)
        self.feeds.connected(link, lambda: self._emitter.emit("resumed") if again else None)
        self.outgoing.connected(link, welcome.limits.get("dedupe_ms", 0))
        self.callhandlers.connected(link)

    def _writable(self) -> None:
        self.outgoing.pump()
        self.callhandlers.writable()

    def lost(self) -> None:
        """The connection is gone: requests fail; subscriptions and keyed publishes wait for the next."""
        self.link = None
        self.feeds.lost()
        self.outgoing.lost()
        self.requests.lost()
        self.callhandlers.lost()
        pings, self._pings = self._pings, {}
        for _, answer in pings.values():
            if answer is not None and not answer.done():
                answer.set_exception(self.offline("ping"))

    def end(self, error: SwarmwireError | None) -> None:
        """There will be no connection any more: by intent (None), or because of the error."""
        if self.ended is not None:
            return
        self.ended = error or Disconnected(ErrorCode.UNAVAILABLE, "The client was disconnected.")
        self.feeds.end(error)
        self.outgoing.end(self.ended)
        self.callhandlers.end(self.ended)
        self.direct.clear()
        self.ending()

    def ending(self) -> None:
        """The bye is about to be said, or there is nothing to say it over: what ends with it ends before it."""
        ends, self._at_end = self._at_end, {}
        for callback in ends.values():
            callback()

    def at_end(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this before the last connection is given up, or when it was; returns a function that takes it back."""
        ticket = object()
        self._at_end[ticket] = callback
        return lambda: self._take_back(ticket)

    def _take_back(self, ticket: object) -> None:
        self._at_end.pop(ticket, None)

    def offline(self, what: str) -> SwarmwireError:
        """The error of a request that needs a connection while there is none."""
        if self.ended is not None:
            return afresh(self.ended)
        return Disconnected(ErrorCode.UNAVAILABLE, f"There is no connection for this {what}; it was not sent.")

    # ---- Messages

    def receive(self, raw: bytes) -> None:
        """Take one message of the broker. One that is malformed is reported; of an unknown type, ignored."""
        try:
            self._take(decode_from_broker(raw))
        except InvalidMessage as error:
            if not _of_unknown_type(raw, error):
                self._emitter.report("the broker sent what is no message", error)
        except SwarmwireError as error:  # a cursor that is none
            self._emitter.report("the broker sent what cannot be understood", error)

    def _take(self, message: BrokerMessage) -> None:
        match message:
            case wire.Event():
                if message.direct:
                    self.direct.take(message)
                else:
                    self.feeds.take_event(message)
            case wire.Ack():
                if not self.outgoing.succeeded(message.id, Published(message.seq, message.duplicate)):
                    self.requests.answer(message)
            case wire.Reply():
                self.requests.answer(message)
            case wire.Error():
                self._take_error(message)
            case wire.Position():
                self.feeds.take_position(message)
            case wire.Live():
                self.feeds.take_live(message)
            case wire.Gap():
                self.feeds.take_gap(message)
            case wire.Ping():
                self._tell(wire.Pong(ts=message.ts))
            case wire.Pong():
                self._take_pong(message)
            case wire.Bye():
                self.bye = message
            case wire.Dispatch():
                self.callhandlers.take(message)
            case wire.Cancel():
                self.callhandlers.cancel(message.id)
            case wire.Welcome():
                pass  # it comes once, and was taken before this

    def _take_error(self, message: wire.Error) -> None:
        error = error_from(message)
        if message.id is not None:
            if not self.outgoing.failed(message.id, error):
                self.requests.answer(message)
        elif ERRORS[error.code].close is not None:
            self.closing_error = error  # the bye follows, and tells the users
        else:
            self._emitter.report("the broker reported an error", error)

    def _gap(self, gap: Gap) -> None:
        self._emitter.emit("gap", gap, gap.pattern)

    # ---- Pings

    def ping(self, answer: asyncio.Future[float] | None = None) -> None:
        """Ask for a pong; `answer` is then set to the milliseconds it took."""
        stamp = int(time.time() * 1000)
        while stamp in self._pings:
            stamp += 1
        self._pings[stamp] = (self._loop.time(), answer)
        self._tell(wire.Ping(ts=stamp))

    def _take_pong(self, message: wire.Pong) -> None:
        sent, answer = self._pings.pop(message.ts, (None, None)) if message.ts is not None else (None, None)
        if sent is None:
            return
        latency = (self._loop.time() - sent) * 1000
        if answer is not None and not answer.done():
            answer.set_result(latency)
        self._emitter.emit("pong", latency)

    def _tell(self, message: wire.Ping | wire.Pong) -> None:
        if self.link is not None:
            self.link.tell(message)


class _Typed(msgspec.Struct):
    type: str


def _of_unknown_type(raw: bytes, error: InvalidMessage) -> bool:
    """Whether the message is of a type that a later version of the protocol brought."""
    if error.field != "type":
        return False
    try:
        msgspec.json.decode(raw, type=_Typed)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
