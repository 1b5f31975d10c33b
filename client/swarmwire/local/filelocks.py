"""Locks over files: the same names, ways and errors as those of a client, for when there is no broker."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Final, Self

from ..errors import SwarmwireError
from ..locks.rules import LossFlag, already_held, check_lock_name, check_seconds, lock_timeout
from .kernellock import KernelLock
from .lockplaces import LockFiles, lock_files
from .tokenfile import last_given, next_token

__all__ = ["LocalLock", "is_locked", "lock"]

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
"""Seconds between two looks at a lock that somebody has: files have no queue."""

_GRACE: Final = 0.01
"""Seconds that are waited at least: who asks whether it is locked has it for an instant."""


class _State(Enum):
    FREE = "free"
    ASKING = "asking"
    HELD = "held"


class LocalLock:
    """A lock of this machine, by name. `lock()` makes one; use it with `with`, or with `async with`.

        with local.lock("config-file", wait=5) as lock:
            store(lock.token)

    The kernel frees it when the process ends, also by `kill -9`. It may be used again after it was released, from any
    thread. What it lacks beside a client's lock: it knows this machine and this user alone, it has no queue (who looks
    first has it), no ttl (a process that hangs keeps it), and nobody sees it from elsewhere.

    Attributes:
        name: what is locked.
        disabled: whether it only looks like a lock: it is had at once, keeps nobody out, and has no token.
        lost: always false, as the kernel takes no lock away; for code that takes a client's lock or this one.
    """

    def __init__(
        self,
        name: str,
        *,
        wait: float | None = None,
        directory: str | os.PathLike[str] | None = None,
        disabled: bool = False,
    ) -> None:
        self.name = check_lock_name(name)
        self.disabled = disabled
        self.lost = LossFlag()
        self._wait = check_seconds("wait", wait)
        self._directory = directory
        self._kernel: KernelLock | None = None
        self._token: int | None = None
        self._state = _State.FREE
        self._pid = 0
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"<LocalLock {self.name!r}, {'disabled, ' if self.disabled else ''}{self._state.value}>"

    @property
    def token(self) -> int | None:
        """The fencing token: higher than that of every holder before. None while it is not held, or disabled."""
        return self._token

    @property
    def held(self) -> bool:
        """Whether this object has the lock; a copy of it in a forked process has not."""
        return self._state is _State.HELD and self._pid == os.getpid()

    def check(self) -> None:
        """Raise nothing: the kernel takes no lock away. For code that takes a client's lock or this one."""

    def locked(self) -> bool:
        """Whether anybody has the lock just now, this object included."""
        return self.held or is_locked(self.name, self._directory)

    # ---- for programs without an event loop

    def acquire(self) -> Self:
        """Wait for the lock, at most `wait` seconds, and take it.

        Raises:
            SwarmwireError: LOCK_TIMEOUT; CONFLICT if this object has it already; UNAVAILABLE where the files cannot be
                used, the platform or file system has no locks of the kernel's, or filelock is missing.
        """
        self._begin()
        try:
            for pause in self._attempts():
                time.sleep(pause)
            if self._kernel is not None:
                self._token = next_token(self._files.token)
        except BaseException:
            self._drop()
            raise
        self._state = _State.HELD
        return self

    def release(self) -> None:
        """Give the lock back. Harmless where it is not held, and twice."""
        if self._state is _State.HELD:
            self._drop()

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # ---- for programs with one

    async def acquire_async(self) -> Self:
        """`acquire`, while the event loop goes on."""
        self._begin()
        try:
            for pause in self._attempts():
                await asyncio.sleep(pause)
            if self._kernel is not None:
                self._token = await _in_thread(self._files)
        except BaseException:
            self._drop()
            raise
        self._state = _State.HELD
        return self

    async def __aenter__(self) -> Self:
        return await self.acquire_async()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # ---- inside

    def _begin(self) -> None:
        with self._guard:
            if self._state is not _State.FREE:
                raise already_held(self.name)
            self._state, self._pid = _State.ASKING, os.getpid()

    def _drop(self) -> None:
        kernel, self._kernel, self._token = self._kernel, None, None
        try:
            if kernel is not None:
                kernel.give()
        finally:
            self._state = _State.FREE

    def _attempts(self) -> Iterator[float]:
        """Try until it is ours; between two attempts comes the pause to make, in seconds."""
        if self.disabled:
            return
        self._files = lock_files(self.name, self._directory)
        kernel = KernelLock(self._files.lock)
        deadline = None if self._wait is None else time.monotonic() + max(self._wait, _GRACE)
        pause = _FIRST_PAUSE
        while not kernel.take():
            left = _LONGEST_PAUSE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise lock_timeout(self.name, self._wait, _holder(self._files))
            yield min(left, pause * random.uniform(0.5, 1.0))
            pause = min(_LONGEST_PAUSE, pause * 1.5)
        self._kernel = kernel


def lock(
    name: str,
    *,
    wait: float | None = None,
    directory: str | os.PathLike[str] | None = None,
    disabled: bool = False,
) -> LocalLock:
    """A lock of this machine over files: `with local.lock("config-file") as lock`, or `async with`.

    Args:
        name: what is locked: 1 to 128 bytes without control characters; it need not be a file's name.
        wait: how many seconds to wait for it; 0 does not wait, None has no limit.
        directory: where its files are, instead of `lock_directory()`; it has to be this user's alone.
        disabled: whether to lock nothing.

    Raises:
        SwarmwireError: INVALID_MESSAGE for what is no name or no time. When it is entered: see `LocalLock.acquire`.
    """
    return LocalLock(name, wait=wait, directory=directory, disabled=disabled)


def is_locked(name: str, directory: str | os.PathLike[str] | None = None) -> bool:
    """Whether anybody has the local lock of this name just now.

    Raises:
        SwarmwireError: as `LocalLock.acquire`, but for LOCK_TIMEOUT.
    """
    kernel = KernelLock(lock_files(check_lock_name(name), directory).lock)
    if not kernel.take():
        return True
    kernel.give()
    return False


async def _in_thread(files: LockFiles) -> int:
    """The next token, written by another thread, as disks may be slow. It is awaited even when this is cancelled."""
    writing = asyncio.ensure_future(asyncio.to_thread(next_token, files.token))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        while not writing.done():
            with suppress(asyncio.CancelledError, SwarmwireError):
                await asyncio.shield(writing)
        raise


def _holder(files: LockFiles) -> str:
    try:
        given = last_given(files.token)
    except (OSError, SwarmwireError):
        return ""
    return "" if given is None else f"; process {given.pid} had it last"
