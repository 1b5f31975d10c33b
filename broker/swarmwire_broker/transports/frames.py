"""WebSocket frames as the broker writes them: unmasked, unfragmented (RFC 6455, section 5.2)."""

from __future__ import annotations

from typing import Final

__all__ = ["FRAMER", "MAX_CONTROL", "WebSocketFramer", "close_frame", "pong_frame", "short_reason"]

MAX_CONTROL: Final = 125
"""Bytes that a control frame may carry."""

_SHORT: Final = [bytes((0x81, size)) for size in range(126)]


class WebSocketFramer:
    """Many messages as one piece of bytes, made once for all clients."""

    def join(self, payloads: list[bytes]) -> bytes:
        if len(payloads) == 1 and len(payloads[0]) < 126:
            return _SHORT[len(payloads[0])] + payloads[0]
        pieces: list[bytes] = []
        for payload in payloads:
            size = len(payload)
            if size < 126:
                pieces.append(_SHORT[size])
            elif size < 65_536:
                pieces.append(b"\x81\x7e" + size.to_bytes(2, "big"))
            else:
                pieces.append(b"\x81\x7f" + size.to_bytes(8, "big"))
            pieces.append(payload)
        return b"".join(pieces)

    def merge(self, blocks: list[bytes]) -> bytes:
        return b"".join(blocks)


FRAMER: Final = WebSocketFramer()


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; a reason that does not fit is cut."""
    payload = code.to_bytes(2, "big") + short_reason(reason).encode()
    return bytes((0x88, len(payload))) + payload


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping of at most `MAX_CONTROL` bytes."""
    return bytes((0x8A, len(payload))) + payload


def short_reason(reason: str) -> str:
    """As much of a reason as a close frame has room for."""
    return reason.encode()[: MAX_CONTROL - 2].decode(errors="ignore")
