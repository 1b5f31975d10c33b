"""What the tests of the link wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from swarmwire_broker.natslink import Link, LinkState, Receive

__all__ = ["Inbox", "linked", "become", "becomes"]

PATIENCE = 20.0


@asynccontextmanager
async def linked(*servers: str, **options: Any) -> AsyncIterator[Link]:
    """A link that has started, and is closed at the end."""
    link = Link(servers, name="test", **options)
    try:
        await link.start()
        yield link
    finally:
        await link.close()


async def become(link: Link, *states: LinkState) -> None:
    """Wait until the link has gone through these states, one after the other; the present one counts as the first."""
    async with becomes(link, *states):
        """It may be in the first of them, or come to it."""


@asynccontextmanager
async def becomes(link: Link, *states: LinkState) -> AsyncIterator[None]:
    """The same, while the block does what leads there."""
    left = list(states)
    there = asyncio.get_running_loop().create_future()

    def look(state: LinkState) -> None:
        if left and state is left[0]:
            left.pop(0)
        if not left and not there.done():
            there.set_result(None)

    remove = link.on_state(look)
    look(link.state)
    try:
        async with asyncio.timeout(PATIENCE):
            yield
            await there
    finally:
        remove()


class Inbox:
    """Keeps what it receives: `receive` is for `Link.subscribe`."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._news = asyncio.Event()
        self.receive: Receive = self._receive

    def _receive(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        self.messages.append((subject, reply, headers, payload))
        self._news.set()

    @property
    def payloads(self) -> Sequence[bytes]:
        return [payload for _, _, _, payload in self.messages]

    async def has(self, count: int) -> None:
        """Wait for so many messages."""
        async with asyncio.timeout(PATIENCE):
            while len(self.messages) < count:
                self._news.clear()
                await self._news.wait()
