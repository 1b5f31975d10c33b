"""Fencing tokens: numbers that only grow, so that who held something last can be told from who held it before.

The idea is Martin Kleppmann's (How to do distributed locking, 2016): whoever guards a resource refuses a token that is
lower than one it has seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..engines.base import Put
from .tenure import Store

__all__ = ["Fencing"]

_KEY: Final = "fencing"
_PER_MS: Final = 1_000

_BLOCK: Final = 1_000
"""Tokens taken from the engine at once; those of a block that are not given out before a restart never are."""


class Fencing:
    """Gives out tokens, all of one broker rising, over restarts too.

    They begin at the time in microseconds, so they grow even where the engine forgets: nobody takes a million a second.
    """

    def __init__(self, engine: Store, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._last = 0
        self._reserved = 0
        self._reserving = asyncio.Lock()

    async def next(self) -> int:
        """A token higher than all before.

        Raises:
            SwarmwireError: the engine cannot be written just now.
        """
        while self._last >= self._reserved:
            async with self._reserving:
                if self._last >= self._reserved:
                    await self._reserve()
        self._last += 1
        return self._last

    async def _reserve(self) -> None:
        while True:
            stored = await self._engine.get(_KEY)
            known = 0 if stored is None else int(stored.value)
            first = max(known, self._last, self._now_ms() * _PER_MS)
            put = Put(_KEY, b"%d" % (first + _BLOCK), 0 if stored is None else stored.revision)
            try:
                await self._engine.transact([put])
            except SwarmwireError as error:
                if error.code is not ErrorCode.CONFLICT:
                    raise
            else:
                self._last, self._reserved = first, first + _BLOCK
                return
