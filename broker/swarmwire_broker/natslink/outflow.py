"""What goes to the server: gathered, and written once a turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from .errors import LinkDown, LinkFull, PayloadTooLarge

__all__ = ["Outflow", "Publish"]

_LARGE = 128 * 1024  # gathered bytes that wait for no end of a turn


class Publish(Protocol):
    """Sends a message; it is written with others of this turn of the loop, and nothing is kept over a reconnect.

    Raises, and has sent nothing: LinkDown without a connection, LinkFull when too much waits for the socket,
    PayloadTooLarge for what the server would not take. `headers` is what `encode_headers` makes. Subjects are taken as
    they are: whoever calls answers for it that they hold no space and no line break.
    """

    def __call__(self, subject: bytes, payload: bytes, *, reply: bytes = b"", headers: bytes = b"") -> None: ...


class Outflow:
    """Writes to the connection there is now; without one every publish is LinkDown and nothing is kept.

    Arguments:
        call_soon: runs a function at the next turn of the loop.
        most: bytes that may wait while the socket takes none; beyond them a publish is LinkFull.
    """

    def __init__(self, call_soon: Callable[[Callable[[], None]], object], most: int) -> None:
        self._call_soon = call_soon
        self._most = most
        self._transport: asyncio.WriteTransport | None = None
        self._max_payload = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._scheduled = False
        self.congested = False

    def attach(self, transport: asyncio.WriteTransport, max_payload: int) -> None:
        """Write to this transport from now on; what was gathered for another is gone."""
        self.detach()
        self._transport = transport
        self._max_payload = max_payload

    def detach(self) -> None:
        """There is no connection any more."""
        self._transport = None
        self._pieces.clear()
        self._size = 0
        self.congested = False

    def set_max_payload(self, most: int) -> None:
        """The server takes messages of this size, bytes."""
        self._max_payload = most

    def publish(self, subject: bytes, payload: bytes, reply: bytes = b"", headers: bytes = b"") -> None:
        """See `Publish`."""
        size = len(payload)
        if headers:
            begins = len(headers)
            size += begins
            if reply:
                piece = b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject, reply, begins, size, headers, payload)
            else:
                piece = b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, begins, size, headers, payload)
        elif reply:
            piece = b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, size, payload)
        else:
            piece = b"PUB %b %d\r\n%b\r\n" % (subject, size, payload)
        if self._transport is None:
            raise LinkDown("there is no connection to NATS now")
        if size > self._max_payload:
            raise PayloadTooLarge(size, self._max_payload)
        if self.congested and self.buffered + len(piece) > self._most:
            raise LinkFull(f"more than {self._most} bytes wait for NATS to take them")
        self._pieces.append(piece)
        self._size += len(piece)
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self.flush)
        elif self._size > _LARGE:
            self.flush()

    def control(self, line: bytes) -> None:
        """Send a line of the protocol, in order with what is published. It is dropped where there is no connection."""
        if self._transport is None:
            return
        self._pieces.append(line)
        self._size += len(line)
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self.flush)

    def flush(self) -> None:
        """Give all that is gathered to the socket now."""
        self._scheduled = False
        if self._pieces and self._transport is not None:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self._transport.write(data)

    @property
    def buffered(self) -> int:
        """Bytes that the socket has not taken."""
        return self._size + (self._transport.get_write_buffer_size() if self._transport is not None else 0)
