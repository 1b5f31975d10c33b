"""One question for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Shared"]

_T = TypeVar("_T")


class Shared(Generic[_T]):
    """Asks once for all that wait. Who comes while it is asked is answered by the next: no answer is older than its
    question."""

    def __init__(self, ask: Callable[[], Awaitable[_T]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[_T] | None = None
        self._next: asyncio.Task[_T] | None = None

    async def __call__(self) -> _T:
        """The answer, or what asking raises."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._after(self._asking))
            self._next.add_done_callback(_heard)
        return await asyncio.shield(self._next)

    async def _after(self, former: asyncio.Task[_T] | None) -> _T:
        if former is not None:
            await asyncio.wait([former])
        self._asking, self._next = self._next, None
        try:
            return await self._ask()
        finally:
            if self._asking is asyncio.current_task():
                self._asking = None

    async def close(self) -> None:
        """Ask no more; who waits is told CancelledError. Harmless twice."""
        tasks = [task for task in (self._asking, self._next) if task is not None]
        self._asking = self._next = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(task: asyncio.Task[object]) -> None:
    """That it failed is told to whoever waits; where nobody does any more, it does not matter."""
    if not task.cancelled():
        task.exception()
