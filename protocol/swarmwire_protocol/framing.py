"""Messages on a stream of bytes, as Unix sockets and pipes carry them: cut apart here, but not read.

Two ways, told apart by the first byte: frames (the preface, then for each message its length as a 32-bit
big-endian number and its bytes), or one JSON message a line, for scripts.
"""

from __future__ import annotations

from enum import Enum
from typing import NoReturn

from .errors import ErrorCode, SwarmwireError

__all__ = ["PREFACE", "StreamDecoder", "StreamMode", "encode_frame"]

PREFACE = b"SWARM/1\n"
"""What a stream of frames begins with, in both directions."""

_LENGTH_BYTES = 4
_BLANK = b" \t\r"


class StreamMode(Enum):
    """How a stream carries its messages: undecided until the whole preface, or the `{` of a line, came."""

    UNDECIDED = "undecided"
    FRAMES = "frames"
    LINES = "lines"


def encode_frame(payload: bytes) -> bytes:
    """The frame for one message; the preface is not part of it.

    Raises INVALID_MESSAGE for an empty payload, and OverflowError for one of 4 GiB or more.
    """
    if not payload:
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "A frame carries at least one byte; this payload is empty.")
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


class StreamDecoder:
    """Cuts what one peer sends into messages, however it was split on the way.

    Keeps at most one unfinished message, never more of it than `max_bytes` (and the CR of its line). The
    first error closes the decoder: the bytes behind it mean nothing any more, and every later call raises it
    again.

    Attributes:
        max_bytes: the longest message, in bytes, without length or line end; exactly this many pass. It may
            be changed between calls; a frame whose length was accepted before is not asked again.
        mode: how the peer has chosen to speak.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.mode = StreamMode.UNDECIDED
        self._partial = bytearray()  # of the preface, a length, a frame or a line
        self._frame_bytes: int | None = None  # None while the length itself is awaited
        self._fault: tuple[ErrorCode, str] | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; returns the messages that are now complete, valid UTF-8 and not empty.

        Raises INVALID_MESSAGE for a wrong preface, an empty frame and invalid UTF-8, MESSAGE_TOO_LARGE for a
        frame or line over `max_bytes`, each as soon as it can be known. The messages that the same call
        completed before the error are in its `details`, a list, and handed over once: raised again, the error
        has an empty one.
        """
        self._raise_fault()
        messages: list[bytes] = []
        at = 0
        try:
            while at < len(data):
                at = self._read(data, at, messages)
        except SwarmwireError as error:
            self._close(error, messages)
            raise
        return messages

    def finish(self) -> list[bytes]:
        """Take the end of the input; returns the last line if it lacks its line end, else nothing.

        Raises INVALID_MESSAGE if the input ends inside the preface or a frame; `details` is an empty list.
        """
        self._raise_fault()
        messages: list[bytes] = []
        try:
            self._end(messages)
        except SwarmwireError as error:
            self._close(error, messages)
            raise
        return messages

    def _read(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """Read one piece of `data` from `at` on; returns where the next begins."""
        match self.mode:
            case StreamMode.UNDECIDED:
                return self._read_preface(data, at)
            case StreamMode.FRAMES:
                return self._read_frame(data, at, messages)
            case StreamMode.LINES:
                return self._read_line(data, at, messages)

    def _read_preface(self, data: bytes, at: int) -> int:
        if not self._partial and data.startswith(b"{", at):
            self.mode = StreamMode.LINES
            return at
        at = self._take(data, at, len(PREFACE))
        if not PREFACE.startswith(self._partial):
            _refuse(f"A stream begins with {PREFACE.decode()!a} or a JSON object; this one with neither.")
        if len(self._partial) == len(PREFACE):
            self._partial.clear()
            self.mode = StreamMode.FRAMES
        return at

    def _read_frame(self, data: bytes, at: int, messages: list[bytes]) -> int:
        size = _LENGTH_BYTES if self._frame_bytes is None else self._frame_bytes
        at = self._take(data, at, size)
        if len(self._partial) < size:
            return at
        whole = self._taken()
        if self._frame_bytes is None:
            self._frame_bytes = self._checked_length(int.from_bytes(whole, "big"))
        else:
            self._frame_bytes = None
            messages.append(_checked_text(whole))
        return at

    def _read_line(self, data: bytes, at: int, messages: list[bytes]) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end
        self._check_line(data, at, stop)
        self._partial += data[at:stop]
        if end < 0:
            return stop
        self._end_line(messages)
        return end + 1

    def _check_line(self, data: bytes, at: int, stop: int) -> None:
        size = len(self._partial) + stop - at
        if size > self.max_bytes:
            last = data[stop - 1 : stop] if stop > at else self._partial[-1:]
            # A CR does not count while it may be half of the line end.
            if size > self.max_bytes + 1 or last != b"\r":
                self._refuse_size(f"a line of {size} bytes or more")

    def _end_line(self, messages: list[bytes]) -> None:
        line = self._taken().removesuffix(b"\r")
        if line.strip(_BLANK):
            messages.append(_checked_text(line))

    def _end(self, messages: list[bytes]) -> None:
        match self.mode:
            case StreamMode.LINES:
                self._end_line(messages)
            case StreamMode.UNDECIDED if self._partial:
                _refuse(f"The input ends in the preface, after {len(self._partial)} of {len(PREFACE)} bytes.")
            case StreamMode.FRAMES if self._partial or self._frame_bytes is not None:
                size = _LENGTH_BYTES if self._frame_bytes is None else self._frame_bytes
                what = "length" if self._frame_bytes is None else "payload"
                _refuse(f"The input ends in a frame, after {len(self._partial)} of {size} bytes of its {what}.")

    def _take(self, data: bytes, at: int, size: int) -> int:
        """Move bytes into the partial piece until it has `size` of them."""
        end = min(len(data), at + size - len(self._partial))
        self._partial += data[at:end]
        return end

    def _taken(self) -> bytes:
        whole = bytes(self._partial)
        self._partial.clear()
        return whole

    def _checked_length(self, length: int) -> int:
        if not length:
            _refuse("A frame carries at least one byte; this one has the length 0.")
        if length > self.max_bytes:
            self._refuse_size(f"a frame of {length} bytes")
        return length

    def _refuse_size(self, what: str) -> NoReturn:
        raise SwarmwireError(
            ErrorCode.MESSAGE_TOO_LARGE, f"A message has at most {self.max_bytes} bytes; this is {what}."
        )

    def _close(self, error: SwarmwireError, messages: list[bytes]) -> None:
        error.details = messages
        self._fault = (error.code, error.message)
        self._partial.clear()

    def _raise_fault(self) -> None:
        if self._fault is not None:
            code, sentence = self._fault
            raise SwarmwireError(code, sentence, details=[])


def _checked_text(message: bytes) -> bytes:
    if not message.isascii():
        try:
            message.decode()
        except UnicodeDecodeError as error:
            _refuse(f"A message is valid UTF-8; the byte at offset {error.start} of this one is not.")
    return message


def _refuse(sentence: str) -> NoReturn:
    raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence)
