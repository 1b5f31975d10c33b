"""What carries messages over an asyncio transport: those that come are handed over in batches, those that go are
written together. How a message looks on the wire is left to the kinds of carrier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from .incoming import HIGH_WATER, Incoming
from .loss import ABNORMAL

__all__ = ["CLOSE_TIMEOUT", "MAX_RECEIVED_BYTES", "Carrier"]

CLOSE_TIMEOUT: Final = 2.0
"""Seconds a closing connection gets for its last bytes; then it is cut."""

MAX_RECEIVED_BYTES: Final = 64 * 1024 * 1024
"""The largest message taken from a broker."""

_FLUSH_BYTES: Final = 8 * 1024  # that are written before the turn of the loop is over


class Carrier(Incoming, asyncio.Protocol):
    """One connection's life, but for its opening; see `Connection` for what its methods promise.

    A kind of carrier opens it, cuts what `data_received` brings into messages for `_deliver`, and says in
    `_outgoing` how `_payloads` look on the wire.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_writable: Callable[[], None] = _nothing
        self._payloads: list[bytes] = []
        self._unflushed = 0
        self._flush_at = _FLUSH_BYTES
        self._flushing = False
        self._paused = False
        self._over: asyncio.Future[None] | None = None

    # ---- For the SDK

    @property
    def writable(self) -> bool:
        return not self._paused and self._unflushed < HIGH_WATER

    def send(self, payload: bytes) -> None:
        if self._closed is not None:
            return
        self._payloads.append(payload)
        self._unflushed += len(payload)
        if not self._flushing:
            # What is sent in this turn of the loop leaves in one write, but for large amounts.
            self._flushing = True
            self._loop.call_soon(self._flush)
        elif self._unflushed >= self._flush_at and not self._paused:
            # The broker may begin with these while the rest of the turn goes on.
            self._flush_at += _FLUSH_BYTES
            self._write_out()

    async def close(self, code: int, reason: str) -> None:
        if self._over is None or self._over.done():
            return
        self._say_close(code, reason)
        self._end(code, reason)  # what still comes is not looked at, but it must not block the end
        self._transport.resume_reading()
        await asyncio.wait([self._over], timeout=CLOSE_TIMEOUT)
        self.abort()

    def abort(self) -> None:
        self._end(ABNORMAL, "")
        self._transport.abort()

    # ---- For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ABNORMAL, "The connection was cut." if error is None else str(error))
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.on_writable()

    # ---- For the kinds of carrier

    def _begin(self) -> None:
        """The connection is about to be made, on the loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()

    def _outgoing(self) -> bytes:
        """What is to be written now; `_payloads` is empty then."""
        raise NotImplementedError

    def _say_close(self, code: int, reason: str) -> None:
        """Write what is left, and bring about the end of the connection."""
        raise NotImplementedError

    def _hold(self) -> None:
        self._transport.pause_reading()

    def _go_on(self) -> None:
        self._transport.resume_reading()

    def _flush(self) -> None:
        self._flushing = False
        self._unflushed = 0
        self._flush_at = _FLUSH_BYTES
        self._write_out()
        if not self._paused:
            self.on_writable()

    def _write_out(self) -> None:
        data = self._outgoing()
        if data and not self._transport.is_closing():
            self._transport.write(data)
            self.spoke = self._loop.time()


def _nothing() -> None:
    """Until someone wants to know."""
