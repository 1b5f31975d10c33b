"""A conversation, message by message, over any connection of the SDK."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, Self

from swarmwire.connection import Closed, Connection

__all__ = ["HELLO", "PATIENCE", "Ended", "Message", "Talk"]

Message = dict[str, Any]

PATIENCE = 10.0
"""Seconds after which a test has waited in vain."""

HELLO: Message = {"type": "hello", "versions": ["1"], "client": {"name": "conformance"}}

_CHATTER = ("ping", "position", "live")


class Ended(Exception):
    """The connection has ended; the argument is the close code."""


class Talk:
    """One connection. Whatever is awaited fails when patience ends."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.welcome: Message = {}
        self._came: deque[Message] = deque()
        self._numbers = 0

    @classmethod
    async def opened(cls, connection: Connection) -> Self:
        """Connect, and say nothing."""
        async with asyncio.timeout(PATIENCE):
            await connection.open()
        return cls(connection)

    @classmethod
    async def welcomed(cls, connection: Connection, **hello: Any) -> Self:
        """Connect and finish the hello."""
        talk = await cls.opened(connection)
        talk.send(**{**HELLO, **hello})
        talk.welcome = await talk.expect("welcome")
        return talk

    # ---- sending

    def send(self, **message: Any) -> None:
        """Send a message; a trailing underscore in a field's name is left out."""
        self.connection.send(json.dumps({name.rstrip("_"): value for name, value in message.items()}).encode())

    async def ask(self, type: str, **request: Any) -> Message:
        """Send a request, and return its answer; events that come before it are kept."""
        self._numbers += 1
        self.send(type=type, id=self._numbers, **request)
        return await self.answer(self._numbers)

    async def answer(self, id: int | str) -> Message:
        """The answer to a request; events that come before it are kept."""
        before: list[Message] = []
        while True:
            message = await self.message()
            if message.get("id") == id:
                self._came.extendleft(reversed(before))
                return message
            assert message["type"] in ("event", "gap"), f"expected the answer to {id}, got {message}"
            before.append(message)

    async def subscribe(self, pattern: str, sub: str = "s", **how: Any) -> Message:
        """Subscribe, and return the result."""
        item = {"pattern": pattern, "sub": sub, **{name.rstrip("_"): value for name, value in how.items()}}
        ack = await self.ask("subscribe", subscriptions=[item])
        assert ack["type"] == "ack", ack
        result: Message = ack["results"][0]
        return result

    async def publish(self, topic: str, data: Any, **more: Any) -> int:
        """Publish, and return the seq."""
        ack = await self.ask("publish", topic=topic, data=data, **more)
        assert ack["type"] == "ack", ack
        seq: int = ack["seq"]
        return seq

    # ---- reading

    async def message(self, patience: float = PATIENCE) -> Message:
        """The next message; the heartbeat is answered meanwhile.

        Raises:
            Ended: there is none.
        """
        while True:
            while not self._came:
                self._came.extend(await self._batch(patience))
            message = self._came.popleft()
            if message["type"] == "ping":
                self.send(type="pong", ts=message.get("ts"))
            if message["type"] not in _CHATTER:
                return message

    async def expect(self, type: str, patience: float = PATIENCE) -> Message:
        """The next message, which must be of this type."""
        message = await self.message(patience)
        assert message["type"] == type, f"expected {type}, got {message}"
        return message

    async def data(self, count: int, patience: float = PATIENCE) -> list[Any]:
        """The data of the next events."""
        return [(await self.expect("event", patience))["data"] for _ in range(count)]

    async def ended(self) -> list[Message]:
        """What still comes, up to the end."""
        messages = []
        try:
            while True:
                messages.append(await self.message())
        except Ended:
            return messages

    async def _batch(self, patience: float) -> list[Message]:
        try:
            async with asyncio.timeout(patience):
                return [json.loads(each) for each in await self.connection.receive()]
        except Closed as closed:
            raise Ended(closed.code) from None

    # ---- the end

    async def close(self) -> None:
        """Say goodbye."""
        await self.connection.close(1000, "done")

    def vanish(self) -> None:
        """End without a word."""
        self.connection.abort()
