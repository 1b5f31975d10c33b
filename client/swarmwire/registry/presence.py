"""Being there: a registration that renews itself, outlives connections, and knows when it was lost."""

from __future__ import annotations

import asyncio
import enum
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from ..core import Core
from ..emitter import Emitter
from ..errors import Disconnected, ErrorCode, SwarmwireError, afresh
from .beings import Being

__all__ = ["PASSING", "Ask", "Presence", "PresenceState"]

_log = logging.getLogger("swarmwire.registry")

_PARTS: Final = 3
"""A registration is renewed so many times within its ttl."""

_LEAST: Final = 0.1
"""Seconds between two tries to renew, where the first has failed."""

PASSING: Final = frozenset(
    {
        ErrorCode.UNAVAILABLE,
        ErrorCode.OUTCOME_UNKNOWN,
        ErrorCode.TIMEOUT,
        ErrorCode.RATE_LIMIT_EXCEEDED,
        ErrorCode.LIMIT_EXCEEDED,
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.INTERNAL_ERROR,
        ErrorCode.CANCELLED,
    }
)
"""What is over after a while: what was asked is tried again."""

Ask = Callable[[str, dict[str, Any], float | None], Awaitable[Any]]
"""Calls a method: name, parameters, seconds (None: as long as the client waits)."""


class PresenceState(enum.Enum):
    """Where a registration stands."""

    OUT = "not registered yet, or not any more"
    HERE = "registered, and renewed in time"
    AWAY = "not renewed within its ttl: others may take it for gone"
    LOST = "somebody else has it now, or it may not be registered any more"


