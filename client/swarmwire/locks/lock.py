"""A lock of the broker's: acquired in turn, renewed while it is held, and known to be lost when it is."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from ..bodycancel import BodyCancel
from ..errors import ErrorCode, SwarmwireError
from ..patience import Patience
from ..waking import waking_time
from .rules import LossFlag, already_held, check_lock_name, check_seconds, check_ttl, lock_lost, lock_timeout

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["Lock"]

_log = logging.getLogger("swarmwire.locks")

_PARTS: Final = 3
"""A lock is renewed so many times within its ttl."""

_LEAST: Final = 0.05
"""Seconds that a renewal is given at least, and that pass at least between two tries."""

_LONGEST_WAIT: Final = 3_000.0
"""Seconds that one call waits in the line; who waits longer asks again."""

_SPARE: Final = 10.0
"""Seconds more than that after which no answer is expected any more."""

_TAKEN: Final = frozenset(
    {
        ErrorCode.LOCK_LOST,
        ErrorCode.FENCED,
        ErrorCode.NOT_FOUND,
        ErrorCode.CONFLICT,
        ErrorCode.PERMISSION_DENIED,
    }
)
"""What the broker says to who has the lock no more; each names the parameter at fault."""


class _State(Enum):
    FREE = "free"
    ASKING = "asking"
    HELD = "held"


class Lock:
    """A lock by name, at the broker. `client.lock()` makes one; use it with `async with`, again and again.

        async with client.lock("config-file", ttl=30, wait=10) as lock:
            await store(config, lock.token)

    While it is held it is renewed three times within its ttl, over as many connections as it takes. It counts as lost
    when the broker says so, and when its ttl has passed since the last renewal that succeeded was *sent*: then `lost`
    is set, `check()` and leaving the block raise LOCK_LOST, and with `cancel_on_loss` the block is cancelled at once.

    Attributes:
        name: what is locked.
        lost: whether it was lost since it was acquired; `await lock.lost` waits for that, and gives the error.
        disabled: whether it only looks like a lock: it is had at once, keeps nobody out, and has no token.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        *,
        ttl: float,
        wait: float | None,
        metadata: dict[str, Any] | None,
        cancel_on_loss: bool,
        disabled: bool,
    ) -> None:
        self.name = check_lock_name(name)
        self.disabled = disabled
        self.lost = LossFlag()
        self._client = client
        self._patience = Patience(client)
        self._ttl = check_ttl(ttl)
        self._wait = check_seconds("wait", wait)
        self._metadata = metadata
        self._owner = secrets.token_hex(8)
        self._state = _State.FREE
        self._token: int | None = None
        self._until = 0.0
        self._wake = asyncio.Event()
        self._ends: list[Callable[[], object]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._body = BodyCancel() if cancel_on_loss else None

    def __repr__(self) -> str:
        state = "lost" if self.lost else self._state.value
        return f"<Lock {self.name!r}, {'disabled, ' if self.disabled else ''}{state}>"

    @property
    def token(self) -> int | None:
        """The fencing token: higher than that of every holder before. None while it is not held, or disabled."""
        return self._token

    @property
    def held(self) -> bool:
        """Whether this object has the lock, as far as is known here."""
        return self._state is _State.HELD and self._why_lost() is None

    def check(self) -> None:
        """Make sure that the lock was not lost; to be called before what others must not do at the same time.

        Raises:
            SwarmwireError: LOCK_LOST.
        """
        if self._state is _State.HELD and not self.lost and (why := self._why_lost()) is not None:
            self._lose(why)
        self.lost.check()

    async def locked(self) -> bool:
        """Whether anybody has the lock just now, this object included.

        Raises:
            SwarmwireError: as `Client.call` does.
        """
        return bool((await self._client.call("lock.status", {"name": self.name}))["held"])

    # ---- acquiring

    async def acquire(self) -> Self:
        """Wait for the lock, at most `wait` seconds, behind those who have asked before; and take it.

        A connection that is lost meanwhile is waited for too; then the place in the line may be lost.

        Raises:
            SwarmwireError: LOCK_TIMEOUT; CONFLICT if this object has it already; INVALID_MESSAGE for a ttl that the
                broker does not take; LIMIT_EXCEEDED; what keeps the client from a connection.
        """
        if self._state is not _State.FREE:
            raise already_held(self.name)
        self._state, self.lost = _State.ASKING, LossFlag()
        try:
            if not self.disabled:
                await self._acquire()
        except BaseException:
            self._state = _State.FREE
            self._owner = secrets.token_hex(8)  # what was asked for may still be granted, and is then given back
            raise
        self._state = _State.HELD
        return self

    async def _acquire(self) -> None:
        until = None if self._wait is None else self._patience.time() + self._wait
        granted: int | None = None
        try:
            while True:
                wait = _LONGEST_WAIT if until is None else min(_LONGEST_WAIT, max(0.0, until - self._patience.time()))
                sent = waking_time()
                try:
                    token: int = (await self._ask(wait))["token"]
                except SwarmwireError as error:
                    await self._go_on_after(error, until)
                    continue
                # Who stood in the line does not know since when it has the lock, and asks again, which renews it.
                if waking_time() - sent < (self._ttl if token == granted else self._ttl / _PARTS):
                    self._begin(token, sent)
                    return
                granted = token
        except BaseException:
            if granted is not None:
                self._spawn(self._give_back(granted, self._ttl))
            raise

    async def _go_on_after(self, error: SwarmwireError, until: float | None) -> None:
        """Return when it is worth another try."""
        if error.code is ErrorCode.LOCK_TIMEOUT:
            if until is not None and self._patience.time() >= until - _LEAST:
                raise lock_timeout(self.name, self._wait) from None
        elif not self._patience.is_passing(error) or not await self._patience.ready(until):
            raise error

    async def _ask(self, wait: float) -> dict[str, Any]:
        params = {"name": self.name, "ttl": self._ttl_ms, "wait": round(wait * 1000), "owner": self._owner}
        if self._metadata is not None:
            params["metadata"] = self._metadata
        answer: dict[str, Any] = await self._patience.call_undoable("lock.acquire", params, wait + _SPARE, self._undo)
        return answer

    def _undo(self, answer: dict[str, Any]) -> None:
        """Nobody waits any more for a lock that was granted: give it back."""
        self._spawn(self._give_back(answer["token"], self._ttl))

    def _begin(self, token: int, sent: float) -> None:
        if self._client._core.ended is not None:
            raise self._client._core.offline("lock")
        self._token, self._until = token, sent + self._ttl
        self._ends = [
            self._patience.at_connect(self._wake.set),
            self._client._core.at_end(self._ended),
        ]
        keeping = self._spawn(self._keep())
        self._ends.append(keeping.cancel)

    # ---- holding

    async def _keep(self) -> None:
        """Renew it until it is lost; cancelled when it is released."""
        pause = self._ttl / _PARTS
        while True:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause, max(0.0, self._until - waking_time()))):
                    await self._wake.wait()
            if (why := self._why_lost() or await self._renew()) is not None:
                self._lose(why)
                return
            is_fresh = self._until - waking_time() > self._ttl * (_PARTS - 1) / _PARTS
            pause = self._ttl / _PARTS if is_fresh else max(_LEAST, self._ttl / _PARTS / _PARTS)

    async def _renew(self) -> str | None:
        """Renew it once; why it was lost, if it was."""
        sent = waking_time()
        params = {"name": self.name, "token": self._token, "ttl": self._ttl_ms}
        try:
            await self._client.call("lock.renew", params, timeout=max(_LEAST, min(self._ttl, self._until - sent)))
        except SwarmwireError as error:
            return error.message if _is_taken(error) else self._why_lost()
        self._until = sent + self._ttl
        return None

    def _why_lost(self) -> str | None:
        if self.lost.error is not None:
            return self.lost.error.message
        if self._token is not None and waking_time() >= self._until:
            return f"its ttl of {self._ttl:g} s has passed since it was last renewed."
        return None

    def _lose(self, why: str, *, report: bool = True) -> None:
        error = lock_lost(self.name, why)
        self.lost.set(error)
        self._stop()
        if report:
            self._client._emitter.report("a lock was lost", error)
        if self._body is not None:
            self._body.cancel()

    def _ended(self) -> None:
        """There will be no connection any more, and the broker gives the lock to others: now, or before its ttl."""
        if self._state is _State.HELD and not self.lost:
            self._lose("the client was disconnected.", report=False)

    def _stop(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    # ---- releasing

    async def release(self) -> None:
        """Give the lock back. Harmless where it is not held, and twice.

        Without a connection the broker is told on the next one, while the ttl lasts; this does not wait for it.

        Raises:
            SwarmwireError: LOCK_LOST if it was lost before.
        """
        if self._state is not _State.HELD:
            return
        why, token, left = self._why_lost(), self._token, self._until - waking_time()
        if why is not None and not self.lost:
            self._lose(why)
        self._stop()
        self._state, self._token = _State.FREE, None
        self.lost.check()
        if token is not None:
            # Whoever stops waiting for this has left the block all the same.
            await asyncio.shield(self._spawn(self._tell_released(token, left)))
            self.lost.check()

    async def _tell_released(self, token: int, left: float) -> None:
        params = {"name": self.name, "token": token}
        try:
            await self._client.call("lock.release", params, timeout=max(_LEAST, min(_SPARE, left)))
        except SwarmwireError as error:
            if not _is_taken(error):
                self._spawn(self._give_back(token, left))
            elif self._state is _State.FREE:  # not acquired anew by now
                self.lost.set(lock_lost(self.name, error.message))

    async def _give_back(self, token: int, left: float) -> None:
        """Release it as soon as that can be told; after its ttl it is free by itself."""
        params, seconds = {"name": self.name, "token": token}, max(_LEAST, left)
        try:
            async with asyncio.timeout(seconds):
                await self._patience.call("lock.release", params, self._patience.time() + seconds)
        except (SwarmwireError, TimeoutError) as error:
            _log.info("the lock %r was not given back, and lapses: %s", self.name, error)

    # ---- the block

    async def __aenter__(self) -> Self:
        await self.acquire()
        if self._body is not None:
            self._body.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_ours = self._body is not None and self._body.end()
        try:
            await self.release()
        except SwarmwireError:  # what the body has failed with says more than that the lock was lost, too
            if error is None or (is_ours and isinstance(error, asyncio.CancelledError)):
                raise

    # ---- inside

    @property
    def _ttl_ms(self) -> int:
        return round(self._ttl * 1000)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("keeping the lock %r failed", self.name, exc_info=error)


def _is_taken(error: SwarmwireError) -> bool:
    return error.code in _TAKEN and error.field is not None
