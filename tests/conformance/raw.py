"""Bytes over every transport that carries bytes: for what no client of good will says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Self

from swarmwire.pipes import open_pipe
from swarmwire_protocol.framing import PREFACE, encode_frame

from ..broker.transports.wire import TEXT, Wire, frame, request
from .talk import HELLO, PATIENCE, Message
from .ways import House

__all__ = ["RAW", "Raw", "Form"]

_CHATTER = ("ping", "position", "live")


class Form(NamedTuple):
    """How a transport's bytes look.

    Attributes:
        before: what comes before the first message.
        is_answered: whether a client waits for the answer to that.
        message: the bytes of a message.
        announcement: the beginning of a message of so many bytes.
        junk: a message's bytes that hold these instead of text.
        read: the messages in all the bytes that came so far.
    """

    before: bytes
    is_answered: bool
    message: Callable[[bytes], bytes]
    announcement: Callable[[int], bytes]
    junk: Callable[[bytes], bytes]
    read: Callable[[bytes], list[bytes]]


class Raw:
    """A connection that sends what it is told to, and keeps what comes. Leaving the context ends it."""

    def __init__(self, form: Form, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.form = form
        self.came = b""
        self.over = False
        self._reader = reader
        self._writer = writer

    @classmethod
    async def dial(cls, house: House) -> Self:
        """Connect, and say nothing."""
        return cls(RAW[house.way], *await _dial(house))

    @classmethod
    async def welcomed(cls, house: House) -> Self:
        """Connect and finish the hello."""
        raw = await cls.begun(house)
        await raw.send(raw.message(**HELLO))
        await raw.until("welcome")
        return raw

    @classmethod
    async def begun(cls, house: House) -> Self:
        """Connect, and say what comes before the first message; where it is answered, wait for that."""
        raw = await cls.dial(house)
        await raw.send(raw.form.before)
        if raw.form.is_answered:
            while b"\r\n\r\n" not in raw.came:
                assert not raw.over
                await raw._read()
        return raw

    def message(self, **message: object) -> bytes:
        return self.form.message(json.dumps(message).encode())

    async def send(self, data: bytes) -> None:
        """Send bytes; that the other side has gone is no error."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await self._writer.drain()

    @property
    def messages(self) -> list[Message]:
        """What came, but for the heartbeat's."""
        messages = [json.loads(each) for each in self.form.read(self.came)]
        return [each for each in messages if each["type"] not in _CHATTER]

    async def until(self, type: str, count: int = 1) -> list[Message]:
        """Read until so many messages of a type came; returns them."""
        while len(found := [each for each in self.messages if each["type"] == type]) < count:
            assert not self.over, f"expected {type}, got {self.came!r}"
            await self._read()
        return found

    async def ended(self) -> list[Message]:
        """Read to the end; returns all messages."""
        while not self.over:
            await self._read()
        return self.messages

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                data = await self._reader.read(65_536)
        except ConnectionError:
            data = b""
        self.came += data
        self.over = not data

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def _dial(house: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    match house.way:
        case "ws" | "asgi" | "http":
            wire = await Wire.dial(house.place.port)
            return wire.reader, wire.writer
        case "unix" | "lines":
            return await asyncio.open_unix_connection(Path(house.place.socket))
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = await open_pipe(house.place.name, lambda: protocol)
    return reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())


# ---- WebSocket


def _frames_of(came: bytes) -> list[bytes]:
    head, separator, rest = came.partition(b"\r\n\r\n")
    if not separator or b" 101 " not in head:
        return []
    texts = []
    while len(rest) >= 2:
        opcode, size, start = rest[0] & 0x0F, rest[1], 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, start = int.from_bytes(rest[2 : 2 + width], "big"), 2 + width
        if len(rest) < start + size:
            break
        if opcode == TEXT:
            texts.append(rest[start : start + size])
        rest = rest[start + size :]
    return texts


def _announced_frame(size: int) -> bytes:
    return bytes((0x80 | TEXT, 0x80 | 127)) + size.to_bytes(8, "big") + bytes(4)


# ---- HTTP


def _request_of(text: bytes) -> bytes:
    """A message as a request: a hello, or a publish."""
    if json.loads(text)["type"] == "hello":
        return b"GET /v1/hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return _posted(text)


def _posted(body: bytes) -> bytes:
    return _announced_body(len(body)) + body


def _announced_body(size: int) -> bytes:
    head = "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{size}\r\n\r\n".encode()


def _answers_of(came: bytes) -> list[bytes]:
    """The answers as messages: a welcome, an ack or an error."""
    messages = []
    while (head := came.partition(b"\r\n\r\n"))[1]:
        found = re.search(rb"(?i)^content-length: *(\d+)", head[0], re.MULTILINE)
        size = int(found[1]) if found else 0
        if len(head[2]) < size:
            break
        body, came = head[2][:size], head[2][size:]
        if body.startswith(b"{"):
            messages.append(_message_of(json.loads(body)))
    return messages


def _message_of(body: Message) -> bytes:
    if "error" in body:
        return json.dumps({"type": "error", **body["error"]}).encode()
    return json.dumps({"type": "ack", **body}).encode()  # of a hello the type is its own


# ---- Streams


def _announced_length(size: int) -> bytes:
    return size.to_bytes(4, "big")


def _framed_of(came: bytes) -> list[bytes]:
    if not came.startswith(PREFACE):
        return _lines_of(came)
    rest, messages = came[len(PREFACE) :], []
    while len(rest) >= 4 and len(rest) >= 4 + (size := int.from_bytes(rest[:4], "big")):
        messages.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    return messages


def _lines_of(came: bytes) -> list[bytes]:
    return came.split(b"\n")[:-1]


def _announced_line(size: int) -> bytes:
    return b"{" + b" " * size


def _line(text: bytes) -> bytes:
    return text + b"\n"


_WEBSOCKET: Final = Form(request(), True, frame, _announced_frame, frame, _frames_of)
_STREAM: Final = Form(PREFACE, False, encode_frame, _announced_length, encode_frame, _framed_of)

RAW: Final[dict[str, Form]] = {
    "ws": _WEBSOCKET,
    "asgi": _WEBSOCKET,
    "unix": _STREAM,
    "lines": Form(b"", False, _line, _announced_line, _line, _lines_of),
    "http": Form(b"", False, _request_of, _announced_body, _posted, _answers_of),
    "pipe": _STREAM,
}
