"""WebSocket frames as the broker writes them: unmasked, unfragmented (RFC 6455, section 5.2)."""

from __future__ import annotations

from typing import Final

from swarmwire_protocol.accelerators import join_frames

__all__ = ["FRAMER", "MAX_CONTROL", "WebSocketFramer", "close_frame", "pong_frame", "short_reason"]

MAX_CONTROL: Final = 125
"""Bytes that a control frame may carry."""


class WebSocketFramer:
    """Many messages as one piece of bytes, made once for all clients."""

    def join(self, payloads: list[bytes]) -> bytes:
        return join_frames(payloads)

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
