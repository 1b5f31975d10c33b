"""Between the bytes of a WebSocket and messages.

What makes up nearly all traffic, a whole unfragmented text from the broker, is cut out of the bytes here. Every other
frame goes through the protocol core of the `websockets` library, which answers pings and closes by itself.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final, NamedTuple

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without a compiler
    from websockets.utils import apply_mask

__all__ = ["FrameReader", "masked_texts"]

_WHOLE_TEXT: Final = 0x81
_MEDIUM: Final = 126
"""The second byte of a frame, from which on it is not just the length of a payload without a mask."""


class _Head(NamedTuple):
    """Where the payload of a frame begins and ends in the bytes at hand."""

    start: int
    end: int


class FrameReader:
    """Cuts messages out of bytes that come in pieces of any size. `core` must be open, and be given nothing else.

    Messages over `limit` bytes break the connection. After each `read`, `core` may have something to send, and it is
    not open any more if the connection is at its end.
    """

    def __init__(self, core: ClientProtocol, limit: int) -> None:
        self._core = core
        self._limit = limit
        self._buffer = bytearray()
        self._needed = 0
        self._fragments: list[bytes] | None = None

    def read(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete, in order."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        messages: list[bytes] = []
        self._buffer += data[self._cut(data, messages) :]
        return messages

    def _cut(self, data: bytes, messages: list[bytes]) -> int:
        """Take all whole frames out of the bytes; returns where the rest begins."""
        position, size, self._needed = 0, len(data), 0
        while size - position >= 2 and self._core.state is OPEN:
            second = data[position + 1]
            if second < _MEDIUM:  # as of most that comes: an acknowledgement, say
                start = position + 2
                end = start + second
            else:
                head = _head(data, position)
                if head is None:
                    break
                start, end = head
            if end - start > self._limit:
                self._uncommon(data[position:start], messages)
                return size
            if end > size:
                self._needed = end - position
                break
            if data[position] == _WHOLE_TEXT and second < 0x80 and self._fragments is None:
                messages.append(data[start:end])
            else:
                self._uncommon(data[position:end], messages)
            position = end
        return position

    def _uncommon(self, frame: bytes, messages: list[bytes]) -> None:
        self._core.receive_data(frame)
        for event in self._core.events_received():
            if isinstance(event, Frame):
                self._join(event, messages)

    def _join(self, frame: Frame, messages: list[bytes]) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._fragments = [bytes(frame.data)]
            case Opcode.CONT if self._fragments is not None:
                self._fragments.append(bytes(frame.data))
            case _:
                return
        if frame.fin:
            messages.append(b"".join(self._fragments))
            self._fragments = None


_SHORT: Final = [bytes((_WHOLE_TEXT, 0x80 | size)) for size in range(126)]
_medium: Final = Struct("!BBH").pack
_long: Final = Struct("!BBQ").pack


def masked_texts(payloads: list[bytes]) -> bytes:
    """Each payload as a WebSocket text frame of a client, in one piece; every frame has a mask of its own."""
    masks = os.urandom(4 * len(payloads))
    pieces: list[bytes] = []
    at = 0
    for payload in payloads:
        size = len(payload)
        mask = masks[at : at + 4]
        at += 4
        if size < 126:
            head = _SHORT[size]
        else:
            head = _medium(_WHOLE_TEXT, 0xFE, size) if size < 65_536 else _long(_WHOLE_TEXT, 0xFF, size)
        pieces += (head, mask, apply_mask(payload, mask))
    return b"".join(pieces)


def _head(data: bytes, position: int) -> _Head | None:
    """Where the frame at this position has its payload; None while its head is not complete."""
    second = data[position + 1]
    start, length = position + 2, second & 0x7F
    if length >= 126:
        start += 2 if length == 126 else 8
        if len(data) < start:
            return None
        length = int.from_bytes(data[position + 2 : start], "big")
    if second >= 0x80:
        start += 4
    return _Head(start, start + length)
