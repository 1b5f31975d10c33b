"""One transport out of two: the reading end of one pipe and the writing end of another.

It does nothing itself but hand on, so the event loop's transports, its timer and the protocol come from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

__all__ = ["PipePair", "ReadingEnd", "StreamProtocol", "WritingEnd"]

_LAST_WORDS: Final = 0.5
"""Seconds to read what a peer has written before it stopped reading; one that is dead has ended by then."""


class StreamProtocol(Protocol):
    """What a pair asks of its protocol (the streaming one of asyncio, without the beginning)."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> bool | None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class PipePair:
    """A transport. Connect `writing` first, then give it a protocol, then connect `reading`.

    It is over when both pipes are: then `connection_lost` is called, once. A peer that closes what it writes
    to has said its last; one that closes what it reads from is read to its end, for half a second at most.

    Arguments:
        later: calls a function after so many seconds, unless what it returns is cancelled.
        extra: what `get_extra_info` knows.
    """

    def __init__(
        self, later: Callable[[float, Callable[[], object]], Any], extra: Mapping[str, Any] | None = None
    ) -> None:
        self.reading = ReadingEnd(self)
        self.writing = WritingEnd(self)
        self._later = later
        self._extra = extra or {}
        self._protocol: StreamProtocol | None = None
        self._reader: Any = None
        self._writer: Any = None
        self._reader_over = False
        self._writer_over = False
        self._paused = False
        self._said_all = False
        self._closing = False
        self._over = False
        self._fault: Exception | None = None
        self._timer: Any = None

    # ---- the transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._extra.get(name, default)

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not (self._paused or self._closing or self._reader_over)

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            if self._can_read():
                self._reader.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if self._can_read():
                self._reader.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if self._can_write():
            self._writer.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        return 0 if self._writer_over or self._writer is None else int(self._writer.get_write_buffer_size())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Write what is kept and say that nothing follows; the peer may go on."""
        if self._can_write():
            self._said_all = True
            self._writer.close()

    def write(self, data: bytes) -> None:
        """Write, or keep until there is room; once closed, or when the peer reads no more, it does nothing."""
        if self._can_write():
            self._writer.write(data)

    def close(self) -> None:
        """Read no more, write what is kept, and end."""
        if not self._closing:
            self._closing = True
            self._end_reading()
            if self._writer is not None and not self._writer_over:
                self._writer.close()

    def abort(self) -> None:
        """End at once; what is kept is not written. Harmless twice."""
        self._closing = True
        self._end_reading()
        if self._writer is None:
            self._writer_over = True
        # A writer that closes and has nothing left ends by itself, and would take it amiss to be told twice.
        elif not self._writer_over and (self._writer.get_write_buffer_size() or not self._writer.is_closing()):
            self._writer.abort()
        self._end_if_over()

    # ---- for the two ends

    def reader_made(self, reader: Any) -> None:
        self._reader = reader
        if self._closing:
            reader.close()
        elif self._paused:
            reader.pause_reading()

    def writer_made(self, writer: Any) -> None:
        self._writer = writer
        if self._closing:
            writer.abort()

    def received(self, data: bytes) -> None:
        if not self._closing and self._protocol is not None:
            self._protocol.data_received(data)

    def eof(self) -> None:
        if not self._closing and (self._protocol is None or not self._protocol.eof_received()):
            self.close()

    def reader_lost(self, error: Exception | None) -> None:
        self._reader_over = True
        self._fault = self._fault or error
        if error is not None or self._writer_over:
            self.abort()
        self._end_if_over()

    def writer_lost(self, error: Exception | None) -> None:
        self._writer_over = True
        self._fault = self._fault or error
        if not self._closing and not self._reader_over and not self._said_all:
            self._timer = self._later(_LAST_WORDS, self.abort)
        self._end_if_over()

    def room(self, is_there: bool) -> None:
        """The writer takes more, or no more for now."""
        if self._protocol is not None and not self._over:
            if is_there:
                self._protocol.resume_writing()
            else:
                self._protocol.pause_writing()

    # ---- inside

    def _can_read(self) -> bool:
        return self._reader is not None and not self._closing and not self._reader_over

    def _can_write(self) -> bool:
        if self._writer is None or self._writer_over or self._closing:
            return False
        return not self._writer.is_closing()

    def _end_reading(self) -> None:
        if self._reader is None:
            self._reader_over = True
        elif not self._reader_over:
            self._reader.close()

    def _end_if_over(self) -> None:
        if self._over or not (self._reader_over and self._writer_over):
            return
        self._over = self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._reader = self._writer = None
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(self._fault)


class ReadingEnd:
    """The protocol for the event loop's reading transport of a pair."""

    def __init__(self, pair: PipePair) -> None:
        self._pair = pair

    def connection_made(self, transport: Any) -> None:
        self._pair.reader_made(transport)

    def data_received(self, data: bytes) -> None:
        self._pair.received(data)

    def eof_received(self) -> None:
        self._pair.eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pair.reader_lost(exc)


class WritingEnd:
    """The protocol for the event loop's writing transport of a pair."""

    def __init__(self, pair: PipePair) -> None:
        self._pair = pair

    def connection_made(self, transport: Any) -> None:
        self._pair.writer_made(transport)

    def pause_writing(self) -> None:
        self._pair.room(False)

    def resume_writing(self) -> None:
        self._pair.room(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pair.writer_lost(exc)
