"""Server-sent events: what a session says, as frames of a stream."""

from __future__ import annotations

import re
from typing import Final

from swarmwire_protocol.codec import decode_from_broker, encode
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import Bye, Error, Event, Gap, Live, Ping, Position

from .errors import Problem

__all__ = ["HEARTBEAT", "RETRY_MS", "Frames", "frame"]

RETRY_MS: Final = 2_000
"""The advice to a client whose stream was cut: come back after so long."""

HEARTBEAT: Final = b":\n\n"

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


def frame(
    data: bytes | None = None, *, event: str | None = None, cursor: str | None = None, retry_ms: int | None = None
) -> bytes:
    """One frame. Whatever `data` holds, it cannot end the frame or add a field to it; the others are the broker's own
    words.
    """
    lines = []
    if retry_ms is not None:
        lines.append(b"retry: %d\n" % retry_ms)
    if cursor is not None:
        lines.append(b"id: %b\n" % cursor.encode())
    if event is not None:
        lines.append(b"event: %b\n" % event.encode())
    if data is not None:
        parts = _LINE_END.split(data) if b"\n" in data or b"\r" in data else (data,)
        lines.extend(b"data: %b\n" % part for part in parts)
    return b"%b\n" % b"".join(lines)


class Frames:
    """The frames of one stream. It knows the epoch that was told last, and whether events have a place yet."""

    def __init__(self, cursor: str | None, *, is_placed: bool) -> None:
        self._epoch = Cursor.parse(cursor).epoch if cursor is not None else ""
        self._is_placed = is_placed
        self._failure: Error | None = None
        self.first = frame(cursor=cursor if is_placed else None, retry_ms=RETRY_MS)

    def of(self, payload: bytes) -> bytes:
        """A message as a frame; nothing for one that is not for the client."""
        match decode_from_broker(payload):
            case Event(seq=seq):
                return frame(payload, cursor=f"{self._epoch}:{seq}" if seq is not None and self._is_placed else None)
            case Position(cursor=cursor):
                return frame(cursor=self._moved(cursor))
            case Live(cursor=cursor):
                return frame(encode({"type": "live", "cursor": cursor}), event="live", cursor=self._moved(cursor))
            case Gap() as gap:
                return self._gap(gap, payload)
            case Ping():
                return HEARTBEAT
            case Error(id=None) as error:
                self._failure = error
            case Bye() as bye:
                return self._bye(bye)
        return b""

    def _moved(self, cursor: str) -> str:
        self._is_placed = True
        self._epoch = Cursor.parse(cursor).epoch
        return cursor

    def _gap(self, gap: Gap, payload: bytes) -> bytes:
        # What is denied is one pattern of several, and tells nothing of the place of the others.
        tells = self._is_placed and gap.reason != "denied"
        return frame(payload, event="gap", cursor=self._moved(gap.to) if tells else None)

    def _bye(self, bye: Bye) -> bytes:
        said: dict[str, object] = {"type": "bye", "code": bye.code, "reason": bye.reason}
        if bye.reconnect_after_ms is not None:
            said["reconnect_after_ms"] = bye.reconnect_after_ms
        if self._failure is not None:
            said["error"] = Problem.of_message(self._failure)
        return frame(encode(said), event="bye", retry_ms=bye.reconnect_after_ms)
