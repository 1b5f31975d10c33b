"""A clock for leases: it goes on while the machine sleeps, as that of whoever gave the lease does."""

from __future__ import annotations

import sys
import time
from typing import Final

__all__ = ["waking_time"]

# The clock of event loops stands still in a machine that sleeps: on Linux, and where `monotonic` is of another kind.
_CLOCK: Final[int | None] = getattr(time, "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)


def waking_time() -> float:
    """Seconds since some moment, never set back; also those for which the machine slept, where it counts them."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
