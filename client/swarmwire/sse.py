"""Reading a stream of server-sent events."""

from __future__ import annotations

from typing import NamedTuple

from .errors import ErrorCode, SwarmwireError

__all__ = ["Frame", "FrameReader"]


class Frame(NamedTuple):
    """One frame: its name (none of an ordinary event), its data, and the place it tells, as far as it has them."""

    event: str = ""
    data: bytes = b""
    id: str | None = None


class FrameReader:
    """Cuts frames out of bytes that come in pieces of any size. Lines end in LF or CRLF, comments are left out.

    A frame has at most `limit` bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._size = 0

    def read(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete.

        Raises:
            SwarmwireError: MESSAGE_TOO_LARGE.
        """
        end = data.rfind(b"\n")
        if end < 0:
            self._rest += data
            self._check()
            return []
        whole = bytes(self._rest) + data[:end]
        self._rest.clear()
        frames = [frame for line in whole.split(b"\n") if (frame := self._line(line.removesuffix(b"\r"))) is not None]
        self._rest += data[end + 1 :]
        self._check()
        return frames

    def _line(self, line: bytes) -> Frame | None:
        if not line:
            lines, self._lines, self._size = self._lines, [], 0
            return _frame(lines) if lines else None
        if not line.startswith(b":"):
            self._lines.append(line)
            self._size += len(line)
            self._check()
        return None

    def _check(self) -> None:
        if self._size + len(self._rest) > self._limit:
            raise SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, f"A frame of events has at most {self._limit} bytes.")


def _frame(lines: list[bytes]) -> Frame:
    event, place, data = "", None, list[bytes]()
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"id":
            place = value.decode(errors="replace")
        elif name == b"event":
            event = value.decode(errors="replace")
    return Frame(event, b"\n".join(data), place)
