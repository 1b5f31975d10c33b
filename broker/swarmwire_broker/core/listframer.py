"""Messages as they are, for sinks in memory: nothing is framed that no socket carries."""

from __future__ import annotations

from typing import Final

__all__ = ["LIST_FRAMER", "ListFramer"]


class ListFramer:
    """A block is the list of messages itself."""

    def join(self, payloads: list[bytes]) -> list[bytes]:
        return list(payloads)

    def merge(self, blocks: list[list[bytes]]) -> list[bytes]:
        return [payload for block in blocks for payload in block]


LIST_FRAMER: Final = ListFramer()
