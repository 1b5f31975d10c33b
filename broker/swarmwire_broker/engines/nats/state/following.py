"""Keeping up with a journal that others write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from .current import Current
from .journal import Forked
from .pausing import Pause
from .storage import Message, Storage, StorageAway

__all__ = ["Following"]

log = logging.getLogger("swarmwire.broker.engine")

_LOOK: Final = 1.0
"""Seconds between two looks at what was committed, in case that was not heard of."""


class Following:
    """Hears of most groups as they are committed, and looks from time to time for those it has not heard of."""

    def __init__(self, current: Current, storage: Storage) -> None:
        self._current = current
        self._storage = storage
        self._missed = asyncio.Event()
        self._stop_listening: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep up from now on. Harmless twice."""
        if self._task is None:
            self._stop_listening = self._storage.listen(self._heard)
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Keep up no more. Harmless twice."""
        if self._stop_listening is not None:
            self._stop_listening()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _heard(self, seq: int, payload: bytes) -> None:
        try:
            if self._current.take(Message(seq, payload)):
                return
        except (StorageAway, Forked) as problem:
            log.debug("what was heard of the state does not fit: %s", problem)
        self._missed.set()

    async def _look(self) -> None:
        pause = Pause()
        while True:
            try:
                async with asyncio.timeout(_LOOK):
                    await self._missed.wait()
            except TimeoutError:
                pass
            self._missed.clear()
            try:
                await self._current.refresh()
            except StorageAway:
                await pause()
            else:
                pause.reset()
