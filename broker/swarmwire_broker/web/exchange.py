"""The session of one request: one of the hub's, with an in-memory sink, and somebody who waits for its answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from swarmwire_protocol.codec import decode_from_broker, encode
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import (
    Ack,
    BrokerMessage,
    Bye,
    ClientInfo,
    ClientMessage,
    Error,
    Hello,
    Reply,
    RequestId,
    Welcome,
)
from swarmwire_protocol.versions import VERSIONS

from ..core.hub import Hub
from ..core.listframer import LIST_FRAMER
from ..core.ports import Peer
from ..core.rates import retry_after_ms
from .errors import raised

__all__ = ["Exchange", "by_parameter", "ignore"]


class Exchange:
    """What is said between one request and the broker. It is the session's sink; `end` it when the request is over.

    Attributes:
        may_send: set while the session takes messages; wait for it between two of them.
        is_stuck: what was taken last is with a socket that does not take it, so the client may be gone.
        is_closed: the session has ended; what it said last may still be read.
        on_close: called when the session ends, with the seconds its last words may take.
    """

    framer = LIST_FRAMER

    def __init__(self, hub: Hub, peer: Peer, socket: asyncio.Transport | None = None) -> None:
        self.hub = hub
        self._socket = socket
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.is_stuck = False
        self.is_closed = False
        self.on_close: Callable[[float], None] = ignore
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._is_blocked = False
        self._arrived = asyncio.Event()
        self._failure: Error | None = None
        self._bye: Bye | None = None
        self.session = hub.connect(self, peer)

    # ---- the request's side

    async def login(self, client: ClientInfo) -> Welcome:
        """Say hello.

        Raises:
            SwarmwireError: why nobody was let in.
        """
        self.say(Hello(versions=list(VERSIONS), client=client))
        while True:
            message = await self.receive()
            if isinstance(message, Welcome):
                return message

    def send(self, raw: bytes) -> None:
        """Say something to the broker."""
        if not self.is_closed:
            self.session.receive(raw)

    def say(self, message: ClientMessage) -> None:
        """The same with a message as a record."""
        self.send(encode(message))

    async def receive(self) -> BrokerMessage:
        """The next message.

        Raises:
            SwarmwireError: what ended the session.
        """
        while (payload := await self.take()) is not None:
            message = decode_from_broker(payload)
            match message:
                case Error(id=None):
                    self._failure = message
                case Bye():
                    self._bye = message
                case _:
                    return message
        raise self.reason

    async def check(self) -> None:
        """See that the session lasts.

        Raises:
            SwarmwireError: what ended it.
        """
        while self.is_closed:
            await self.receive()

    async def answer(self, request_id: RequestId) -> Ack | Reply | Error:
        """The next answer to a request; what is no answer to it is passed over."""
        while True:
            message = await self.receive()
            if isinstance(message, Ack | Reply | Error) and message.id == request_id:
                return message

    async def subscribed(self, request_id: RequestId) -> str | None:
        """Wait for the answer to a subscribe: the cursor that its first subscription stands at.

        Raises:
            SwarmwireError: why not all of it was accepted.
        """
        answer = await self.answer(request_id)
        if isinstance(answer, Reply):
            raise SwarmwireError(ErrorCode.INTERNAL_ERROR)
        results = answer.results or []
        refused = next((result.error for result in results if result.error is not None), None)
        if refused is not None:
            raise by_parameter(raised(refused))
        if isinstance(answer, Error):
            raise raised(answer)
        return results[0].cursor

    async def take(self) -> bytes | None:
        """The next message as it was written; None when the session has ended and nothing is left."""
        while not self._waiting:
            if self.is_closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        payload = self._waiting.popleft()
        self._bytes -= len(payload)
        if self._is_blocked and self._bytes < self.hub.limits.outbox_bytes // 2:
            self._is_blocked = False
            self.session.resumed()
        return payload

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take just now."""
        return not self._waiting

    @property
    def reason(self) -> SwarmwireError:
        """What ended the session."""
        if self._failure is not None:
            return raised(self._failure)
        if self._bye is None:
            return SwarmwireError(ErrorCode.UNAVAILABLE)
        if self._bye.code == CloseCode.RESTART:
            return SwarmwireError(ErrorCode.SHUTTING_DOWN, retry_after_ms=self._bye.reconnect_after_ms)
        return SwarmwireError(ErrorCode.CANCELLED, self._bye.reason or None)

    def charge(self, size: int) -> None:
        """Spend one message of the session's rates on something that is no message.

        Raises:
            SwarmwireError: RATE_LIMIT_EXCEEDED.
        """
        rates = self.session.author.rates
        if rates is not None and (wait := rates.message(size, self.hub.clock.time())) > 0:
            raise SwarmwireError(ErrorCode.RATE_LIMIT_EXCEEDED, retry_after_ms=retry_after_ms(wait))

    def end(self) -> None:
        """The request is over. Harmless twice."""
        self.is_closed = True
        self._waiting.clear()
        self._bytes = 0
        self._arrived.set()
        self.session.lost()

    # ---- the session's side: the sink

    def write(self, block: list[bytes]) -> None:
        if self.is_closed:
            return
        self._waiting.extend(block)
        self._bytes += sum(map(len, block))
        self._arrived.set()
        if not self._is_blocked and self._bytes > self.hub.limits.outbox_bytes:
            self._is_blocked = True
            self.session.paused()

    def buffered(self) -> int:
        # The heartbeat asks this. A client says nothing while it waits: it is alive while it takes what it is given,
        # and one that is stuck while this falls.
        if not self.is_stuck:
            self.session.heard = True
        return self._bytes + (self._socket.get_write_buffer_size() if self._socket is not None else 0)

    def pause_reading(self) -> None:
        self.may_send.clear()

    def resume_reading(self) -> None:
        self.may_send.set()

    def raise_limit(self, max_message_bytes: int) -> None:
        """A body is read only after the login."""

    def close(self, code: int, reason: str, timeout: float) -> None:
        self.is_closed = True
        self.may_send.set()
        self._arrived.set()
        self.on_close(timeout)


def by_parameter(error: SwarmwireError) -> SwarmwireError:
    """An error of a subscription with the parameter of the URL at fault for its field."""
    index, _, name = (error.field or "").removeprefix("subscriptions").partition(".")
    error.field = f"pattern{index}" if name in ("", "pattern") else name
    return error


def ignore(timeout: float) -> None:
    """Nobody must be told."""
