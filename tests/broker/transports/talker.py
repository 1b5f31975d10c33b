"""A client over any stream of the event loop: it sends what it is told to, and reads frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from swarmwire_protocol.framing import PREFACE, StreamDecoder, encode_frame

__all__ = ["PATIENCE", "Opener", "Talker"]

Message = dict[str, Any]
Opener = Callable[[str, Callable[[], asyncio.Protocol]], Awaitable[asyncio.Transport]]

PATIENCE = 10.0
"""Seconds after which a test has waited in vain."""

_CHATTER = ("ping", "position")
_HELLO: Message = {"type": "hello", "versions": ["1"], "client": {"name": "test"}}


class Talker(asyncio.Protocol):
    """Is the protocol of its own transport.

    Attributes:
        welcome: the broker's, where it was asked for one.
        lost: set when the connection has ended.
    """

    def __init__(self) -> None:
        self.welcome: Message = {}
        self.lost = asyncio.Event()
        self._decoder = StreamDecoder(1 << 26)
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()

    @classmethod
    async def welcomed(cls, open_pipe: Opener, name: str) -> Self:
        """Connect and say hello."""
        talker = cls()
        await open_pipe(name, lambda: talker)
        talker.write(PREFACE)
        talker.send(**_HELLO)
        talker.welcome = await talker.expect("welcome")
        return talker

    # ---- for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            self._messages.put_nowait(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._messages.put_nowait(None)

    # ---- for tests

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def send(self, **message: Any) -> None:
        self.write(encode_frame(json.dumps(message).encode()))

    async def message(self) -> Message | None:
        """The next message, whatever the heartbeat says meanwhile; None at the end."""
        while True:
            payload = await asyncio.wait_for(self._messages.get(), PATIENCE)
            if payload is None:
                return None
            message: Message = json.loads(payload)
            if message["type"] not in _CHATTER:
                return message

    async def expect(self, kind: str) -> Message:
        message = await self.message()
        assert message is not None, f"expected {kind}, got the end"
        assert message["type"] == kind, message
        return message

    async def ask(self, **request: Any) -> Message:
        """Send a request, and return its answer."""
        self.send(**request)
        while True:
            message = await self.message()
            assert message is not None, f"expected an answer to {request}, got the end"
            if message.get("id") == request["id"]:
                return message

    async def subscribe(self, pattern: str) -> None:
        ack = await self.ask(type="subscribe", id="sub", subscriptions=[{"pattern": pattern}])
        assert ack["type"] == "ack", ack

    async def ended(self) -> None:
        """Wait for the end."""
        await asyncio.wait_for(self.lost.wait(), PATIENCE)

    def vanish(self) -> None:
        """End without a word."""
        self.transport.abort()
