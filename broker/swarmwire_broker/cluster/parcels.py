"""Messages that are larger than the bus takes: cut into parts, and put together again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["MOST", "Parcels", "cut"]

MOST: Final = 64 * 1024 * 1024
"""Bytes of one message, and of all the parts of one broker that wait for the others."""

_PATTERN: Final = re.compile(rb"P ([0-9a-z]{1,64}) ([0-9]{1,18}) ([0-9]{1,9}) ([1-9][0-9]{0,8})")
_HEAD: Final = 128
"""Bytes that a part needs beside what it holds, at most."""


def cut(sender: str, number: int, payload: bytes, most: int) -> Iterator[bytes]:
    """The parts of a message, of at most so many bytes each; `number` is unique among the messages of a sender."""
    size = max(1, most - _HEAD)
    count = -(-len(payload) // size)
    for index in range(count):
        head = b"P %b %d %d %d\n" % (sender.encode(), number, index, count)
        yield head + payload[index * size : (index + 1) * size]


class Parcels:
    """Parts of messages that are not whole yet, by sender. They come in order: one that is missing voids the rest."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[int, list[bytes]]] = {}

    def take(self, part: bytes) -> bytes | None:
        """Take a part; the message, once it is whole.

        Raises:
            ValueError: it is no part of a message.
        """
        head, _, body = part.partition(b"\n")
        sender, number, index, count = _read(head)
        known, parts = self._parts.pop(sender, (number, []))
        if known != number:
            parts = []
        if index != len(parts) or sum(map(len, parts)) + len(body) > MOST:
            return None
        parts.append(body)
        if len(parts) == count:
            return b"".join(parts)
        self._parts[sender] = number, parts
        return None

    def forget(self, sender: str) -> None:
        """Let go of what is there of a sender."""
        self._parts.pop(sender, None)


def _read(head: bytes) -> tuple[str, int, int, int]:
    """The sender and the number of a message, the place of this part, and how many there are."""
    found = _PATTERN.fullmatch(head)
    if found is None:
        raise ValueError("expected a message or a part of one")
    sender, number, index, count = found.groups()
    return sender.decode(), int(number), int(index), int(count)