class Presence:
    """A registration of one's own: `async with client.registry.register("worker-1", kind="agent") as me`.

    It renews itself three times within its ttl and after each reconnect, with the same epoch. Where the broker has
    let it go meanwhile (it was away for too long, or the broker forgot), it is registered anew, with a higher epoch.

    Attributes:
        id: the being's own; made here where none was asked for.
        epoch: its fencing token; 0 before it is registered.
        being: the being as it was registered last; None before.
    """

    def __init__(self, core: Core, emitter: Emitter, ask: Ask, params: dict[str, Any]) -> None:
        self.id: str = params["id"]
        self.epoch = 0
        self.being: Being | None = None
        self._core = core
        self._emitter = emitter
        self._ask = ask
        self._params = {**params, "owner": secrets.token_hex(8)}
        self._ttl: float = params["ttl"] / 1000
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._renewed = 0.0
        self._line: str | None = None
        self._tried: str | None = None
        self._over = False
        self._error: SwarmwireError | None = None
        self._lost: asyncio.Future[SwarmwireError] = self._loop.create_future()
        self._listeners: list[Callable[[SwarmwireError], object]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._ends: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"Presence({self._params['name']!r}, id={self.id!r}, epoch={self.epoch}, {self.state.name})"

    @property
    def state(self) -> PresenceState:
        """Where it stands, as far as is known here."""
        if self._error is not None:
            return PresenceState.LOST
        if self.being is None or self._over:
            return PresenceState.OUT
        is_late = self._loop.time() - self._renewed >= self._ttl
        return PresenceState.AWAY if is_late else PresenceState.HERE

    @property
    def lost(self) -> asyncio.Future[SwarmwireError]:
        """Await it to learn that it was lost: the error that says why. FENCED: another holder has taken over."""
        return asyncio.shield(self._lost)

    def on_lost(self, listener: Callable[[SwarmwireError], object]) -> Callable[[SwarmwireError], object]:
        """Call a function, or coroutine function, when it is lost; also a decorator."""
        self._listeners.append(listener)
        return listener

    # ---- beginning and ending

    async def start(self) -> Self:
        """Register; `async with` does this, and so does `await`. Harmless twice.

        Raises:
            SwarmwireError: CONFLICT when somebody else has the id, or it was unregistered: make another then;
                UNAVAILABLE without a connection; why it was lost; whatever the broker has against it.
        """
        async with self._turn:
            if self._over:
                raise _over(self.id) if self._error is None else afresh(self._error)
            if self._keeper is None:
                await self._begin()
        return self

    async def _begin(self) -> None:
        registering = self._spawn(self._register())
        try:
            await asyncio.shield(registering)
        except asyncio.CancelledError:
            self._over = True
            self._spawn(self._take_back(registering))
            raise
        self._ends = [self._emitter.listen("connected", lambda _: self._wake.set())]
        self._ends.append(self._core.at_end(self._ended))
        self._keeper = self._spawn(self._keep())

    async def _take_back(self, registering: asyncio.Task[None]) -> None:
        """Nobody waits any more for a registration that may come about."""
        await asyncio.wait((registering,))
        if not registering.cancelled() and registering.exception() is None:
            await self._leave_later()

    async def unregister(self) -> None:
        """Go, of one's own will: at once, and without a last will. Harmless twice, and without a connection.

        Without one the broker is told on the next; where none comes within its ttl, it lets it go by itself.
        """
        is_held = not self._over and self.being is not None
        self._stop()
        if is_held:
            # Whoever stops waiting for this wants to be gone all the same.
            await asyncio.shield(self._spawn(self._leave()))

    async def _leave(self) -> None:
        if not await self._has_left():
            self._spawn(self._leave_later())

    async def _has_left(self) -> bool:
        """Tell the broker, once; False if that is to be tried again."""
        if self._core.link is None:
            return False
        try:
            async with self._turn:
                await self._ask("registry.unregister", {"id": self.id, "epoch": self.epoch}, self._patience)
        except SwarmwireError as error:
            if error.code in PASSING:
                return False
            if error.code not in (ErrorCode.NOT_FOUND, ErrorCode.FENCED):
                raise
        return True

    async def _leave_later(self) -> None:
        """Tell the broker as soon as that can be; after its ttl it is gone by itself."""
        news = asyncio.Event()
        ends = (self._emitter.listen("connected", lambda _: news.set()), self._core.at_end(news.set))
        try:
            async with asyncio.timeout(self._ttl):
                while self._core.ended is None and not await self._has_left():
                    news.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(None if self._core.link is None else self._ttl / _PARTS / _PARTS):
                            await news.wait()
        except (SwarmwireError, TimeoutError) as error:
            _log.info("the registration of %s was not ended, and lapses: %s", self.id, error)
        finally:
            for end in ends:
                end()

    async def __aenter__(self) -> Self:
        return await self.start()

    def __await__(self) -> Generator[Any, None, Self]:
        return self.start().__await__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unregister()

    # ---- what it says of itself

    async def update(self, metadata: dict[str, Any] | None = None, *, status: str | None = None) -> None:
        """Tell something new; what is not given stays as it was.

        Raises:
            SwarmwireError: FENCED when it was lost; UNAVAILABLE without a connection; MESSAGE_TOO_LARGE.
        """
        if self._error is not None:
            raise afresh(self._error)
        told = {name: value for name, value in (("metadata", metadata), ("status", status)) if value is not None}
        async with self._turn:
            try:
                await self._renew(told)
            except SwarmwireError as error:
                if self._is_final(error, told):
                    self._lose(error)
                raise

    # ---- inside

    async def _keep(self) -> None:
        pause = self._ttl / _PARTS
        while not self._over:
            await self._sleep(pause)
            try:
                async with self._turn:
                    if not self._over:
                        await self._renew({})
                pause = self._ttl / _PARTS
            except Exception as fault:
                error = _named(fault)
                if self._is_final(error, {}):
                    self._lose(error)
                    return
                after = 0.0 if error.retry_after_ms is None else error.retry_after_ms / 1000
                pause = max(_LEAST, after, self._ttl / _PARTS / _PARTS)

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        if self._connection not in (self._line, self._tried, None):
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    @property
    def _connection(self) -> str | None:
        return None if self._core.link is None else self._core.link.welcome.client_id

    async def _renew(self, told: dict[str, Any]) -> None:
        params = {**self._params, **told}
        if self._line == self._connection:
            sent = self._loop.time()
            try:
                await self._ask("registry.heartbeat", {"id": self.id, "epoch": self.epoch, **told}, self._patience)
            except SwarmwireError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
            else:
                self._params, self._renewed = params, sent
                return
        former, self._params = self._params, params
        try:
            await self._register()
        except SwarmwireError:
            self._params = former
            raise

    async def _register(self) -> None:
        self._tried = line = self._connection
        sent = self._loop.time()
        params = {**self._params, "epoch": self.epoch} if self.epoch else self._params
        answer = await self._ask("registry.register", params, self._patience)
        self.being = being = msgspec.convert(answer, Being)
        self.epoch, self._renewed, self._line = being.epoch, sent, line

    @property
    def _patience(self) -> float:
        return max(1.0, self._ttl / _PARTS)

    def _is_final(self, error: SwarmwireError, told: dict[str, Any]) -> bool:
        """Whether it was lost for good, and not what was told that the broker does not like."""
        if error.code in (ErrorCode.FENCED, ErrorCode.CONFLICT):
            return True
        return not told and error.code not in PASSING

    def _ended(self) -> None:
        """There will be no connection any more."""
        if not self._over:
            ended = self._core.ended or Disconnected(ErrorCode.UNAVAILABLE, "The client was disconnected.")
            self._lose(afresh(ended), report=False)

    def _lose(self, error: SwarmwireError, *, report: bool = True) -> None:
        if self._over:
            return
        self._error = error
        self._stop()
        self._lost.set_result(error)
        if report:
            self._emitter.report(f"the registration of {self.id} was lost", error)
        for listener in self._listeners:
            self._emitter.run("lost", listener, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # a task that nobody holds may be collected before it ends
        task.add_done_callback(self._tasks.discard)
        return task

    def _stop(self) -> None:
        self._over = True
        self._wake.set()
        for end in self._ends:
            end()
        self._ends = []


def _over(id: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.CONFLICT, f"This object has unregistered {id}; register it by another.", field="id")


def _named(fault: Exception) -> SwarmwireError:
    if isinstance(fault, SwarmwireError):
        return fault
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, f"The registration failed with {type(fault).__name__}.")
