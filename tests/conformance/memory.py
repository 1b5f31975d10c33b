"""How much memory something leaves behind each time."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Awaitable, Callable

__all__ = ["growth"]

_TIMES = 12


async def growth(repeat: Callable[[int], Awaitable[None]]) -> float:
    """Bytes that each of many repetitions leaves behind; what comes once only (a module, a cache) does not count."""
    tracemalloc.start()
    try:
        await repeat(_TIMES // 2)
        grown = []
        before = _held()
        for _ in range(3):
            await repeat(_TIMES)
            before, last = _held(), before
            grown.append(before - last)
    finally:
        tracemalloc.stop()
    return min(grown) / _TIMES


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
