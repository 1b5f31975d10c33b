"""The busiest small functions of the data plane in Python, for where `speedups` is not compiled.

What each function promises is said here; the compiled one of the same name keeps to it. `accelerators` has whichever
there is.
"""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = [
    "PlainPublish",
    "cut_frames",
    "encode_event",
    "is_text",
    "join_frames",
    "join_prefixed",
    "scan_publish",
    "unmask",
]

PlainPublish: TypeAlias = tuple[int, str, bytes, int | str | None, str | None]
"""A common publish as `cut_frames` scans it: its size in bytes, and what `scan_publish` says of it."""

_KEY_BYTES: Final = 4


def scan_publish(raw: bytes) -> tuple[str, bytes, int | str | None, str | None] | None:
    """Topic, data, id and key of a common publish; None for all that must be read in the ordinary way.

    `raw` is valid UTF-8. What is given is what `decode_from_client` and `check_data` make of the message; None says
    nothing of it. A key is never empty; how long it may be is for the caller to check. This one is never sure: only
    in C is looking first worth its time.
    """
    return None


def encode_event(head: bytes, seq: int | None, ts: int, origin: bytes, data: bytes, clear: bool = False) -> bytes:
    """One event as JSON, from parts that are made once: `event_head`, `event_origin` and checked data.

    Both numbers are at most 64 bits long, with their sign.
    """
    if seq is not None and not clear:
        return b'%b"seq":%d,"ts":%d,%b"data":%b}' % (head, seq, ts, origin, data)
    place = b'"seq":%d,' % seq if seq is not None else b""
    mark = b'"clear":true,' if clear else b""
    return b'%b%b"ts":%d,%b%b"data":%b}' % (head, place, ts, origin, mark, data)


def unmask(data: bytes, start: int, stop: int) -> bytes:
    """The payload `data[start:stop]` of a client's WebSocket frame, unmasked by the four bytes before it.

    Raises ValueError where there are not four, or the payload is not all there.
    """
    if not _KEY_BYTES <= start <= stop <= len(data):
        raise ValueError(f"Expected 4 <= start <= stop <= {len(data)}, got {start} and {stop}.")
    size = stop - start
    key = data[start - _KEY_BYTES : start] * (size // _KEY_BYTES + 1)
    payload = int.from_bytes(data[start:stop], "little") ^ int.from_bytes(key[:size], "little")
    return payload.to_bytes(size, "little")


def is_text(payload: bytes) -> bool:
    """Whether these bytes are valid UTF-8."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def join_frames(payloads: list[bytes]) -> bytes:
    """Each payload as a WebSocket text frame of a server: unmasked, in one piece (RFC 6455, section 5.2)."""
    pieces: list[bytes] = []
    for payload in payloads:
        pieces.append(_frame_head(len(payload)))
        pieces.append(payload)
    return b"".join(pieces)


_SHORT: Final = [bytes((0x81, size)) for size in range(126)]


def _frame_head(size: int) -> bytes:
    if size < 126:
        return _SHORT[size]
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def join_prefixed(payloads: list[bytes]) -> bytes:
    """Each payload as a frame of a stream: its length, 32 bits big-endian, and its bytes (see `framing`).

    Raises OverflowError for one of 4 GiB or more.
    """
    pieces: list[bytes] = []
    for payload in payloads:
        pieces.append(len(payload).to_bytes(4, "big"))
        pieces.append(payload)
    return b"".join(pieces)


def cut_frames(
    data: bytes, start: int, limit: int, most: int, scanned: bool = False
) -> tuple[list[bytes | PlainPublish], int]:
    """Up to `most` payloads of the frames that a stream goes on with at `start`, and where the last of them ends.

    It takes frames as long as they are in order: whole, and with a payload of 1 to `limit` bytes of valid UTF-8. What
    is behind them is for the caller to judge. With `scanned` what `scan_publish` is sure of stands there scanned; as
    that, this one is never sure. Raises ValueError for a negative `start`.
    """
    if start < 0:
        raise ValueError(f"Expected start >= 0, got {start}.")
    payloads: list[bytes | PlainPublish] = []
    while len(payloads) < most and len(data) - start >= 4:
        stop = start + 4 + int.from_bytes(data[start : start + 4], "big")
        payload = data[start + 4 : stop]
        if not 0 < len(payload) <= limit or stop > len(data) or not is_text(payload):
            break
        payloads.append(payload)
        start = stop
    return payloads, start
