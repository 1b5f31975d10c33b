"""A stream of bytes, such as a Unix socket or a pair of pipes, as a connection of frames: a length, then a message.

Both sides begin with the preface. A broker that refuses before it has read ours says so in a line of JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from struct import Struct
from typing import Final, TypeAlias

from swarmwire_protocol.accelerators import join_prefixed
from swarmwire_protocol.errors import CloseCode
from swarmwire_protocol.framing import PREFACE, StreamDecoder

from .carrier import MAX_RECEIVED_BYTES, Carrier
from .errors import ErrorCode, SwarmwireError

__all__ = ["OpenStream", "StreamConnection", "StreamReader"]

OpenStream: TypeAlias = Callable[[Callable[[], asyncio.Protocol]], Awaitable[object]]
"""Connects a transport to the protocol that it is given a maker of; raises SwarmwireError where it cannot."""

_LENGTH: Final = Struct("!I")
_LENGTH_BYTES: Final = 4


class StreamReader:
    """Cuts messages out of bytes that come in pieces of any size.

    It does for the frames of a broker what `StreamDecoder` does for both ways and both sides, in a fraction of the
    time: a broker's messages are read by a JSON decoder anyway, which sees what is not UTF-8.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begun = False
        self._lines: StreamDecoder | None = None
        self._rest = bytearray()
        self._needed = len(PREFACE)

    def read(self, data: bytes, messages: list[bytes]) -> None:
        """Append the messages that these bytes complete.

        Raises:
            SwarmwireError: INVALID_MESSAGE or MESSAGE_TOO_LARGE, after what came before it was appended; nothing may
                be read then any more.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        position = 0
        if not self._begun:
            if self._lines is not None or data.startswith(b"{"):
                self._read_lines(data, messages)
                return
            position = self._read_preface(data)
        if self._begun:
            position = self._cut(data, position, messages)
        self._rest += data[position:] if position else data

    def _read_lines(self, data: bytes, messages: list[bytes]) -> None:
        if self._lines is None:
            self._lines = StreamDecoder(self._limit)
        messages += self._lines.feed(data)

    def _read_preface(self, data: bytes) -> int:
        if data.startswith(PREFACE):
            self._begun = True
            return len(PREFACE)
        if not PREFACE.startswith(data):
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "The other side does not begin as a Swarmwire broker does.")
        return 0

    def _cut(self, data: bytes, position: int, messages: list[bytes]) -> int:
        """Take all whole frames; returns where the rest begins."""
        size, limit, unpack = len(data), self._limit, _LENGTH.unpack_from
        self._needed = _LENGTH_BYTES
        while size - position >= _LENGTH_BYTES:
            (length,) = unpack(data, position)
            if not 0 < length <= limit:
                raise _bad_length(length, limit)
            start = position + _LENGTH_BYTES
            if start + length > size:
                self._needed = _LENGTH_BYTES + length
                break
            position = start + length
            messages.append(data[start:position])
        return position


class StreamConnection(Carrier):
    """One stream's life. `connect` makes its transport; see `Connection` for what its methods promise."""

    def __init__(self, connect: OpenStream) -> None:
        super().__init__()
        self._connect = connect
        self._frames = StreamReader(MAX_RECEIVED_BYTES)
        self._greeting = PREFACE

    async def open(self) -> None:
        self._begin()
        await self._connect(lambda: self)

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        if self._closed is not None:
            return
        messages: list[bytes] = []
        try:
            self._frames.read(data, messages)
        except SwarmwireError as error:
            self._deliver(messages)
            too_big = error.code is ErrorCode.MESSAGE_TOO_LARGE
            self._end(CloseCode.TOO_BIG if too_big else CloseCode.PROTOCOL_ERROR, error.message)
            self._transport.abort()
            return
        self._deliver(messages)

    def _outgoing(self) -> bytes:
        frames = join_prefixed(self._payloads) if self._payloads else b""
        self._payloads.clear()
        if self._greeting:
            frames, self._greeting = self._greeting + frames, b""
        return frames

    def _say_close(self, code: int, reason: str) -> None:
        self._flush()
        self._transport.close()  # what was written still goes out first


def _bad_length(length: int, limit: int) -> SwarmwireError:
    if not length:
        return SwarmwireError(
            ErrorCode.INVALID_MESSAGE, "A frame carries at least one byte; this one has the length 0."
        )
    return SwarmwireError(
        ErrorCode.MESSAGE_TOO_LARGE, f"A message has at most {limit} bytes; this is a frame of {length}."
    )
