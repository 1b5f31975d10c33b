"""Locks of this machine that work with a broker and without one."""

from __future__ import annotations

import os
import time
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

from ..client import Client
from ..errors import ErrorCode, SwarmwireError
from ..local import LocalLock
from ..opening import URL_VARIABLE, connect
from ..options import Token
from ..sync import SyncClient, connect_sync
from .lock import Lock
from .rules import LossFlag, already_held, check_lock_name, check_seconds, check_ttl
from .synclock import SyncLock

__all__ = ["MachineLock", "machine_lock"]


_MOST_TO_CONNECT: Final = 10.0
_LEAST_TO_CONNECT: Final = 1.0
"""Seconds that a broker has for its welcome; how many of them, the `wait` of the lock says."""


class _State(Enum):
    FREE = "free"
    ASKING = "asking"
    HELD = "held"


class MachineLock:
    """A lock of this machine, by name. `machine_lock()` makes one; use it with `with`, or with `async with`.

    Where a broker runs it is a lock of the broker's, with its queue and its ttl. The lock of the kernel's on a file is
    taken as well: so who came while no broker ran keeps out who comes when one does, and the other way round. Without
    a broker there is the file alone.

    Attributes:
        name: what is locked.
        disabled: whether it only looks like a lock.
        via: what it was acquired by: `broker`, `files`, or None while it is not held.
    """

    def __init__(
        self,
        name: str,
        *,
        ttl: float,
        wait: float | None,
        url: str | None,
        broker: str | None,
        token: Token | None,
        directory: str | os.PathLike[str] | None,
        disabled: bool,
    ) -> None:
        self.name = check_lock_name(name)
        self.disabled = disabled
        self.via: str | None = None
        self._ttl = check_ttl(ttl)
        self._wait = check_seconds("wait", wait)
        self._options: dict[str, Any] = {"url": url, "broker": broker, "token": token, "name": "swarmwire-lock"}
        if self._wait is not None:  # a broker that says nothing does not hold up who will not wait
            self._options["connect_timeout"] = min(_MOST_TO_CONNECT, max(_LEAST_TO_CONNECT, self._wait))
        self._must_be_there = url is not None or (broker is None and bool(os.environ.get(URL_VARIABLE)))
        self._directory = directory
        self._state = _State.FREE
        self._never_lost = LossFlag()
        self._file: LocalLock | None = None
        self._client: Client | None = None
        self._lock: Lock | None = None
        self._sync_client: SyncClient | None = None
        self._sync_lock: SyncLock | None = None

    def __repr__(self) -> str:
        disabled = "disabled, " if self.disabled else ""
        return f"<MachineLock {self.name!r}, {disabled}{self.via or self._state.value}>"

    @property
    def token(self) -> int | None:
        """The fencing token: higher than that of every holder before, by whichever way. None while it is not held."""
        return None if self._file is None else self._file.token

    @property
    def held(self) -> bool:
        """Whether this object has the lock, as far as is known here."""
        lock = self._lock or self._sync_lock
        return self._state is _State.HELD and (lock is None or lock.held)

    @property
    def lost(self) -> LossFlag | bool:
        """Whether it was lost since it was acquired, which the files alone cannot."""
        lock = self._lock or self._sync_lock
        return self._never_lost if lock is None else lock.lost

    def check(self) -> None:
        """Raise LOCK_LOST if the lock was lost."""
        lock = self._lock or self._sync_lock
        if lock is not None:
            lock.check()

    # ---- for programs with an event loop

    async def __aenter__(self) -> Self:
        until = self._begin()
        try:
            if not self.disabled:
                await self._acquire(until)
        except BaseException:
            await self._let_go(quietly=True)
            raise
        self._state = _State.HELD
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._let_go(quietly=error is not None)

    async def _acquire(self, until: float | None) -> None:
        try:
            self._client = await connect(**self._options)
        except SwarmwireError as error:
            self._check_missing(error)
        if self._client is not None:
            self._lock = await self._client.lock(self.name, ttl=self._ttl, wait=_left(until)).acquire()
        self._file = await self._new_file(until).acquire_async()
        self.check()  # the broker's may be lost while the file is waited for
        self.via = "files" if self._client is None else "broker"

    async def _let_go(self, *, quietly: bool) -> None:
        file, lock, client = self._file, self._lock, self._client
        self._forget()
        try:
            if file is not None:
                file.release()
            if lock is not None:
                await lock.release()
        except SwarmwireError:
            if not quietly:
                raise
        finally:
            if client is not None:
                await client.disconnect()

    # ---- for programs without one

    def __enter__(self) -> Self:
        until = self._begin()
        try:
            if not self.disabled:
                self._acquire_now(until)
        except BaseException:
            self._let_go_now(quietly=True)
            raise
        self._state = _State.HELD
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go_now(quietly=error is not None)

    def _acquire_now(self, until: float | None) -> None:
        try:
            self._sync_client = connect_sync(**self._options)
        except SwarmwireError as error:
            self._check_missing(error)
        if self._sync_client is not None:
            self._sync_lock = self._sync_client.lock(self.name, ttl=self._ttl, wait=_left(until)).acquire()
        self._file = self._new_file(until).acquire()
        self.check()
        self.via = "files" if self._sync_client is None else "broker"

    def _let_go_now(self, *, quietly: bool) -> None:
        file, lock, client = self._file, self._sync_lock, self._sync_client
        self._forget()
        try:
            if file is not None:
                file.release()
            if lock is not None:
                lock.release()
        except SwarmwireError:
            if not quietly:
                raise
        finally:
            if client is not None:
                client.disconnect()

    # ---- inside

    def _begin(self) -> float | None:
        if self._state is not _State.FREE:
            raise already_held(self.name)
        self._state = _State.ASKING
        return None if self._wait is None else time.monotonic() + self._wait

    def _forget(self) -> None:
        self._file = self._client = self._lock = self._sync_client = self._sync_lock = self.via = None
        self._state = _State.FREE

    def _check_missing(self, error: SwarmwireError) -> None:
        """Raise the error unless it says that no broker runs here, where none has to."""
        if self._must_be_there or error.code is not ErrorCode.UNAVAILABLE:
            raise error

    def _new_file(self, until: float | None) -> LocalLock:
        return LocalLock(self.name, wait=_left(until), directory=self._directory)


def machine_lock(
    name: str,
    *,
    ttl: float = 30.0,
    wait: float | None = None,
    url: str | None = None,
    broker: str | None = None,
    token: Token | None = None,
    directory: str | os.PathLike[str] | None = None,
    disabled: bool = False,
) -> MachineLock:
    """A lock that works with and without a broker: `with machine_lock("config-file") as lock`, or `async with`.

    The broker is looked for as `connect()` does it, and none need be there; one that is named by `url` or by
    SWARMWIRE_URL has to. `ttl` counts with a broker alone, `directory` is where the files are (see `local.lock`); both
    ways need `pip install swarmwire[local]`. Times are in seconds; `wait` None has no limit, 0 does not wait.

    Raises:
        SwarmwireError: INVALID_MESSAGE for what is no name or no time. When it is entered: LOCK_TIMEOUT; CONFLICT if
            this object has it already; UNAVAILABLE where the files cannot be used, or the broker that has to be there
            is not; LOCK_LOST where the broker's was lost while the file was waited for; whatever else the broker has
            against it. When it is left: LOCK_LOST.
    """
    return MachineLock(
        name,
        ttl=ttl,
        wait=wait,
        url=url,
        broker=broker,
        token=token,
        directory=directory,
        disabled=disabled,
    )


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())
