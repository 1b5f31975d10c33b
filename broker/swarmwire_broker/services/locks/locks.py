"""The methods `lock.*`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar

from msgspec import Raw

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.caller import Caller
from ...core.methods import Asked, Method
from ..checks import check_name, check_size
from ..shared import Shared
from .book import LockBook
from .events import PATTERNS
from .line import Ask
from .params import Acquire, ListLocks, OneLock, Release, Renew
from .record import Acquired, Holder, LockList, LockStatus

__all__ = ["Locks"]

T = TypeVar("T")

_MS: Final = 1_000
_ANSWER_TIME: Final = 0.25
_ANSWER_SHARE: Final = 0.1
"""How long before the deadline of a call its wait ends, so that LOCK_TIMEOUT is heard and not TIMEOUT: so many seconds,
and at most this share of what is left."""


class Locks:
    """The service of locks: one holder a name, a line of those who wait, a token that tells the holders apart."""

    def __init__(self, shared: Shared) -> None:
        self._clock = shared.hub.clock
        self._shared = shared
        self._book = LockBook(shared)
        shared.hub.publishing.reserve(*PATTERNS)

    def methods(self) -> list[Method]:
        return [
            Method("lock.acquire", Acquire, self._acquire),
            Method("lock.renew", Renew, self._renew),
            Method("lock.release", Release, self._release),
            Method("lock.status", OneLock, self._status, looks=True),
            Method("lock.list", ListLocks, self._list, looks=True),
        ]

    async def start(self) -> None:
        await self._book.load()

    def meet(self, callers: Mapping[str, Caller]) -> None:
        """These connections, by client id, outlived the broker that had the locks."""
        self._book.meet(callers)

    def close(self) -> None:
        self._book.close()

    async def _acquire(self, asked: Asked, params: Acquire) -> Acquired:
        _check(params)
        metadata = self._checked(params.metadata)
        holder = Holder.of(asked.author, params.owner)
        ask = Ask(params.name, holder, asked.session, params.ttl, metadata)
        wait = self._wait(asked, params.wait)
        timer = self._clock.call_later(wait, ask.time_out) if wait > 0 else None
        self._clock.spawn(self._book.arrive(ask, waits=wait > 0))
        try:
            return await ask.answer
        except asyncio.CancelledError:
            ask.give_up()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._book.left(ask)

    async def _renew(self, asked: Asked, params: Renew) -> Acquired:
        _check(params)
        record = await self._whole(self._book.renew(params.name, params.token, asked.session, params.ttl))
        return Acquired(name=params.name, token=record.token, ttl=record.ttl)

    async def _release(self, asked: Asked, params: Release) -> dict[str, Any]:
        _check(params)
        await self._whole(self._book.release(params.name, params.token, asked.author))
        return {"name": params.name, "token": params.token}

    def _status(self, asked: Asked, params: OneLock) -> LockStatus:
        _check(params)
        return self._book.status(params.name)

    def _list(self, asked: Asked, params: ListLocks) -> LockList:
        names = self._book.names(params.prefix)
        page = names[params.offset : params.offset + params.limit]
        return LockList(count=len(names), locks=[self._book.status(name) for name in page])

    def _checked(self, metadata: Raw) -> bytes | None:
        data = bytes(metadata)
        if data == b"null":
            return None
        if not data.startswith(b"{"):
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected an object.", field="params.metadata")
        check_size(len(data), self._shared.limits.max_lock_bytes, "metadata")
        return data

    def _wait(self, asked: Asked, wait: int | None) -> float:
        """The seconds to wait: those asked for, but no longer than the call has."""
        left = max(0.0, asked.deadline - self._clock.time())
        longest = left - min(_ANSWER_TIME, left * _ANSWER_SHARE)
        return longest if wait is None else min(wait / _MS, longest)

    async def _whole(self, step: Coroutine[Any, Any, T]) -> T:
        """Run a step to its end, also where who asked for it is gone meanwhile."""
        end: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._clock.spawn(_run_into(step, end))
        return await end


async def _run_into(step: Coroutine[Any, Any, T], end: asyncio.Future[T]) -> None:
    try:
        result = await step
    except SwarmwireError as error:
        _fail(end, error)
    except Exception:
        _fail(end, SwarmwireError(ErrorCode.INTERNAL_ERROR))
        raise
    else:
        if not end.done():
            end.set_result(result)


def _fail(end: asyncio.Future[Any], error: SwarmwireError) -> None:
    if not end.done():
        end.set_exception(error)
        end.exception()  # who waited may be cancelled before it looks


def _check(params: OneLock) -> None:
    check_name(params.name, "The lock's name", "name")
