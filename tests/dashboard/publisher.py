"""A WebSocket client that only publishes, and takes as little of the processor as can be for it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import struct
from enum import IntEnum
from typing import Self
from urllib.parse import urlsplit

import orjson

__all__ = ["Publisher", "text_frame"]

MARK = "load.mark"
"""Where an event is published now and then whose ack tells that all before it was taken."""


class Opcode(IntEnum):
    """The opcodes of WebSocket frames that are used here."""

    TEXT = 1
    CLOSE = 8
    PING = 9
    PONG = 10


def text_frame(message: object) -> bytes:
    """A message as a frame of a client, ready to be written any number of times."""
    return _frame(Opcode.TEXT, orjson.dumps(message))


class Publisher:
    """One connection that publishes, and counts what the broker says of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.refused = 0
        self._reader = reader
        self._writer = writer
        self._welcomed = asyncio.Event()
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, token: str | None) -> Self:
        """Connect and log in. Raises ConnectionError where the broker does not want it."""
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(_handshake(where.path or "/ws", where.netloc))
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            raise ConnectionError(f"expected 101 of the broker, got {answer.splitlines()[0].decode()!r}")
        publisher = cls(reader, writer)
        hello = {"type": "hello", "versions": ["1"], "client": {"name": "load"}, "token": token}
        publisher.write(text_frame(hello))
        waiting = asyncio.create_task(publisher._welcomed.wait())
        await asyncio.wait((waiting, publisher._reading), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not publisher._welcomed.is_set():
            raise ConnectionError("the broker did not welcome the publisher")
        return publisher

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        """Return when the broker has taken enough of what was written for more to be written."""
        await self._writer.drain()

    async def decided(self) -> None:
        """Return when the broker has decided everything that was written so far: it keeps to the order."""
        id = next(self._ids)
        self._asked[id] = asyncio.get_running_loop().create_future()
        self.write(text_frame({"type": "publish", "id": id, "topic": MARK, "data": id}))
        await asyncio.wait((self._asked[id], self._reading), return_when=asyncio.FIRST_COMPLETED)
        if not self._asked.pop(id).done():
            raise ConnectionError("the broker is gone")

    async def close(self) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            await self._reading
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        while True:
            opcode, payload = await self._frame()
            match opcode:
                case Opcode.TEXT:
                    self._take(orjson.loads(payload))
                case Opcode.PING:
                    self.write(_frame(Opcode.PONG, payload))
                case Opcode.CLOSE:
                    return

    async def _frame(self) -> tuple[int, bytes]:
        first, length = await self._reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 0x0F, await self._reader.readexactly(length)

    def _take(self, message: dict[str, object]) -> None:
        match message:
            case {"type": "welcome"}:
                self._welcomed.set()
            case {"type": "ping", "ts": ts}:
                self.write(text_frame({"type": "pong", "ts": ts}))
            case {"type": "ack", "id": int(id)} if id in self._asked:
                self._asked[id].set_result(None)
            case {"type": "error"}:
                self.refused += 1


def _handshake(path: str, host: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _frame(opcode: Opcode, payload: bytes) -> bytes:
    """A frame of a client. Its mask is zero, which leaves the payload as it is."""
    if len(payload) < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload))
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, len(payload))
    return head + b"\0\0\0\0" + payload
