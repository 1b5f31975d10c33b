"""A WebSocket connection over plain ASGI send and receive: for any server that has nothing better to offer.

What ASGI cannot say stays the server's: it answers pings and closes, it closes on broken frames and invalid UTF-8
without our `error` and `bye`, and the socket of a client that never reads is its own to cut; the session is gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError

from ..core.hub import Hub
from ..core.ports import Peer
from .frames import short_reason

__all__ = ["AsgiConnection"]


class _Text(NamedTuple):
    text: str
    size: int


class _AsgiFramer:
    """ASGI takes messages one by one, so a block is a list of them."""

    def join(self, payloads: list[bytes]) -> list[_Text]:
        return [_Text(payload.decode(), len(payload)) for payload in payloads]

    def merge(self, blocks: list[list[_Text]]) -> list[_Text]:
        return [text for block in blocks for text in block]


_FRAMER: Final = _AsgiFramer()


class AsgiConnection:
    """Socket and session with a queue and a writing task between them. It is the session's sink."""

    framer = _FRAMER

    def __init__(self, hub: Hub, websocket: WebSocket, peer: Peer) -> None:
        self._websocket = websocket
        self._high = hub.limits.outbox_bytes
        self._limit = hub.limits.max_hello_bytes
        self._waiting: deque[_Text] = deque()
        self._bytes = 0
        self._blocked = False
        self._has_work = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._closed: tuple[int, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self.session = hub.connect(self, peer)

    async def run(self) -> None:
        """Serve the connection until it is over."""
        self._writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait((self._reader, self._writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._cut()
            await asyncio.gather(self._reader, self._writer, return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()
            self.session.lost()

    # ---- reading

    async def _read(self) -> None:
        while True:
            await self._may_read.wait()
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                self.session.malformed("Expected a text message, got a binary one.", len(message["bytes"]))
                continue
            try:
                payload = text.encode()
            except UnicodeEncodeError:
                error = SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected text in valid UTF-8.")
                self.session.fail(error, CloseCode.INVALID_DATA)
                continue
            if len(payload) > self._limit:
                sentence = f"A message has at most {self._limit} bytes here."
                self.session.fail(SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, sentence), CloseCode.TOO_BIG)
            else:
                self.session.receive(payload)

    # ---- writing

    async def _write(self) -> None:
        try:
            while True:
                await self._has_work.wait()
                while self._waiting:
                    await self._websocket.send_text(self._take())
                self._has_work.clear()
                if self._closed is not None:
                    await self._websocket.close(*self._closed)
                    return
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # the client is gone; what waits is in the log

    def _take(self) -> str:
        text, size = self._waiting.popleft()
        self._bytes -= size
        if self._blocked and self._bytes < self._high // 2:
            self._blocked = False
            self.session.resumed()
        return text

    def _cut(self) -> None:
        for task in (self._reader, self._writer):
            if task is not None:
                task.cancel()

    # ---- the sink

    def write(self, block: list[_Text]) -> None:
        if self._closed is not None:
            return
        self._waiting.extend(block)
        self._bytes += sum(text.size for text in block)
        self._has_work.set()
        if not self._blocked and self._bytes > self._high:
            self._blocked = True
            self.session.paused()

    def buffered(self) -> int:
        return self._bytes

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def raise_limit(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes

    def close(self, code: int, reason: str, timeout: float) -> None:
        if self._closed is None:
            self._closed = (code, short_reason(reason))
            self._has_work.set()
            self._may_read.set()
            self._timer = asyncio.get_running_loop().call_later(timeout, self._cut)
