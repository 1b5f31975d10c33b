"""A list that grows at its end and is taken away at its start, both at constant cost, and can be indexed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["Window"]

_COMPACT_FROM = 64


class Window:
    """What a deque is, with indexing in the middle as quick as at the ends.

    `items` from `start` on are the content, and are appended to; what lies before is gone and makes room from time to
    time.
    """

    __slots__ = ("items", "start")

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.start = 0

    def __len__(self) -> int:
        return len(self.items) - self.start

    def popleft(self, empty: Any = None) -> Any:
        """Take the first item; `empty` takes its place until there is room to be made."""
        item = self.items[self.start]
        self.items[self.start] = empty  # lets the item go at once
        self.start += 1
        if self.start > _COMPACT_FROM and self.start * 2 > len(self.items):
            del self.items[: self.start]
            self.start = 0
        return item

    def from_index(self, index: int) -> Iterator[Any]:
        """The items from an absolute index on; the window must not change meanwhile."""
        for position in range(index, len(self.items)):
            yield self.items[position]
