"""WebSocket frames as the broker writes them: text, unmasked, unfragmented (RFC 6455, section 5.2)."""

from __future__ import annotations

from typing import Final

__all__ = ["FRAMER", "WebSocketFramer"]

_SHORT: Final = [bytes((0x81, size)) for size in range(126)]


class WebSocketFramer:
    """Many messages as one piece of bytes, made once for all clients."""

    def join(self, payloads: list[bytes]) -> bytes:
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
