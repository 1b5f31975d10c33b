"""A WebSocket, straight on the event loop: messages are read in batches and written together.

The handshake and the closing are those of the `websockets` library's protocol core; see `frames` for reading.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ssl import SSLContext
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.protocol import CONNECTING, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .connection import Closed
from .errors import ErrorCode, SwarmwireError
from .frames import FrameReader, masked_texts

__all__ = ["CLOSE_TIMEOUT", "MAX_RECEIVED_BYTES", "WebSocketConnection"]

CLOSE_TIMEOUT: Final = 2.0
"""Seconds a closing connection gets for its last bytes; then it is cut."""

MAX_RECEIVED_BYTES: Final = 64 * 1024 * 1024
"""The largest message taken from a broker."""

_SUBPROTOCOL: Final = Subprotocol("swarmwire.v1")
_HIGH_WATER: Final = 1024 * 1024  # bytes of messages read and not yet taken, and of what waits to be flushed
_FLUSH_BYTES: Final = 8 * 1024  # that are written before the turn of the loop is over
_MAX_HEAD: Final = 64 * 1024
_ABNORMAL: Final = 1006

_quiet = logging.getLogger("swarmwire.client.websocket")
_quiet.setLevel(logging.WARNING)  # below it the library would log what is sent, tokens included


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket life. `open` it once; see `Connection` for what its methods promise."""

    def __init__(self, url: str, ssl: SSLContext | None = None) -> None:
        try:
            self._uri = parse_uri(url)
        except InvalidURI as error:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, "Expected a URL such as ws://host:8765/ws.", field="url"
            ) from error
        self._ssl: SSLContext | bool | None = (ssl or True) if self._uri.secure else None
        self._core = ClientProtocol(self._uri, subprotocols=[_SUBPROTOCOL], max_size=MAX_RECEIVED_BYTES, logger=_quiet)
        self.heard = self.spoke = 0.0
        self.on_writable: Callable[[], None] = _nothing
        # what came
        self._head = bytearray()
        self._frames = FrameReader(self._core, MAX_RECEIVED_BYTES)
        self._messages: list[bytes] = []
        self._held = 0
        self._reader: asyncio.Future[None] | None = None
        # what goes
        self._texts: list[bytes] = []
        self._unflushed = 0
        self._flush_at = _FLUSH_BYTES
        self._flushing = False
        self._paused = False
        # the end
        self._closed: Closed | None = None
        self._over: asyncio.Future[None] | None = None

    # ---- For the SDK

    @property
    def writable(self) -> bool:
        return not self._paused and self._unflushed < _HIGH_WATER

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        try:
            await self._loop.create_connection(lambda: self, self._uri.host, self._uri.port, ssl=self._ssl)
        except OSError as error:
            raise SwarmwireError(
                ErrorCode.UNAVAILABLE, f"Nobody answers at {self._uri.host}:{self._uri.port}: {error}."
            ) from error
        try:
            await self._shake_hands()
        except BaseException:
            self.abort()
            raise

    def send(self, payload: bytes) -> None:
        if self._closed is not None or self._core.state is not OPEN:
            return
        self._texts.append(payload)
        self._unflushed += len(payload)
        if not self._flushing:
            # What is sent in this turn of the loop leaves in one write, but for large amounts.
            self._flushing = True
            self._loop.call_soon(self._flush)
        elif self._unflushed >= self._flush_at and not self._paused:
            # The broker may begin with these while the rest of the turn goes on.
            self._flush_at += _FLUSH_BYTES
            self._write_out()

    async def receive(self) -> list[bytes]:
        while not self._messages:
            if self._closed is not None:
                raise self._closed
            await self._wait()
        batch, self._messages = self._messages, []
        if self._held >= _HIGH_WATER and self._closed is None:
            self._transport.resume_reading()
        self._held = 0
        return batch

    async def close(self, code: int, reason: str) -> None:
        if self._over is None or self._over.done():
            return
        if self._core.state is OPEN:
            self._core.send_close(code, reason[:40])
        self._flush()
        self._end(code, reason)  # what still comes is not looked at, but it must not block the end
        self._transport.resume_reading()
        await asyncio.wait([self._over], timeout=CLOSE_TIMEOUT)
        self.abort()

    def abort(self) -> None:
        self._end(_ABNORMAL, "")
        self._transport.abort()

    # ---- For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(_ABNORMAL, "The connection was cut." if error is None else str(error))
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.on_writable()

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        if self._closed is not None:
            return
        if self._core.state is CONNECTING:
            data = self._shake(data)
        if data:
            self._take(data)

    # ---- Opening

    async def _shake_hands(self) -> None:
        self._core.send_request(self._core.connect())
        self._flush()
        # Not "until it is open": all of a short conversation may have come with the handshake, its end too.
        while self._core.state is CONNECTING or self._core.handshake_exc is not None:
            if self._core.handshake_exc is not None:
                raise _refusal(self._core.handshake_exc)
            if self._closed is not None:
                raise SwarmwireError(ErrorCode.UNAVAILABLE, "The connection ended during its handshake.")
            await self._wait()

    def _shake(self, data: bytes) -> bytes:
        """Give the core the head of the answer only; returns what follows a good one, which is frames."""
        self._head += data
        head, blank, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not blank and len(head) <= _MAX_HEAD:
            return b""
        self._head.clear()
        self._core.receive_data(head + blank)
        self._core.events_received()
        if self._core.state is not OPEN and self._core.handshake_exc is None:  # a refusal with a body to be read
            self._core.receive_data(rest)
            self._core.receive_eof()
        self._wake()
        return rest if self._core.state is OPEN else b""

    # ---- Reading

    def _take(self, data: bytes) -> None:
        for message in self._frames.read(data):
            self._messages.append(message)
            self._held += len(message)
        if self._messages:
            self._wake()
            if self._held >= _HIGH_WATER:
                self._transport.pause_reading()
        self._flush()  # pongs and closes of the core's own
        if self._core.state is not OPEN:
            close = self._core.close_rcvd or self._core.close_sent
            self._end(close.code if close else _ABNORMAL, close.reason if close else "")

    async def _wait(self) -> None:
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _end(self, code: int, reason: str) -> None:
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._wake()

    # ---- Writing

    def _flush(self) -> None:
        self._flushing = False
        self._unflushed = 0
        self._flush_at = _FLUSH_BYTES
        self._write_out()
        if not self._paused:
            self.on_writable()

    def _write_out(self) -> None:
        data = masked_texts(self._texts) if self._texts else b""
        self._texts.clear()
        # The core's own frames come last: nothing follows a close.
        data += b"".join(self._core.data_to_send())
        if data and not self._transport.is_closing():
            self._transport.write(data)
            self.spoke = self._loop.time()


def _refusal(error: Exception) -> SwarmwireError:
    if not isinstance(error, InvalidStatus):
        return SwarmwireError(ErrorCode.UNAVAILABLE, f"The other side is no WebSocket server: {error}.")
    status = error.response.status_code
    code = ErrorCode.AUTHENTICATION_FAILED if status in (401, 403) else ErrorCode.UNAVAILABLE
    return SwarmwireError(code, f"The WebSocket was refused with HTTP status {status}.")


def _nothing() -> None:
    """Until someone wants to know."""
