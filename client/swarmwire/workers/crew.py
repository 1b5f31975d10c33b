"""The workers of a pool: so many as are wanted, changed one command after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from .child import WorkerChild
from .poolslot import PoolSlot

__all__ = ["PoolCrew"]

_COMING: Final = 60.0
"""Seconds after which a worker that takes no tasks yet has not come up, so that the next command has its turn."""


class PoolCrew:
    """Slots, added and taken away.

    Args:
        start: starts a worker's process.
        max_restarts: of each slot.
        drain_timeout: seconds that workers which are stopped have for what they do.
        coming: seconds that a command waits for a new worker to take tasks.
    """

    def __init__(
        self,
        start: Callable[[], WorkerChild],
        max_restarts: int | None,
        drain_timeout: float,
        coming: float = _COMING,
    ) -> None:
        self._start = start
        self._coming = coming
        self._max_restarts = max_restarts
        self._drain_timeout = drain_timeout
        self._slots: list[PoolSlot] = []
        self._leaving: set[PoolSlot] = set()
        self._changing = asyncio.Lock()
        self._ending: float | None = None
        self._restarts = 0
        self.failed = asyncio.Event()
        """Set when there are slots, and every one was given up."""

    @property
    def restarts(self) -> int:
        """How often a worker was started because one had died."""
        return self._restarts + sum(slot.restarts for slot in self._all)

    @property
    def running(self) -> int:
        """How many workers take tasks, or did before they were told to stop."""
        return sum(slot.is_up for slot in self._all)

    def describe(self) -> list[dict[str, Any]]:
        """Every worker, as operators see it."""
        return [slot.describe() for slot in self._all]

    async def begin(self, count: int) -> bool:
        """Start them, the first alone; False, and nothing is left, if its program cannot be imported."""
        async with self._changing:
            if count:
                first = self._new()
                self._slots.append(first)
                if not await asyncio.shield(first.loaded) and self._ending is None:
                    await self._part([first], 0.0)
                    return False
                await asyncio.gather(self._resize(count), self._came(first))
        return True

    async def scale(self, count: int) -> bool:
        """Have so many, when those that are too many have ended; False if some of the new did not come up at once."""
        async with self._changing:
            return await self._resize(count)

    async def restart(self, worker: str | None) -> tuple[int, bool]:
        """Replace one worker or all, each by one that runs before the former is stopped.

        Returns how many it was to be, and whether all came up; the first that does not ends it, its former stays.
        """
        async with self._changing:
            chosen = [slot for slot in self._slots if worker is None or slot.id == worker]
            for slot in chosen:
                if not await self._replace(slot):
                    return len(chosen), False
            return len(chosen), True

    def order_stop(self, seconds: float) -> None:
        """No more are started, and all stop; called again it can only shorten their time."""
        self._ending = seconds if self._ending is None else min(seconds, self._ending)
        for slot in self._all:
            slot.order_stop(self._ending)

    async def ended(self) -> None:
        """Wait until all have stopped."""
        tasks = [slot.task for slot in self._all]
        if tasks:
            await asyncio.wait(tasks)

    def kill(self) -> None:
        """End all at once."""
        self.order_stop(0.0)
        for slot in self._all:
            slot.kill()

    # ---- Inside

    @property
    def _all(self) -> tuple[PoolSlot, ...]:
        return (*self._slots, *self._leaving)

    def _new(self) -> PoolSlot:
        slot = PoolSlot(self._start, self._max_restarts)
        slot.task.add_done_callback(lambda _: self._look())
        if self._ending is not None:
            slot.order_stop(self._ending)
        return slot

    async def _resize(self, count: int) -> bool:
        """The newest go first, and those before all that were given up."""
        given_up = [slot for slot in self._slots if slot.given_up]
        kept = [slot for slot in self._slots if not slot.given_up]
        surplus, self._slots = kept[count:] + given_up, kept[:count]
        new = [self._new() for _ in range(count - len(self._slots))]
        self._slots += new
        self._look()
        _, *came = await asyncio.gather(self._part(surplus, self._drain_timeout), *(self._came(slot) for slot in new))
        return all(came)

    async def _replace(self, former: PoolSlot) -> bool:
        slot = self._new()
        self._leaving.add(slot)  # if it does not come up it has never been here
        if not await self._came(slot) or former not in self._slots:
            await self._part([slot], 0.0)
            return False
        self._leaving.discard(slot)
        self._slots[self._slots.index(former)] = slot
        await self._part([former], self._drain_timeout)
        return True

    async def _part(self, slots: list[PoolSlot], seconds: float) -> None:
        """Take slots out; returns when they have ended."""
        self._slots = [slot for slot in self._slots if slot not in slots]
        self._leaving.update(slots)
        await asyncio.gather(*(slot.stop(seconds) for slot in slots))
        self._restarts += sum(slot.restarts for slot in slots)
        self._leaving.difference_update(slots)

    async def _came(self, slot: PoolSlot) -> bool:
        await asyncio.wait((slot.up,), timeout=self._coming)
        return slot.up.done() and slot.up.result()

    def _look(self) -> None:
        if self._slots and all(slot.given_up for slot in self._slots):
            self.failed.set()
        else:
            self.failed.clear()
