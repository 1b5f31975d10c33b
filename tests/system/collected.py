"""What comes one by one while a test waits for it: lines of a process, events, changes of state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PATIENCE", "Collected"]

PATIENCE = 30.0
"""Seconds after which a test has waited in vain."""

T = TypeVar("T")


class Collected(Generic[T]):
    """A list that only grows, and can be waited for."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self.ended = False
        self._news = asyncio.Event()

    def add(self, item: T) -> None:
        self.items.append(item)
        self._news.set()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._news.set()

    async def reach(self, count: int) -> list[T]:
        """Wait until so many have come; returns all of them."""
        await self._until(lambda: len(self.items) >= count, f"{count} items")
        return self.items

    async def first(self, wanted: Callable[[T], bool], *, after: int = 0) -> T:
        """Wait for the first that is wanted, from the index `after` on."""
        place = after

        def found() -> bool:
            nonlocal place
            while place < len(self.items) and not wanted(self.items[place]):
                place += 1
            return place < len(self.items)

        await self._until(found, "an item")
        return self.items[place]

    async def all(self) -> list[T]:
        """Wait for the end; returns all that came."""
        await self._until(lambda: self.ended, "the end")
        return self.items

    async def _until(self, reached: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not reached():
                    assert not self.ended, f"expected {what}, but it ended with {self.items[-3:]}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"expected {what}, got {len(self.items)}: {self.items[-3:]}") from None
