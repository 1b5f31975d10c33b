"""Publishing and subscribing inside the broker's own process: the same router and log, no socket.

A subscription here is a session like any other, with an in-memory sink: a loop that reads slowly catches up from
the log as a slow socket would, and sees a gap where the log has evicted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, overload

import msgspec

from swarmwire_protocol.codec import decode_from_broker
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.handling import Function
from swarmwire_protocol.messages import Conflate, Event, Gap, Live, Position, Publish, StartAt
from swarmwire_protocol.messages import Subscription as Wanted
from swarmwire_protocol.payload import decode_data, encode_data

from .core.hub import Hub
from .core.identity import Author
from .core.listframer import LIST_FRAMER
from .core.permissions import EVERYTHING
from .core.ports import Peer, Verified
from .core.session import SessionState
from .core.subscriptions import learn
from .core.text import exact
from .engines.base import Outcome
from .localcalls import LocalCalls, LocalHandler, LocalHandlers, refusal

__all__ = ["LocalClient", "LocalEvent", "LocalSubscription"]


class LocalEvent(msgspec.Struct, frozen=True):
    """One event, as a loop in this process gets it."""

    topic: str
    data: Any
    ts: int
    seq: int | None
    sender: str | None
    headers: dict[str, str]
    cursor: str | None
    skipped: int = 0
    clear: bool = False


class LocalClient:
    """The broker's own process as a client: it may do everything but publish on `$sys` topics."""

    def __init__(self, hub: Hub, handlers: LocalHandlers | None = None) -> None:
        self._hub = hub
        self._handlers = LocalHandlers() if handlers is None else handlers
        self._calls = LocalCalls(hub, self._handlers)

    def close(self) -> None:
        """Calls fail, and functions are called no more. Harmless twice."""
        self._calls.close()

    async def call(self, method: str, params: Any = None, *, timeout: float | None = None) -> Any:
        """Call a method, of the broker or of whoever handles it; its answer, of a streamed one the last reply.

        `timeout` is in seconds; None is the broker's default. A coroutine that is cancelled cancels the call.

        Raises:
            SwarmwireError: what the method or the handler answered, such as METHOD_NOT_FOUND; TIMEOUT.
        """
        return await self._calls.call(method, params, timeout)

    @overload
    def handler(self, method: str, function: Function) -> LocalHandler: ...

    @overload
    def handler(self, method: str) -> Callable[[Function], LocalHandler]: ...

    def handler(
        self, method: str, function: Function | None = None
    ) -> LocalHandler | Callable[[Function], LocalHandler]:
        """Let a function answer calls of a method; also a decorator.

        It is a function, coroutine function or async generator function of nothing, of the parameters, or of the
        parameters and the `Call`. What it returns is the answer, what it yields are replies as they come;
        `CallError` is an error of its own.

        Raises:
            SwarmwireError: CONFLICT where this process handles the method already; INVALID_TOPIC;
                PERMISSION_DENIED for the broker's own names.
        """
        if function is None:
            return partial(self._handlers.add, method)
        return self._handlers.add(method, function)

    async def publish(
        self,
        topic: str,
        data: Any,
        *,
        sender: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        ephemeral: bool = False,
        clear: bool = False,
    ) -> int | None:
        """Publish; returns when it is decided, with the event's `seq` (None: ephemeral).

        `sender` is what the event's `from` says. Hooks see it as they see a client's.

        Raises:
            SwarmwireError: why it was refused.
        """
        topic = exact(topic)
        author = Author()
        author.permit(EVERYTHING)
        author.scope = "local"
        if sender is not None:
            author.become(Verified(subject=sender, permissions=EVERYTHING))
        raw = encode_data(data)
        message = Publish(
            topic=topic,
            data=raw,
            key=None if key is None else exact(key),
            headers=headers,
            ephemeral=ephemeral,
            clear=clear,
        )
        publishing = self._hub.publishing
        if publishing.hooks.concern(topic):
            await publishing.ask_hooks(message, author)
        await self._room()
        decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def decide(outcome: Outcome) -> None:
            if not decided.done():  # whoever asked may have given up
                decided.set_result(outcome)

        publishing.publish(message, author, decide)
        outcome = await decided
        if outcome.error is not None:
            raise outcome.error
        return outcome.seq or None

    async def _room(self) -> None:
        """Wait while the engine is behind its publishers."""
        while self._hub.engine.congested:
            relieved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._hub.when_relieved(relieved, partial(_wake, relieved))
            await relieved

    def subscribe(
        self,
        pattern: str,
        *,
        from_: str | dict[str, Any] | StartAt = "now",
        mode: str = "all",
        conflate_ms: int | None = None,
        queue_size: int | None = None,
        gaps: bool = False,
    ) -> LocalSubscription:
        """An async iterator of events; with `gaps` it yields `Gap` records in their place too.

        Raises:
            SwarmwireError: a pattern or a start that breaks the grammar, or a broker that is full or draining.
        """
        start = _start_at(from_) if isinstance(from_, dict) else from_
        how: str | Conflate = Conflate(conflate_ms=conflate_ms) if conflate_ms is not None else mode
        wanted = Wanted(pattern=exact(pattern), sub="local", from_=start, mode=how, queue_size=queue_size)
        return LocalSubscription(self._hub, wanted, gaps)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _start_at(fields: dict[str, Any]) -> StartAt:
    try:
        return msgspec.convert(fields, StartAt)
    except msgspec.ValidationError as error:
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, str(error), field="from") from None


