"""Pauses between two tries."""

from __future__ import annotations

import asyncio
import random
from typing import Final

__all__ = ["Pause"]

_FIRST: Final = 0.02
_LONGEST: Final = 0.5


class Pause:
    """Each pause is about twice as long as the one before, from 20 ms up to half a second."""

    def __init__(self) -> None:
        self._seconds = _FIRST

    async def __call__(self) -> None:
        await asyncio.sleep(random.uniform(self._seconds / 2, self._seconds))
        self._seconds = min(self._seconds * 2, _LONGEST)

    def reset(self) -> None:
        """Begin with short ones again."""
        self._seconds = _FIRST
