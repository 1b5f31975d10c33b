"""Processes of this machine whose connections were lost: when they end, whatever they held is free at once."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from ..core.caller import Caller

__all__ = ["CAN_WATCH", "Processes"]

CAN_WATCH: Final = hasattr(os, "pidfd_open")
"""Whether the system tells of the end of processes that are not our children."""

_MOST_EACH: Final = 256
"""Connections lost by one process that still lives, of which its end is told: the last ones."""


class Processes:
    """Waits for the end of processes, at most `most()` at once; with one more, the one watched longest is let go.

    Where the system does not tell of it, and of clients whose process is not known, nothing is ever said.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._watched: dict[int, tuple[int, deque[Callable[[], None]]]] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, session: Caller, died: Callable[[], None]) -> None:
        """Call `died` once the process behind a lost connection has ended."""
        pid = session.peer.pid
        if pid is None or not CAN_WATCH or not self._most():
            return
        watched = self._watched.get(pid)
        if watched is not None:
            watched[1].append(died)
            return
        self._begin(pid, died)

    def _begin(self, pid: int, died: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            loop.call_soon(died)
            return
        except OSError:  # no descriptors are left, or it is none of our business
            return
        while len(self._watched) >= self._most():
            self._let_go(next(iter(self._watched)))
        self._watched[pid] = (descriptor, deque((died,), _MOST_EACH))
        loop.add_reader(descriptor, self._ended, pid)

    def _ended(self, pid: int) -> None:
        for died in self._let_go(pid):
            died()

    def _let_go(self, pid: int) -> deque[Callable[[], None]]:
        descriptor, deaths = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        return deaths

    def close(self) -> None:
        """Watch nobody any more. Harmless twice."""
        for pid in list(self._watched):
            self._let_go(pid)