class LocalSubscription:
    """Events of one pattern, in order. Close it with `aclose`, or use it as an async context manager."""

    framer = LIST_FRAMER

    def __init__(self, hub: Hub, wanted: Wanted, gaps: bool) -> None:
        self.cursor: str | None = None
        self._hub = hub
        self._wanted = wanted
        self._gaps = gaps
        self._epoch = hub.engine.epoch
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._blocked = False
        self._closed = False
        self._begun = False
        self._arrived = asyncio.Event()
        self._session = hub.connect(self, Peer(transport="local"))
        self._enter()
        self._check()

    def _enter(self) -> None:
        """Come in, unless the broker lets nobody in: then its error is all that was written."""
        if self._session.state is not SessionState.CLOSING:
            self._session.admit_local()
            return
        error = refusal(self._waiting)
        self.close_now()
        raise error

    def _check(self) -> None:
        result = self._session.subscriptions.check([self._wanted], self._session.author.grants)[0]
        if result.error is not None:
            self.close_now()
            raise SwarmwireError(ErrorCode(result.error.code), result.error.message, field=result.error.field)
        if not self._session.subscriptions.is_elsewhere(self._wanted):
            self._begin(self._session.subscriptions.start_of(self._wanted, "local"))

    def _begin(self, start: Any) -> None:
        self._begun = True
        self.cursor = self._session.outbox.cursor(start.position)
        self._session.subscriptions.add(self._wanted, "local", start)
        self._hub.start_news.recall(self._session, self._wanted.pattern, "local", self._wanted.from_)

    def _go_on(self) -> None:
        """The log was made anew: begin again, with a cursor that is of the one before."""
        self._session.lost()
        if self._closed:
            return
        assert self.cursor is not None
        self._wanted = msgspec.structs.replace(self._wanted, from_=StartAt(cursor=self.cursor))
        self._begun = self._blocked = False
        self._session = self._hub.connect(self, Peer(transport="local"))
        with suppress(SwarmwireError):  # where the broker is full, the loop over this ends
            self._enter()
            self._check()
        self._arrived.set()

    # ---- the loop's side

    def __await__(self) -> Generator[Any, None, LocalSubscription]:
        """Wait until it has begun."""
        return self._started().__await__()

    async def _started(self) -> LocalSubscription:
        engine = self._hub.engine
        while not self._begun and not self._closed:
            epoch, session = engine.epoch, self._session
            await learn(engine, self._wanted.from_)
            start = await session.subscriptions.find_start(self._wanted, "local")
            if session.is_welcome and epoch == engine.epoch:  # else what was found is not to be found any more
                self._begin(start)
        return self

    def __aiter__(self) -> LocalSubscription:
        return self

    async def __anext__(self) -> LocalEvent | Gap:
        while True:
            await self._started()
            while self._waiting:
                item = self._read(self._take())
                if item is not None:
                    return item
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()

    def _take(self) -> bytes:
        payload = self._waiting.popleft()
        self._bytes -= len(payload)
        if self._blocked and self._bytes < self._hub.limits.outbox_bytes // 2:
            self._blocked = False
            self._session.resumed()
        return payload

    def _read(self, payload: bytes) -> LocalEvent | Gap | None:
        match decode_from_broker(payload):
            case Event() as event:
                return self._event(event)
            case Gap(to=to) as gap:
                self._moved(to)
                return gap if self._gaps else None
            case Live(cursor=cursor) | Position(cursor=cursor):
                self._moved(cursor)
        return None

    def _moved(self, cursor: str) -> None:
        self.cursor = cursor
        self._epoch = cursor.rpartition(":")[0]

    def _event(self, event: Event) -> LocalEvent:
        if event.seq is not None:
            self.cursor = f"{self._epoch}:{event.seq}"
        return LocalEvent(
            event.topic,
            decode_data(event.data),
            event.ts,
            event.seq,
            event.from_,
            event.headers or {},
            self.cursor if event.seq is not None else None,
            event.skipped or 0,
            event.clear,
        )

    async def aclose(self) -> None:
        """End the subscription. Harmless twice; a loop over it ends, and what waits for it is dropped."""
        self.close_now()

    unsubscribe = aclose

    def close_now(self) -> None:
        """What `aclose` does."""
        self._closed = True
        self._waiting.clear()
        self._bytes = 0
        self._arrived.set()
        self._session.lost()

    async def __aenter__(self) -> LocalSubscription:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_now()

    # ---- the session's side: the sink

    def write(self, block: list[bytes]) -> None:
        if self._closed:
            return
        self._waiting.extend(block)
        self._bytes += sum(map(len, block))
        self._arrived.set()
        if not self._blocked and self._bytes > self._hub.limits.outbox_bytes:
            self._blocked = True
            self._session.paused()

    def buffered(self) -> int:
        # The heartbeat asks this. Whoever lives in this process is alive, however long its loop takes.
        self._session.heard = True
        return self._bytes

    def pause_reading(self) -> None:
        """Nothing is read from here."""

    def resume_reading(self) -> None:
        """Nothing is read from here."""

    def raise_limit(self, max_message_bytes: int) -> None:
        """Nothing is read from here."""

    def close(self, code: int, reason: str, timeout: float) -> None:
        if code == CloseCode.RESTART and not self._hub.is_draining:
            self._hub.clock.call_soon(self._go_on)
            return
        self._closed = True
        self._arrived.set()
        self._hub.clock.call_soon(lambda: self._session.lost())  # the session may not be known here yet
