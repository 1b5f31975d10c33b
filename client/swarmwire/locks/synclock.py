"""Locks for programs that have no event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from ..errors import SwarmwireError
from .lock import Lock

__all__ = ["Runner", "SyncLock"]

T = TypeVar("T")


class Runner(Protocol):
    """The thread in which a client lives."""

    @property
    def closed(self) -> bool:
        """Whether nothing runs there any more."""
        ...

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there to its end."""
        ...


class SyncLock:
    """The blocking twin of `Lock`: `with client.lock("config-file", wait=10) as lock`.

    It is renewed in the client's own thread. Nothing interrupts a block whose lock was lost: `lost` and `check()` tell,
    and leaving the block raises LOCK_LOST.
    """

    def __init__(self, thread: Runner, lock: Lock) -> None:
        self._thread = thread
        self._lock = lock

    def __repr__(self) -> str:
        return f"<Sync{repr(self._lock)[1:]}"

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.release()
        except SwarmwireError:  # what the body has failed with says more than that the lock was lost, too
            if error is None:
                raise

    @property
    def name(self) -> str:
        """What is locked."""
        return self._lock.name

    @property
    def disabled(self) -> bool:
        """Whether it only looks like a lock."""
        return self._lock.disabled

    @property
    def token(self) -> int | None:
        """The fencing token; see `Lock.token`."""
        return self._lock.token

    @property
    def held(self) -> bool:
        """Whether this object has the lock, as far as is known here."""
        return not self._thread.closed and self._thread.run(_got(lambda: self._lock.held))

    @property
    def lost(self) -> bool:
        """Whether the lock was lost since it was acquired."""
        return bool(self._lock.lost)

    def check(self) -> None:
        """Raise LOCK_LOST if the lock was lost; see `Lock.check`."""
        if self._thread.closed:
            self._lock.lost.check()
        else:
            self._thread.run(_got(self._lock.check))

    def locked(self) -> bool:
        """Whether anybody has the lock just now."""
        return self._thread.run(self._lock.locked())

    def acquire(self) -> Self:
        """Wait for the lock, at most `wait` seconds, and take it; see `Lock.acquire`."""
        self._thread.run(self._lock.acquire())
        return self

    def release(self) -> None:
        """Give the lock back. Harmless twice; see `Lock.release`."""
        if self._thread.closed:
            self._lock.lost.check()
        else:
            self._thread.run(self._lock.release())


async def _got(get: Callable[[], T]) -> T:
    return get()
