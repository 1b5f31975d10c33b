"""The headers of a NATS message: a raw block, looked into only where somebody wants to know."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["encode_headers", "status_of", "header"]

_BEGIN = b"NATS/1.0"


def encode_headers(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The block for these names and values; ValueError where one could be read as a line of its own."""
    lines = [_BEGIN]
    for name, value in pairs:
        if not name or b":" in name or _breaks(name) or _breaks(value):
            raise ValueError("a header must have a name without a colon, and no line break in name or value")
        lines.append(b"%b: %b" % (name, value))
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def status_of(headers: bytes) -> int:
    """The status in the first line (503: nobody listens, 100: a heartbeat), 0 where there is none."""
    digits = headers[9:12]
    return int(digits) if digits.isdigit() else 0


def header(headers: bytes, name: bytes) -> bytes | None:
    """The first value of this name, written as it was sent, or None."""
    begin = headers.find(b"\r\n%b:" % name)
    if begin < 0:
        return None
    begin += len(name) + 3
    return headers[begin : headers.find(b"\r\n", begin)].strip()


def _breaks(text: bytes) -> bool:
    return b"\r" in text or b"\n" in text
