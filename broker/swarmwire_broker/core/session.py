"""One client's conversation with the broker: connecting -> authenticated -> closing.

A session takes one message after the other, in the order they arrive, and decides each before the next. The broker
keeps nothing for a client that is gone.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from swarmwire_protocol.accelerators import PlainPublish, scan_publish
from swarmwire_protocol.codec import InvalidMessage, decode_from_client, encode
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import (
    Auth,
    Bye,
    Cancel,
    ClientInfo,
    ClientMessage,
    Error,
    Hello,
    Ping,
    Pong,
    Position,
    Reply,
    RequestId,
    Unsubscribe,
)

from .identity import Author
from .outbox import Outbox
from .permissions import EVERYTHING
from .ports import Peer, Sink, Timer
from .rates import TokenBucket, retry_after_ms
from .received import run_end, size_of
from .requests import decide, publish_plain
from .subscriptions import Subscriptions, refusal

if TYPE_CHECKING:
    from .hub import Hub

__all__ = ["Session", "SessionState"]

log = logging.getLogger("swarmwire.broker.session")

_STRANGER_MESSAGES: Final = 16
"""Wrong messages a client may send before its welcome."""

_SILENT_BEATS: Final = 2

_NEAR_BEATS: Final = 2
"""Heartbeats before the end of a token from which on a timer waits for it."""

_REASON_BYTES: Final = 120

_ID_DIGITS: Final = 12
_INSTANCE_DIGITS: Final = 32

_FREE: Final = frozenset({Ping, Pong})
_NEVER_REFUSED: Final = frozenset({Unsubscribe, Cancel, Auth, Bye, Error, Reply})
"""What is charged by the rate limits, but always done: it ends things, or keeps the login alive."""


class SessionState(Enum):
    """Where a session stands."""

    CONNECTING = "connecting"
    AUTHENTICATED = "authenticated"
    CLOSING = "closing"

    __hash__ = object.__hash__  # members are compared by identity, and counted at every step


class Session:
    """What the broker holds of one connected client.

    The transport calls `receive` with each message (valid UTF-8), `malformed` for what is none, `fail` for what ends
    the connection, `paused` and `resumed` as the socket fills and drains, and `lost` once when it is gone.

    Attributes:
        pending: ids of requests that are still being decided; None until there is one.
        is_welcome: whether the login is done and the end has not begun.
        said_bye: whether it has ended because the client said so.
        heard: whether the client was heard of since the last heartbeat.
        since: when it connected, in milliseconds since 1970.
    """

    __slots__ = (
        "_buffered",
        "_ends",
        "_expiry",
        "_holds",
        "_inbox",
        "_malformed",
        "_silent",
        "_state",
        "_strikes",
        "_time",
        "_timeout",
        "author",
        "client",
        "client_id",
        "heard",
        "hub",
        "is_welcome",
        "outbox",
        "peer",
        "pending",
        "publishing",
        "said_bye",
        "since",
        "subscriptions",
    )

    def __init__(self, hub: Hub, sink: Sink, peer: Peer) -> None:
        self.hub = hub
        self.publishing = hub.publishing
        self._time = hub.clock.time
        self.peer = peer
        self.since = hub.clock.now_ms()
        self.client_id = hub.tokens.take(_ID_DIGITS)
        self.client: ClientInfo | None = None
        self.author = Author()
        self.outbox = Outbox(hub.delivery, sink, self)
        self.outbox.client_id = self.client_id
        self.subscriptions = Subscriptions(self.outbox)
        self.heard = True
        self.is_welcome = self.said_bye = False
        self._state = SessionState.CONNECTING
        hub.states[self._state] += 1
        self._inbox: deque[bytes | PlainPublish] | None = None
        self._holds = 0
        self.pending: set[RequestId] | None = None
        self._malformed: TokenBucket | None = None
        self._strikes = 0
        self._silent = 0
        self._buffered = 0
        self._expiry: Timer | None = None
        self._ends: list[Callable[[Session], None]] | None = None
        self._timeout: Timer | None = hub.clock.call_later(hub.limits.auth_timeout_ms / 1000, self._out_of_time)

    def hang_up(self) -> None:
        """Nobody reads any more what is said to this client: give up the calls that it waits for."""
        self.hub.calls.forget(self)

    # ---- state

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def is_settled(self) -> bool:
        """Whether all that was received is decided and answered, and no event of the past is still on its way."""
        outbox = self.outbox
        return not self._holds and not self.pending and not outbox.replaying and not outbox.is_behind

    @property
    def is_silent(self) -> bool:
        """Whether a whole heartbeat has passed without a word of the client, and none has come since."""
        return self._silent > 0 and not self.heard

    def _become(self, state: SessionState) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("session %s: %s -> %s", self.client_id, self._state.value, state.value)
        self.hub.states[self._state] -= 1
        self.hub.states[state] += 1
        self._state = state
        self.is_welcome = state is SessionState.AUTHENTICATED
        if state is not SessionState.CONNECTING and self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    # ---- what the transport tells

    def receive(self, raw: bytes) -> None:
        """Take one message."""
        self.heard = True
        if self._inbox is not None:
            self._inbox.append(raw)
        else:
            self._take(raw)

    def receive_all(self, messages: list[bytes | PlainPublish]) -> None:
        """Take what one read held: messages, and from a client that was welcomed common publishes, scanned already."""
        self.heard = True
        paid = self._prepay(messages)
        start = 0
        while start < len(messages):
            stop = run_end(messages, start)
            if stop - start == 1 or not self._take_run(messages, start, stop, paid):
                self._take_each(messages, start, stop, paid)
            start = stop

    def _take_run(self, messages: list[Any], start: int, stop: int, paid: bool) -> bool:
        """Take publishes that differ in their data alone; False, and nothing has happened: take each by itself."""
        if self._inbox is not None or not self.is_welcome or not (paid or self.author.rates is None):
            return False
        try:
            run = [message[2] for message in messages[start:stop]]
            return self.publishing.publish_run(messages[start][1], run, self.author)
        except Exception as error:
            self._failed(error, None)
            return True

    def _take_each(self, messages: list[bytes | PlainPublish], start: int, stop: int, paid: bool) -> None:
        for number in range(start, stop):
            message = messages[number]
            if self._inbox is not None:
                self._keep(messages[number:stop], paid)
                return
            if isinstance(message, bytes):
                self._take(message)
            elif self.is_welcome:
                self._take_plain(message[0], message[1], message[2], message[3], message[4], paid)

    def _keep(self, messages: list[bytes | PlainPublish], paid: bool) -> None:
        """Let them wait; they are paid for when they are taken."""
        assert self._inbox is not None
        if paid and self.author.rates is not None:
            self.author.rates.give_back(len(messages), size_of(messages))
        self._inbox += messages

    def _prepay(self, messages: list[bytes | PlainPublish]) -> bool:
        """Charge the rates for all of them at once, which costs as much as for one; False: pay one by one."""
        rates = self.author.rates
        if rates is None or self._inbox is not None or len(messages) < 2:
            return False
        size = size_of(messages)
        return size > 0 and rates.messages(len(messages), size, self._time())

    def malformed(self, sentence: str, size: int = 0) -> None:
        """Something came that is no message; the connection goes on."""
        self.heard = True
        self._wrong(InvalidMessage(sentence), size)

    def fail(self, error: SwarmwireError, code: CloseCode) -> None:
        """Something came after which there is no going on."""
        self.close(code, error.message, error)

    def paused(self) -> None:
        self.outbox.paused()

    def resumed(self) -> None:
        self.heard = True
        self.outbox.resumed()

    def lost(self) -> None:
        """The connection is gone. Harmless twice."""
        self._become(SessionState.CLOSING)
        self._end()
        self.hub.forget(self)

    # ---- one message after the other

    def _take(self, raw: bytes) -> None:
        if self.is_welcome:
            plain = scan_publish(raw)
            if plain is not None:  # as most are
                self._take_plain(len(raw), plain[0], plain[1], plain[2], plain[3], False)
                return
        elif self._state is SessionState.CLOSING:
            return
        message: ClientMessage | None = None
        try:
            message = decode_from_client(raw)
            if self._state is SessionState.CONNECTING:
                self._greet(message)
                return
            if self.author.rates is not None:
                self._charge(type(message), len(raw))
            decide(self, message)
        except InvalidMessage as error:
            self._wrong(error, len(raw))
        except Exception as error:
            self._failed(error, getattr(message, "id", None))

    def _take_plain(
        self, size: int, topic: str, data: bytes, request_id: RequestId | None, key: str | None, paid: bool
    ) -> None:
        try:
            rates = self.author.rates
            if not paid and rates is not None and (wait := rates.message(size, self._time())) > 0:
                raise _too_fast(wait)
            publish_plain(self, topic, data, request_id, key)
        except Exception as error:
            self._failed(error, request_id)

    def _failed(self, error: Exception, request_id: RequestId | None) -> None:
        if not isinstance(error, SwarmwireError):
            log.error("a message could not be handled", exc_info=error, extra={"client_id": self.client_id})
            error = SwarmwireError(ErrorCode.INTERNAL_ERROR)
        self.refuse(error, request_id)
        if error.code is ErrorCode.INVALID_MESSAGE:
            self._count_malformed()

    def refuse(self, error: SwarmwireError, request_id: RequestId | None = None) -> None:
        """Answer with an error; the connection goes on."""
        self.hub.tell_error(self, error)
        answer = refusal(error)
        answer.id = request_id
        answer.results = error.details if isinstance(error.details, list) else None
        self.outbox.send(answer)

    def _wrong(self, error: InvalidMessage, size: int) -> None:
        self.refuse(error, error.request_id)
        if self._state is SessionState.CONNECTING:
            self._strike()
            return
        if self.author.rates is not None:
            self.author.rates.charge(size, self.hub.clock.time())
        self._count_malformed()

    def _count_malformed(self) -> None:
        if self._malformed is None:
            self._malformed = TokenBucket(1.0, self.hub.limits.max_malformed)
        if self._malformed.take(1, self.hub.clock.time()) > 0:
            self.close(CloseCode.POLICY, "Too many malformed messages.")

    def forgive(self) -> None:
        """Forget the malformed messages up to here: for a transport that bounds them by itself."""
        self._malformed = None

    def _charge(self, kind: type[ClientMessage], size: int) -> None:
        rates = self.author.rates
        assert rates is not None
        if kind in _FREE:
            return
        now = self.hub.clock.time()
        if kind in _NEVER_REFUSED:
            rates.charge(size, now)
        elif (wait := rates.message(size, now)) > 0:
            raise _too_fast(wait)

    # ---- waiting for something before the next message

    def hold(self) -> None:
        self._holds += 1
        if self._holds == 1:
            if self._inbox is None:
                self._inbox = deque()
            self.outbox.sink.pause_reading()

    def unhold(self) -> None:
        self._holds -= 1
        while self._inbox and not self._holds:
            message = self._inbox.popleft()
            if isinstance(message, bytes):
                self._take(message)
            elif self.is_welcome:
                self._take_plain(message[0], message[1], message[2], message[3], message[4], False)
        if not self._holds and self._inbox is not None:
            self._inbox = None
            self.outbox.sink.resume_reading()

    def slow_down(self) -> None:
        """Look at no further message, and read none, until `go_on`, which is due as often as this is called."""
        self.hold()

    def go_on(self) -> None:
        """Take the next message."""
        if self._state is not SessionState.CLOSING:
            self.unhold()

    def work(self, work: Coroutine[Any, Any, None], request_id: RequestId | None = None) -> Timer:
        """Let a coroutine finish before the next message is looked at; what it raises is the request's error."""
        self.hold()
        return self.hub.clock.spawn(self._finish(work, request_id))

    async def _finish(self, work: Coroutine[Any, Any, None], request_id: RequestId | None) -> None:
        try:
            await work
        except Exception as error:
            self._failed(error, request_id)
        finally:
            if self._state is not SessionState.CLOSING:
                self.unhold()

    # ---- the hello

    def _greet(self, message: ClientMessage) -> None:
        if not isinstance(message, Hello):
            error = SwarmwireError(ErrorCode.NOT_AUTHENTICATED, "Expected a hello before anything else.", field="type")
            self.refuse(error, getattr(message, "id", None))
            self._strike()
            return
        self.client = message.client
        self.author.instance = self.outbox.instance = message.client.instance or self.hub.tokens.take(_INSTANCE_DIGITS)
        self.hub.login.begin(self, message)

    def _strike(self) -> None:
        self._strikes += 1
        if self._strikes >= _STRANGER_MESSAGES:
            self.close(CloseCode.POLICY, "Too many messages before a hello.")

    def _out_of_time(self) -> None:
        self._timeout = None
        if self.client is not None:
            error = SwarmwireError(ErrorCode.AUTHENTICATION_FAILED, "The login took too long.")
            self.close(CloseCode.UNAUTHORIZED, error.message, error)
        else:
            error = SwarmwireError(ErrorCode.NOT_AUTHENTICATED, "No hello came in time.")
            self.close(CloseCode.HELLO_TIMEOUT, error.message, error)

    def welcomed(self) -> None:
        """The login is done."""
        self._become(SessionState.AUTHENTICATED)
        self.outbox.told = self.hub.engine.head
        self.watch_expiry()

    def admit_local(self) -> None:
        """Welcome the broker's own process, without a word."""
        self.author.permit(EVERYTHING)
        self.welcomed()

    def watch_expiry(self) -> None:
        """End the session when its token does. A far end is looked for again at each heartbeat, and costs no timer."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self.author.expires_at is not None:
            left = max(0.0, (self.author.expires_at - self.hub.clock.now_ms()) / 1000)
            if left <= _NEAR_BEATS * self.hub.limits.heartbeat_ms / 1000:
                self._expiry = self.hub.clock.call_later(left, self._on_expiry)

    def _on_expiry(self) -> None:
        self._expiry = None
        if self.author.expires_at is not None and self.author.expires_at <= self.hub.clock.now_ms():
            error = SwarmwireError(ErrorCode.TOKEN_EXPIRED)
            self.close(CloseCode.UNAUTHORIZED, error.message, error)
        else:
            self.watch_expiry()

    def recheck(self) -> None:
        """The permissions have changed: end what is not allowed any more."""
        self.subscriptions.recheck(self.author.grants.may_subscribe)
        self.hub.calls.recheck(self)

    # ---- the heartbeat

    def beat(self) -> None:
        """One heartbeat interval has passed."""
        if self._state is not SessionState.AUTHENTICATED:
            return
        if self._expiry is None and self.author.expires_at is not None:
            self.watch_expiry()
        buffered = self.outbox.sink.buffered()
        alive = self.heard or self._holds > 0 or buffered < self._buffered
        self.heard = False
        self._buffered = buffered
        self._silent = 0 if alive else self._silent + 1
        if self._silent >= _SILENT_BEATS:
            error = SwarmwireError(ErrorCode.HEARTBEAT_TIMEOUT)
            self.close(CloseCode.HEARTBEAT_TIMEOUT, error.message, error)
        elif not self.outbox.blocked and not (self._tell_position() and alive):
            self.outbox.send(Ping(ts=self.hub.clock.now_ms()))

    def _tell_position(self) -> bool:
        outbox, head = self.outbox, self.hub.engine.head
        told = False
        if outbox.live and outbox.members and outbox.told < head:
            outbox.told = head
            outbox.notice(encode(Position(cursor=outbox.cursor(head))))
            told = True
        for name in self.subscriptions.moved(head):
            outbox.notice(encode(Position(cursor=outbox.cursor(head), sub=name)))
            told = True
        return told

    def tell(self, payload: bytes) -> bool:
        """Write an event that is for this client alone; False: it is gone, or reads too slowly just now."""
        return self.hub.delivery.deliver_direct((self.outbox,), payload) > 0

    def fell_behind(self) -> None:
        if self.subscriptions.closes:
            # Not now: the turn is being written.
            error = SwarmwireError(ErrorCode.SLOW_CONSUMER)
            self.hub.clock.call_soon(lambda: self.close(CloseCode.SLOW_CONSUMER, error.message, error))

    # ---- the end

    def close(
        self,
        code: CloseCode,
        reason: str,
        error: SwarmwireError | None = None,
        *,
        reconnect_after_ms: int | None = None,
        quiet: bool = False,
        timeout_ms: int | None = None,
    ) -> None:
        """End the conversation: the error if there is one, `bye`, and the close. Harmless twice.

        `quiet` leaves the bye out, for a client that said it first.
        """
        if self._state is SessionState.CLOSING:
            return
        if error is not None:
            self.refuse(error)
        if not quiet:
            self.outbox.send(Bye(code=code, reason=reason, reconnect_after_ms=reconnect_after_ms))
        self._become(SessionState.CLOSING)
        self.said_bye = quiet
        self._end()
        timeout = self.hub.limits.close_timeout_ms if timeout_ms is None else timeout_ms
        self.outbox.sink.close(code, _shortened(reason), timeout / 1000)

    def on_end(self, callback: Callable[[Session], None]) -> None:
        """Have a callback called once, with this session, when the conversation ends; `said_bye` tells how.

        Where it has ended already, nobody is called.
        """
        if self._ends is None:
            self._ends = []
        self._ends.append(callback)

    def _end(self) -> None:
        ends, self._ends = self._ends, None
        for callback in ends or ():
            callback(self)
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self.subscriptions.clear()
        self.outbox.force_flush()
        self.outbox.close()
        if self.author.rates is not None:
            self.author.rates.close()
        self._inbox = None


def _too_fast(wait: float) -> SwarmwireError:
    return SwarmwireError(ErrorCode.RATE_LIMIT_EXCEEDED, retry_after_ms=retry_after_ms(wait))


def _shortened(reason: str) -> str:
    """As much of a reason as fits into a close frame."""
    return reason.encode()[:_REASON_BYTES].decode(errors="ignore")
