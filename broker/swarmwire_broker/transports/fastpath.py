"""A WebSocket connection without ASGI behind it: bytes straight between the socket and the session.

The common frame (text, masked, in one piece) is read here by hand. Everything else, and everything that is wrong,
is left to the sans-I/O parser of `websockets`, which is made when it is needed and dropped when it is idle.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError

from ..core.hub import Hub
from ..core.ports import Peer
from .frames import FRAMER

try:
    from websockets.speedups import apply_mask
except ImportError:  # a build of websockets without its C part
    from websockets.utils import apply_mask

__all__ = ["FastConnection"]

_TEXT: Final = 0x81
_MASKED: Final = 0x80


class FastConnection(asyncio.Protocol):
    """Socket and session in one step. It is the session's sink.

    Arguments:
        connections: the server's set of open connections, which this one is in while it lives.
    """

    __slots__ = (
        "_closing",
        "_connections",
        "_fragments",
        "_limit",
        "_parser",
        "_reading_paused",
        "_rest",
        "_timer",
        "_transport",
        "_wanted",
        "session",
        "write",
    )

    framer = FRAMER

    def __init__(self, hub: Hub, transport: asyncio.Transport, peer: Peer, connections: set[Any]) -> None:
        self._transport = transport
        self._connections = connections
        self._limit = hub.limits.max_hello_bytes
        self._rest = bytearray()
        self._wanted = 0
        self._parser: ServerProtocol | None = None
        self._fragments: list[bytes] = []
        self._closing = False
        self._reading_paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.write = transport.write
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
        self._connections.discard(self)
        self.session.lost()

    def eof_received(self) -> bool | None:
        return None

    def pause_writing(self) -> None:
        self.session.paused()

    def resume_writing(self) -> None:
        self.session.resumed()

    def data_received(self, data: bytes) -> None:
        if self._parser is not None:
            self._parse_slowly(data)
            return
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest.clear()
        self._parse(data)

    def shutdown(self) -> None:
        """The server is going down (uvicorn calls this)."""
        self.session.close(CloseCode.RESTART, "The broker is shutting down.")

    # ---- the common frame

    def _parse(self, data: bytes) -> None:
        position, end = 0, len(data)
        while end - position >= 2:
            size = data[position + 1]
            if data[position] != _TEXT or size < _MASKED:
                self._parser = self._make_parser()
                self._parse_slowly(data[position:])
                return
            size &= 0x7F
            start = position + 6
            if size > 125:
                width = 2 if size == 126 else 8
                start += width
                if start > end:
                    self._wanted = start - position
                    break
                size = int.from_bytes(data[position + 2 : position + 2 + width], "big")
            if size > self._limit:
                self._too_large()
                return
            stop = start + size
            if stop > end:
                self._wanted = stop - position
                break
            self._message(apply_mask(data[start:stop], data[start - 4 : start]))
            if self._closing:
                if stop < end and self._parser is not None:
                    self._parse_slowly(data[stop:])
                return
            position = stop
        else:
            self._wanted = 2
        if position < end:
            self._rest += data[position:] if position else data

    def _message(self, payload: bytes) -> None:
        if not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                error = SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected text in valid UTF-8.")
                self.session.fail(error, CloseCode.INVALID_DATA)
                return
        self.session.receive(payload)

    def _too_large(self) -> None:
        error = SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, f"A message has at most {self._limit} bytes here.")
        self.session.fail(error, CloseCode.TOO_BIG)

    # ---- everything else

    def _make_parser(self) -> ServerProtocol:
        return ServerProtocol(state=State.OPEN, max_size=self._limit)

    def adopt(self, parser: ServerProtocol, fragments: list[bytes]) -> None:
        """Go on with a parser that has begun a frame or a message already."""
        self._parser = parser
        self._fragments = fragments

    def _parse_slowly(self, data: bytes) -> None:
        parser = self._parser
        assert parser is not None
        parser.max_message_size = self._limit
        parser.receive_data(data)
        for event in parser.events_received():
            assert isinstance(event, Frame)
            self._frame(event)
        if parser.parser_exc is not None and not self._closing:
            self._broken(parser)
            return
        output = b"".join(parser.data_to_send())
        if output and not self._transport.is_closing():
            self.write(output)
        if parser.close_rcvd is not None:
            self.session.lost()
            self._transport.close()
        elif not self._closing and not parser.reader.buffer and parser.current_size is None and not self._fragments:
            self._parser = None

    def _frame(self, frame: Frame) -> None:
        if self._closing:
            return
        if frame.opcode is Opcode.TEXT or (frame.opcode is Opcode.CONT and self._fragments):
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                fragments, self._fragments = self._fragments, []
                self._message(b"".join(fragments))
        elif frame.opcode is Opcode.BINARY:
            self.session.malformed("Expected a text message, got a binary one.", len(frame.data))
        elif frame.opcode in (Opcode.PING, Opcode.PONG):
            self.session.heard = True

    def _broken(self, parser: ServerProtocol) -> None:
        code = parser.close_sent.code if parser.close_sent is not None else CloseCode.PROTOCOL_ERROR
        self._parser = None
        if code == CloseCode.TOO_BIG:
            self._too_large()
        elif code == CloseCode.INVALID_DATA:
            error = SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected text in valid UTF-8.")
            self.session.fail(error, CloseCode.INVALID_DATA)
        else:
            error = SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected frames as RFC 6455 has them.")
            self.session.fail(error, CloseCode.PROTOCOL_ERROR)

    # ---- the sink

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
        parser = self._parser
        if parser is None or parser.state is not State.OPEN:
            parser = self._parser = self._make_parser()
        try:
            parser.send_close(code, reason)
        except ProtocolError:
            parser.send_close(CloseCode.INTERNAL)
        self.write(b"".join(parser.data_to_send()))
        self.resume_reading()
        if self._rest:
            rest, self._rest = bytes(self._rest), bytearray()
            self._parse_slowly(rest)

    def _give_up(self) -> None:
        """The client neither closes nor reads."""
        self._timer = None
        if self.buffered():
            self._transport.abort()
        else:
            self._transport.close()
