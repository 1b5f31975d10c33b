"""A WebSocket client that is a socket and nothing more: it sends the bytes it is told to, and reads frames."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Self

from websockets.utils import apply_mask

Message = dict[str, Any]

PATIENCE = 10.0
"""Seconds after which a test has waited in vain."""

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

HELLO: Message = {"type": "hello", "versions": ["1"], "client": {"name": "test"}}

_CHATTER = ("ping", "position")


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something is true; fail when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.002)


def frame(
    payload: bytes | str,
    opcode: int = TEXT,
    *,
    fin: bool = True,
    mask: bytes | None = b"\x11\x7f\x00\xee",
    reserved: int = 0,
    width: int | None = None,
) -> bytes:
    """A frame as a client sends it; `width` forces a length of 1, 2 or 8 bytes, `mask` None leaves it unmasked."""
    body = payload.encode() if isinstance(payload, str) else payload
    size = len(body)
    width = width or (1 if size < 126 else 2 if size < 65_536 else 8)
    code = {1: size, 2: 126, 8: 127}[width] | (0x80 if mask is not None else 0)
    head = bytes((fin << 7 | reserved | opcode, code)) + (size.to_bytes(width, "big") if width > 1 else b"")
    return head + body if mask is None else head + mask + apply_mask(body, mask)


def text(message: Message) -> bytes:
    """A message in one frame."""
    return frame(json.dumps(message))


def close(code: int = 1000, reason: bytes = b"") -> bytes:
    return frame(code.to_bytes(2, "big") + reason, CLOSE)


def request(path: str = "/ws", headers: Iterable[tuple[str, str]] = (), *, host: str | None = "localhost") -> bytes:
    """An upgrade request."""
    lines = [f"GET {path} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Refused(Exception):
    """The server answered the upgrade with another status than 101."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(status, body)


class Wire:
    """One connection. Whatever is awaited fails when patience ends. Leaving the context closes the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = b""
        self.close_code: int | None = None

    @classmethod
    async def open(
        cls, port: int, path: str = "/ws", headers: Iterable[tuple[str, str]] = (), *, early: bytes = b""
    ) -> Self:
        """Connect and upgrade; `early` goes out in the same segment as the request."""
        wire = await cls.dial(port)
        try:
            wire.writer.write(request(path, headers) + early)
            await wire.upgraded()
        except BaseException:
            await wire.__aexit__()
            raise
        return wire

    @classmethod
    async def dial(cls, port: int) -> Self:
        """Connect, and say nothing. The buffers are small, so that a client that does not read is soon felt."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return cls(*await asyncio.open_connection(sock=sock))

    async def upgraded(self) -> None:
        """Wait for the answer to the upgrade.

        Raises:
            Refused: it is no 101.
        """
        async with asyncio.timeout(PATIENCE):
            self.answer = await self.reader.readuntil(b"\r\n\r\n")
        status = int(self.answer.split()[1])
        if status != 101:
            body = await self.rest()
            raise Refused(status, body.decode())

    @classmethod
    async def welcomed(cls, port: int, **hello: Any) -> Self:
        """Connect and finish the hello."""
        wire = await cls.open(port)
        await wire.send(**HELLO, **hello)
        await wire.expect("welcome")
        return wire

    # ---- sending

    async def send(self, **message: Any) -> None:
        """Send a message; a trailing underscore in a field's name is left out."""
        await self.send_raw(text({name.rstrip("_"): value for name, value in message.items()}))

    async def send_raw(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    async def send_unhurried(self, data: bytes) -> None:
        """Send bytes, however long the other side does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def send_split(self, data: bytes, cuts: Iterable[int]) -> None:
        """Send bytes in pieces that end at `cuts`, each a segment of its own as far as the kernel lets us."""
        bounds = [0, *sorted(set(cuts)), len(data)]
        for start, stop in pairwise(bounds):
            await self.send_raw(data[start:stop])
            await asyncio.sleep(0)

    # ---- reading

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and its payload. Raises IncompleteReadError at the end."""
        async with asyncio.timeout(PATIENCE):
            head, size = await self.reader.readexactly(2)
            assert head & 0xF0 == 0x80, "the broker neither fragments nor uses reserved bits"
            assert size < 0x80, "the broker does not mask"
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return head & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> Message:
        """The next message, whatever the heartbeat says meanwhile."""
        while True:
            opcode, payload = await self.frame()
            assert opcode == TEXT, f"expected a text, got opcode {opcode}: {payload!r}"
            message: Message = json.loads(payload)
            if message["type"] not in _CHATTER:
                return message

    async def expect(self, *types: str) -> Message:
        """The next message, which must be of one of these types."""
        message = await self.message()
        assert message["type"] in types, f"expected {types}, got {message}"
        return message

    async def ask(self, **request: Any) -> Message:
        """Send a request, and return its answer. Nothing else may come before it but events."""
        await self.send(**request)
        while True:
            message = await self.message()
            if message.get("id") == request["id"]:
                return message
            assert message["type"] in ("event", "live"), f"expected an answer to {request}, got {message}"

    async def subscribe(self, *patterns: str, **how: Any) -> Message:
        """Subscribe, and return the ack."""
        items = [{"pattern": pattern, **{k.rstrip("_"): v for k, v in how.items()}} for pattern in patterns]
        ack = await self.ask(type="subscribe", id="sub", subscriptions=items)
        assert ack["type"] == "ack", ack
        return ack

    async def is_alive(self) -> bool:
        """Whether a ping of the protocol is answered; what came before is passed over."""
        await self.send(type="ping", ts=77)
        while (message := await self.message()) != {"type": "pong", "ts": 77}:
            assert message["type"] != "bye", message
        return True

    async def events(self, count: int) -> list[Message]:
        """The next events."""
        return [await self.expect("event") for _ in range(count)]

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def ended(self, *, answers: bool = True) -> tuple[list[Message], int | None]:
        """Read to the end: the messages that came, and the code of the close frame (None: there was none)."""
        messages, code = [], None
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == TEXT:
                    messages.append(json.loads(payload))
                elif opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big")
                    if answers:
                        await self.send_raw(frame(payload, CLOSE))
        except (asyncio.IncompleteReadError, ConnectionError):
            return [message for message in messages if message["type"] not in _CHATTER], code

    async def farewell(self) -> tuple[str | None, int, int | None]:
        """Read to the end, which must be in order: the error's code if there is one, the bye's, and the close's."""
        messages, code = await self.ended()
        assert messages, "there was no bye"
        *before, bye = messages
        assert bye["type"] == "bye", messages
        assert [message["type"] for message in before] in ([], ["error"]), messages
        return before[0]["code"] if before else None, bye["code"], code

    # ---- the end

    def reset(self) -> None:
        """Vanish: the other side gets a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
