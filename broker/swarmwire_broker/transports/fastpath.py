"""A WebSocket connection without ASGI behind it: bytes straight between the socket and the session.

The common frame (text, masked, in one piece) goes through one short loop. Every other frame is judged by its header
first, so that what is wrong or too large is refused before it is read, and is looked at once it is whole.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from websockets.exceptions import ProtocolError
from websockets.frames import Close

from swarmwire_protocol.accelerators import is_text, unmask
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError

from ..core.hub import Hub
from ..core.ports import Peer
from .frames import FRAMER, MAX_CONTROL, close_frame, pong_frame
from .sending import descriptor_of, send_now

__all__ = ["FastConnection"]

_MAX_CONTROL: Final = MAX_CONTROL
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80

_CONTINUATION: Final = 0x0
_BINARY: Final = 0x2
_CLOSE: Final = 0x8
_PING: Final = 0x9
_OPCODES: Final = frozenset((_CONTINUATION, 0x1, _BINARY, _CLOSE, _PING, 0xA))

_HUGE: Final = 1 << 60
"""Bytes; what claims to be longer is as much too long."""

_LARGE: Final = 64 * 1024
"""Bytes that are a turn of their own."""

_TEXT: Final = _FIN | 0x1
_CLOSE_FRAME: Final = _FIN | _CLOSE


class FastConnection:
    """Socket and session in one step: asyncio's protocol on one side, the session's sink on the other.

    Arguments:
        connections: the server's set of open connections, which this one is in while it lives.
    """

    __slots__ = (
        "_binary",
        "_closing",
        "_connections",
        "_delivery",
        "_descriptor",
        "_fragments",
        "_is_queued",
        "_limit",
        "_reading_paused",
        "_rest",
        "_skip",
        "_timer",
        "_transport",
        "_wanted",
        "session",
    )

    framer = FRAMER

    def __init__(self, hub: Hub, transport: asyncio.Transport, peer: Peer, connections: set[Any]) -> None:
        self._transport = transport
        self._connections = connections
        self._limit = hub.limits.max_hello_bytes
        self._rest = bytearray()  # the beginning of a frame, to be looked at when `_wanted` bytes are there
        self._wanted = 0
        self._skip = 0  # bytes to come of a frame that nobody reads
        self._fragments: bytearray | None = None
        self._binary = False
        self._closing = False
        self._reading_paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = descriptor_of(transport)
        self._is_queued = True  # the transport may hold bytes: it is to be asked before bytes go past it
        self._delivery = hub.delivery
        high = hub.limits.outbox_bytes
        transport.set_write_buffer_limits(high=high, low=high // 2)
        connections.add(self)
        self.session = hub.connect(self, peer)

    # ---- asyncio's side

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._closing = True
        self._descriptor = -1
        self._connections.discard(self)
        self.session.lost()

    def eof_received(self) -> bool | None:
        """The client says nothing more: what was decided is still answered, then the socket closes."""
        self.session.lost()
        self._descriptor = -1
        return None

    def pause_writing(self) -> None:
        self.session.paused()

    def resume_writing(self) -> None:
        self.session.resumed()

    def data_received(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest.clear()
        self._delivery.begin_read()
        try:
            self._parse(data)
        finally:
            # A loop may hand over many large reads in one turn, and what a turn publishes is written in one go.
            self._delivery.end_read(len(data) >= _LARGE)

    def shutdown(self) -> None:
        """The server is going down (uvicorn calls this)."""
        self.session.close(CloseCode.RESTART, "The broker is shutting down.")

    # ---- frame by frame

    def _parse(self, data: bytes) -> None:
        position, end = 0, len(data)
        self._wanted = 2
        while end - position >= 2:
            head, size = data[position], data[position + 1]
            masked = size >= _MASKED
            start = position + (6 if masked else 2)
            size &= 0x7F
            if size > _MAX_CONTROL:
                start += 2 if size == 126 else 8
                if start > end:
                    self._wanted = start - position
                    break
                if size == 126:
                    size = data[position + 2] * 256 + data[position + 3]
                else:
                    size = min(int.from_bytes(data[position + 2 : position + 10], "big"), _HUGE)
            if head != _TEXT or not masked or size > self._limit or self._fragments is not None:
                self._judge(head, masked, size)
            stop = start + size
            if self._closing and (head != _CLOSE_FRAME or size > _MAX_CONTROL):
                if head == _CLOSE_FRAME and stop <= end:
                    self._transport.close()  # wrong as it is, it is the client's last word
                position = stop
                continue
            if stop > end:
                self._wanted = stop - position
                break
            payload = unmask(data, start, stop) if masked else data[start:stop]
            if head == _TEXT:
                self._message(payload)
            else:
                self._frame(head, payload)
            position = stop
        if position > end:
            self._skip = position - end
        elif position < end:
            self._rest += data[position:] if position else data

    def _judge(self, head: int, masked: bool, size: int) -> None:
        """Refuse a frame that its header shows to be wrong."""
        opcode = head & _OPCODE
        is_control = opcode >= _CLOSE
        begun = self._fragments is not None
        if (
            not masked
            or head & _RESERVED
            or opcode not in _OPCODES
            or (is_control and (size > _MAX_CONTROL or not head & _FIN))
            or (not is_control and begun != (opcode == _CONTINUATION))
        ):
            self._broken("Expected frames as RFC 6455 has them.", CloseCode.PROTOCOL_ERROR)
        elif not is_control and size + len(self._fragments or b"") > self._limit:
            error = SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, f"A message has at most {self._limit} bytes here.")
            self.session.fail(error, CloseCode.TOO_BIG)

    def _broken(self, sentence: str, code: CloseCode) -> None:
        self.session.fail(SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence), code)

    def _message(self, payload: bytes) -> None:
        if is_text(payload):
            self.session.receive(payload)
        else:
            self._broken("Expected text in valid UTF-8.", CloseCode.INVALID_DATA)

    def _frame(self, head: int, payload: bytes) -> None:
        """Take a frame that is not a whole text; its header was found to be right."""
        match head & _OPCODE:
            case 0x8:
                self._close_received(payload)
            case 0x9 if self.buffered() <= self.session.hub.limits.outbox_bytes:
                self.session.heard = True
                self.write(pong_frame(payload))
            case 0x9 | 0xA:  # a client that does not read gets no more pongs than its socket takes
                self.session.heard = True
            case opcode:
                self._fragment(opcode, payload, bool(head & _FIN))

    def _fragment(self, opcode: int, payload: bytes, is_last: bool) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
            self._binary = opcode == _BINARY
        self._fragments += payload
        if is_last:
            message, self._fragments = bytes(self._fragments), None
            if self._binary:
                self._binary_message(message)
            else:
                self._message(message)

    def _binary_message(self, message: bytes) -> None:
        self.session.malformed("Expected a text message, got a binary one.", len(message))

    def _close_received(self, payload: bytes) -> None:
        if not self._closing:
            try:
                Close.parse(payload)
            except ProtocolError:
                self._broken("Expected a close code of RFC 6455.", CloseCode.PROTOCOL_ERROR)
            except UnicodeDecodeError:
                self._broken("Expected a reason in valid UTF-8.", CloseCode.INVALID_DATA)
            else:
                self._closing = True
                self.session.lost()  # it writes what is decided already; after the close frame nothing may come
                self.write(bytes((_CLOSE_FRAME, len(payload))) + payload)
        self._descriptor = -1
        self._transport.close()

    # ---- the sink

    def write(self, block: bytes) -> None:
        """Past the transport while it holds nothing: what the socket takes at once needs no queue."""
        if self._descriptor >= 0 and (not self._is_queued or not self._transport.get_write_buffer_size()):
            sent = send_now(self._descriptor, block)
            if sent == len(block):
                self._is_queued = False
                return
            if sent > 0:
                block = block[sent:]
        self._is_queued = True
        self._transport.write(block)

    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def raise_limit(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes

    def close(self, code: int, reason: str, timeout: float) -> None:
        """Send the close frame and wait for the client's, so that nothing it still sends cuts our last words."""
        if self._closing:
            return
        self._closing = True
        self._timer = asyncio.get_running_loop().call_later(timeout, self._give_up)
        self.write(close_frame(code, reason))
        self.resume_reading()
        if self._rest:
            rest, self._rest = bytes(self._rest), bytearray()
            self._parse(rest)

    def _give_up(self) -> None:
        """The client neither closes nor reads."""
        self._timer = None
        self._descriptor = -1
        if self.buffered():
            self._transport.abort()
        else:
            self._transport.close()
