"""A connection over a stream of bytes: a Unix socket, or a pair of pipes.

`StreamDecoder` describes how a stream is cut into messages, and cuts what comes before the mode is known, and lines.
Frames are cut by `cut_frames` instead, because that must be fast: it takes all of a read at once, in C. A test holds
it, and what is said of frames that are not in order, to what the decoder says of the same bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from swarmwire_protocol.accelerators import cut_frames, join_prefixed
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.framing import PREFACE, StreamDecoder, StreamMode

from ..core.ports import Peer
from ..core.subscriptions import refusal
from .hangup import is_hung_up
from .sending import descriptor_of, send_now

if TYPE_CHECKING:
    from ..core.session import Session
    from .shortcut import House

__all__ = ["FRAMES", "LINES", "FrameFramer", "LineFramer", "StreamConnection", "error_line"]

_LENGTH: Final = 4

_ALL: Final = 1 << 32
"""Messages; more than one read can bring."""

_LARGE: Final = 64 * 1024
"""Bytes that are a turn of their own."""

_FIRST_LOOK: Final = 0.001
_SELDOM: Final = 0.1
"""Seconds between two looks at whether everything is answered: the time doubles from the first to the second."""


class FrameFramer:
    """Many messages as frames in one piece of bytes, made once for all clients."""

    def join(self, payloads: list[bytes]) -> bytes:
        return join_prefixed(payloads)

    def merge(self, blocks: list[bytes]) -> bytes:
        return b"".join(blocks)


class LineFramer:
    """Many messages as lines in one piece of bytes. No message has a line end within."""

    def join(self, payloads: list[bytes]) -> bytes:
        return b"\n".join([*payloads, b""])

    def merge(self, blocks: list[bytes]) -> bytes:
        return b"".join(blocks)


FRAMES: Final = FrameFramer()
LINES: Final = LineFramer()


def error_line(error: SwarmwireError) -> bytes:
    """An error as one line of JSON: the only word to who has not begun to speak as agreed."""
    return LINES.join([encode(refusal(error))])


class StreamConnection:
    """Stream and session in one step: asyncio's protocol on one side, the session's sink on the other.

    Until the first bytes tell how the client speaks there is no session, and a timer; what is wrong so early is
    answered by one line of JSON.

    Arguments:
        house: whose sessions the connections become; it must be running.
        transport: an asyncio transport, or what does the same of: write, close, abort, is_closing, pause_reading,
            resume_reading, set_write_buffer_limits, get_write_buffer_size, get_extra_info, can_write_eof. Where it
            can write_eof, a close ends what the client reads at once, and waits for the client's own close.
        connections: the listener's set of open connections, which this one is in while it lives.
    """

    __slots__ = (
        "_close_timeout",
        "_closing",
        "_connections",
        "_deadline",
        "_decoder",
        "_delivery",
        "_descriptor",
        "_ended",
        "_hub",
        "_is_queued",
        "_limit",
        "_patience",
        "_peer",
        "_reading_paused",
        "_rest",
        "_timer",
        "_transport",
        "_wanted",
        "_welcomed",
        "framer",
        "session",
    )

    def __init__(self, house: House, transport: asyncio.Transport, peer: Peer, connections: set[Any]) -> None:
        hub = house.hub
        self._hub = hub
        self._transport = transport
        self._peer = peer
        self._connections = connections
        self._delivery = hub.delivery
        self._limit = hub.limits.max_hello_bytes
        self._decoder: StreamDecoder | None = StreamDecoder(self._limit)  # None when the client speaks in frames
        self._rest = bytearray()  # the beginning of a frame, to be looked at when `_wanted` bytes are there
        self._wanted = 0
        self._welcomed = False
        self._ended = False  # the client says nothing more
        self._closing = False  # nor do we
        self._reading_paused = False
        self._patience = 0.0
        self._close_timeout = hub.limits.close_timeout_ms / 1000
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = descriptor_of(transport)
        self._is_queued = True  # the transport may hold bytes: it is to be asked before bytes go past it
        self.framer: Any = LINES
        self.session: Session | None = None
        high = hub.limits.outbox_bytes
        transport.set_write_buffer_limits(high=high, low=high // 2)
        connections.add(self)
        loop = asyncio.get_running_loop()
        # From here to the welcome; the session's own timer begins only with the session.
        self._deadline: asyncio.TimerHandle | None = loop.call_later(
            hub.limits.auth_timeout_ms / 1000, self._out_of_time
        )

    # ---- asyncio's side

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self._closing = True
        self._ended = True
        self._descriptor = -1
        self._rest.clear()
        self._connections.discard(self)
        if self.session is not None:
            self.session.lost()

    def pause_writing(self) -> None:
        if self.session is not None:
            self.session.paused()

    def resume_writing(self) -> None:
        if self.session is not None:
            self.session.resumed()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return  # it is read so that our last words are not cut off, and by nobody
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest.clear()
        self._delivery.begin_read()
        try:
            if self._decoder is None:
                self._read_frames(data)
            else:
                self._decode(data)
        finally:
            # A loop may hand over many large reads in one turn, and what a turn publishes is written in one go.
            self._delivery.end_read(len(data) >= _LARGE)

    def eof_received(self) -> bool:
        """The client says nothing more: what it said is answered, then the connection closes."""
        if self._closing:
            self._ended = True
            self._transport.close()
        elif not self._ended:
            self._ended = True
            self._delivery.begin_read()
            try:
                self._end_of_input()
            finally:
                self._delivery.end_read(False)
        return not self._transport.is_closing()

    def shutdown(self) -> None:
        """The listener is going down. Who has a session was told already."""
        if self.session is None:
            self._transport.close()
        else:
            self.session.close(CloseCode.RESTART, "The broker is shutting down.")

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # ---- frame by frame

    def _read_frames(self, data: bytes) -> None:
        session = self.session
        assert session is not None
        position, most = 0, 0
        while most != _ALL:
            most = _ALL if self._welcomed else 1  # the hello raises the limit for what comes behind it
            messages, position = cut_frames(data, position, self._limit, most, self._welcomed)
            if not messages:
                break
            session.receive_all(messages)
            if self._closing:
                return
        if position < len(data):
            self._keep(data, position)

    def _keep(self, data: bytes, position: int) -> None:
        """Keep what may become a frame; what cannot is refused before more of it is read."""
        left = len(data) - position
        self._wanted = _LENGTH
        if left >= _LENGTH:
            size = int.from_bytes(data[position : position + _LENGTH], "big")
            self._wanted = _LENGTH + size
            if not size:
                self._break("A frame carries at least one byte; this one has the length 0.", CloseCode.PROTOCOL_ERROR)
            elif size > self._limit:
                sentence = f"A message has at most {self._limit} bytes here; this one says {size}."
                self.refuse(SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, sentence), CloseCode.TOO_BIG)
            elif left >= self._wanted:
                self._break("Expected text in valid UTF-8.", CloseCode.INVALID_DATA)
        if not self._closing:
            self._rest += data[position:]

    def _break(self, sentence: str, code: CloseCode) -> None:
        self.refuse(SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence), code)

    # ---- all else, by the decoder

    def _decode(self, data: bytes) -> None:
        position = 0
        while self.session is None and position < len(data) and not self._closing:
            # Byte by byte, so that the decoder sees nothing of the frames behind the preface.
            position += 1
            self._feed(data[position - 1 : position])
            self._choose()
        if self._decoder is None and not self._closing:
            self._read_frames(data[position:])
        while position < len(data) and self._decoder is not None and not self._closing:
            # Line by line, while the hello may yet raise the limit.
            end = len(data) if self._welcomed else data.find(b"\n", position) + 1 or len(data)
            self._feed(data[position:end])
            position = end

    def _choose(self) -> None:
        """Begin the session as soon as it is known how the client speaks."""
        assert self._decoder is not None
        if self._decoder.mode is StreamMode.FRAMES:
            self._decoder = None
            self.framer = FRAMES
            self.write(PREFACE)
        elif self._decoder.mode is StreamMode.UNDECIDED:
            return
        self.session = self._hub.connect(self, self._peer)

    def _feed(self, data: bytes | None) -> None:
        """Let the decoder read; None is the end of the input."""
        decoder, fault = self._decoder, None
        assert decoder is not None
        try:
            messages = decoder.finish() if data is None else decoder.feed(data)
        except SwarmwireError as error:
            messages, fault = error.details, error
        for message in messages:
            if self.session is not None:
                self.session.receive(message)
        if fault is not None:
            fault.details = None
            is_large = fault.code is ErrorCode.MESSAGE_TOO_LARGE
            self.refuse(fault, CloseCode.TOO_BIG if is_large else CloseCode.INVALID_DATA)

    # ---- what is wrong, and what ends

    def refuse(self, error: SwarmwireError, code: CloseCode) -> None:
        """Say what is wrong, and end."""
        if self.session is not None:
            self.session.fail(error, code)
        elif not self._closing:
            self._hub.stats.error(error.code)
            self._hub.stats.refused_connections += 1
            self.write(error_line(error))
            self.close(code, error.message, self._close_timeout)

    def _out_of_time(self) -> None:
        self._deadline = None
        self.refuse(SwarmwireError(ErrorCode.NOT_AUTHENTICATED, "No hello came in time."), CloseCode.HELLO_TIMEOUT)

    def _end_of_input(self) -> None:
        if self._decoder is not None:
            self._feed(None)
        elif self._rest:
            sentence = f"The input ends in a frame: expected {self._wanted} bytes of it or more, got {len(self._rest)}."
            self._break(sentence, CloseCode.PROTOCOL_ERROR)
        if self._closing:
            return
        if self.session is None:
            self._transport.close()  # who only looked whether somebody is here
        else:
            self._patience = self._hub.limits.drain_timeout_ms / 1000
            self._wait_for_answers(0.0)

    def _wait_for_answers(self, waited: float) -> None:
        """Close when all that the client asked is answered: a log on disk, or a hook, may take its time."""
        assert self.session is not None
        self._timer = None
        self._patience -= waited
        self._delivery.flush()  # what it published itself is for it too
        if is_hung_up(self._transport):
            self.session.hang_up()
        if self.session.is_settled or self._patience <= 0:
            self.session.close(CloseCode.NORMAL, "The input has ended.")
        else:
            again = min(max(_FIRST_LOOK, 2 * waited), _SELDOM)
            self._timer = asyncio.get_running_loop().call_later(again, self._wait_for_answers, again)

    def _stop_timers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
        if not self._closing:
            self._is_queued = True
            self._transport.write(block)

    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        if not self._reading_paused and not self._ended and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def raise_limit(self, max_message_bytes: int) -> None:
        self._welcomed = True
        self._limit = max_message_bytes
        if self._decoder is not None:
            self._decoder.max_bytes = max_message_bytes
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def close(self, code: int, reason: str, timeout: float) -> None:
        """End what the client reads, then wait for its own end, so that nothing it still sends cuts our last words.

        A stream has no close frame: `bye` has told code and reason.
        """
        if self._closing:
            return
        self._closing = True
        self._descriptor = -1
        self._rest.clear()
        self._stop_timers()
        self._timer = asyncio.get_running_loop().call_later(timeout, self._give_up)
        self.resume_reading()
        if self._ended or not self._transport.can_write_eof():
            self._transport.close()
        else:
            self._transport.write_eof()

    def _give_up(self) -> None:
        """The client neither closes nor reads."""
        self._timer = None
        if self.buffered():
            self._transport.abort()
        else:
            self._transport.close()
