"""Cuts what a NATS server sends into messages, and hands each to who subscribed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from .errors import WireProblem

__all__ = ["Parser", "Receive", "MAX_LINE", "MAX_MESSAGE"]

log = logging.getLogger("swarmwire.broker.nats")

Receive = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes subject, reply subject (empty: none), headers (empty: none, else the raw block) and payload."""

MAX_LINE = 256 * 1024
"""The longest line, bytes: that of a server that tells of a thousand others."""

MAX_MESSAGE = 64 * 1024 * 1024 + MAX_LINE
"""The largest headers and payload together, bytes; no server can be told to take more."""

_LETTER_H = 72
_LETTER_M = 77
_RETURN = 13
_NEWLINE = 10


class Parser:
    """Takes the bytes of one connection in any pieces.

    Arguments:
        receivers: who takes the messages, by the number of the subscription; messages of others are passed over.
        control: called with every line that is no message: `INFO {...}`, `PING`, `PONG`, `+OK`, `-ERR '...'`.
        most: the largest message that may come, bytes; a larger one is a WireProblem as soon as it is announced.
    """

    def __init__(
        self, receivers: Mapping[bytes, Receive], control: Callable[[bytes], None], most: int = MAX_MESSAGE
    ) -> None:
        self._receivers = receivers
        self._control = control
        self._most = most
        self._held = bytearray()  # the beginning of a message whose end has not come
        self._needed = 0

    @property
    def is_empty(self) -> bool:
        """Whether all that came was whole, and is handed out."""
        return not self._held

    def feed(self, data: bytes) -> None:
        """Hand out all that is whole with these bytes. WireProblem: the connection is of no use any more."""
        if self._needed:
            self._held += data
            if len(self._held) < self._needed:
                return
            data = bytes(self._held)
            self._held.clear()
            self._needed = 0
        done = self._hand_out(data)
        if done < len(data):
            self._held += data[done:]

    def _hand_out(self, data: bytes) -> int:
        """How many of the bytes are done with; `_needed` says how many there must be from there to go on."""
        place = 0
        size = len(data)
        while place < size:
            line = data.find(b"\r\n", place)
            if line < 0:
                if size - place > MAX_LINE:
                    raise WireProblem(f"NATS sent a line of more than {MAX_LINE} bytes")
                self._needed = size - place + 1
                return place
            letter = data[place]
            if letter != _LETTER_M and letter != _LETTER_H:
                self._control_line(data[place:line])
                place = line + 2
                continue
            try:
                fields = data[place:line].split(b" ")
                count = len(fields)
                length = int(fields[count - 1])
                if letter == _LETTER_M:
                    begins = 0
                    is_message = fields[0] == b"MSG"
                else:
                    count -= 1
                    begins = int(fields[count - 1])
                    is_message = fields[0] == b"HMSG"
            except (ValueError, OverflowError):
                raise _junk(data[place:line]) from None
            if not is_message or count < 4 or count > 5 or begins < 0 or length < begins:
                raise _junk(data[place:line])
            if length > self._most:
                raise WireProblem(f"NATS announced a message of {length} bytes, and at most {self._most} may come")
            start = line + 2
            end = start + length
            if end + 2 > size:
                self._needed = end + 2 - place
                return place
            if data[end] != _RETURN or data[end + 1] != _NEWLINE:
                raise _junk(data[place:line])
            place = end + 2
            receive = self._receivers.get(fields[2])
            if receive is None:
                continue
            reply = b"" if count == 4 else fields[3]
            try:
                if begins:
                    receive(fields[1], reply, data[start : start + begins], data[start + begins : end])
                else:
                    receive(fields[1], reply, b"", data[start:end])
            except Exception:
                log.exception("a receiver of messages of NATS failed")
        return place

    def _control_line(self, line: bytes) -> None:
        if not line.startswith((b"PING", b"PONG", b"INFO ", b"-ERR", b"+OK")):
            raise _junk(line)
        self._control(line)


def _junk(line: bytes) -> WireProblem:
    return WireProblem(f"the peer does not speak NATS: it sent {line[:32]!r}")
