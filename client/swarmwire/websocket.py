"""A WebSocket, straight on the event loop: messages are read in batches and written together.

The handshake and the closing are those of the `websockets` library's protocol core; see `frames` for reading.
"""

from __future__ import annotations

import logging
from ssl import SSLContext
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.protocol import CONNECTING, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from swarmwire_protocol.takesbytes import taking_bytes

from .carrier import MAX_RECEIVED_BYTES, Carrier
from .errors import ErrorCode, SwarmwireError
from .frames import FrameReader, masked_texts
from .loss import ABNORMAL

__all__ = ["WebSocketConnection"]

_SUBPROTOCOL: Final = Subprotocol("swarmwire.v1")
_MAX_HEAD: Final = 64 * 1024

_quiet = logging.getLogger("swarmwire.client.websocket")
_quiet.setLevel(logging.WARNING)  # below it the library would log what is sent, tokens included


class WebSocketConnection(Carrier):
    """One WebSocket life. `open` it once; see `Connection` for what its methods promise."""

    def __init__(self, url: str, ssl: SSLContext | None = None) -> None:
        super().__init__()
        try:
            self._uri = parse_uri(url)
        except InvalidURI as error:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, "Expected a URL such as ws://host:8765/ws.", field="url"
            ) from error
        self._ssl: SSLContext | bool | None = (ssl or True) if self._uri.secure else None
        self._core = ClientProtocol(self._uri, subprotocols=[_SUBPROTOCOL], max_size=MAX_RECEIVED_BYTES, logger=_quiet)
        self._head = bytearray()
        self._frames = FrameReader(self._core, MAX_RECEIVED_BYTES)

    async def open(self) -> None:
        self._begin()
        try:
            place = self._uri.host, self._uri.port
            await self._loop.create_connection(lambda: taking_bytes(self), *place, ssl=self._ssl)
        except OSError as error:
            raise SwarmwireError(
                ErrorCode.UNAVAILABLE, f"Nobody answers at {self._uri.host}:{self._uri.port}: {error}."
            ) from error
        try:
            await self._shake_hands()
        except BaseException:
            self.abort()
            raise

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
        self._deliver(self._frames.read(data))
        self._flush()  # pongs and closes of the core's own
        if self._core.state is not OPEN:
            close = self._core.close_rcvd or self._core.close_sent
            self._end(close.code if close else ABNORMAL, close.reason if close else "")

    # ---- Writing

    def _outgoing(self) -> bytes:
        data = masked_texts(self._payloads) if self._payloads else b""
        self._payloads.clear()
        # The core's own frames come last: nothing follows a close.
        return data + b"".join(self._core.data_to_send())

    def _say_close(self, code: int, reason: str) -> None:
        if self._core.state is OPEN:
            self._core.send_close(code, reason[:40])
        self._flush()  # the broker answers the close and ends the connection


def _refusal(error: Exception) -> SwarmwireError:
    if not isinstance(error, InvalidStatus):
        return SwarmwireError(ErrorCode.UNAVAILABLE, f"The other side is no WebSocket server: {error}.")
    status = error.response.status_code
    code = ErrorCode.AUTHENTICATION_FAILED if status in (401, 403) else ErrorCode.UNAVAILABLE
    return SwarmwireError(code, f"The WebSocket was refused with HTTP status {status}.")
