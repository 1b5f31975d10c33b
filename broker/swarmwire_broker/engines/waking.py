"""A clock for leases: it goes on while the machine sleeps, as those of other machines do."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["waking_ms", "waking_time"]

# The clock of event loops stands still on Linux while the machine sleeps; elsewhere `monotonic` is the best there is.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else -1


def waking_time() -> float:
    """Seconds since some moment, never set back; also those for which the machine slept, where it counts them."""
    return time.monotonic() if _CLOCK < 0 else time.clock_gettime(_CLOCK)


def waking_ms() -> int:
    """The same in milliseconds."""
    return int(waking_time() * 1000)
