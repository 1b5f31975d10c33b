"""A subscription as its reader sees it: an iterator over events."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from swarmwire_protocol.payload import decode_data

from .emitter import Emitter
from .errors import Disconnected, ErrorCode, SwarmwireError, afresh
from .feed import Feed
from .feeds import Feeds
from .inbox import Delivery, Inbox
from .options import Ask
from .progress import Progress, ResumePath
from .records import Event, Gap, Live
from .sealing import Opener

__all__ = ["Subscription"]

T_co = TypeVar("T_co", bound=Event | Gap | Live, covariant=True)


class Subscription(Generic[T_co]):
    """Events of a pattern, in order: `async for event in subscription`.

    The broker is asked when it is first awaited, entered or iterated. `await subscription` returns it once the
    broker has acknowledged it, and so does `async with`, which also ends it on the way out. Iterating raises the
    error of a refused subscribe, or of a connection that failed for good; it ends cleanly after `unsubscribe()` and
    `client.disconnect()`. A subscription that nobody holds any more is ended.

    With a resume file, read by one loop: an event counts as finished when the loop asks for the next, at `commit()`,
    and when `async with` is left without an exception.
    """

    def __init__(
        self,
        feeds: Feeds,
        emitter: Emitter,
        ask: Ask,
        buffer: int,
        *,
        gaps: bool,
        live: bool = False,
        resume_file: ResumePath | None = None,
        resume_interval: float = 0.0,
        opener: Opener | None = None,
    ) -> None:
        if buffer < 1:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, f"Expected room for at least 1 event, got {buffer}.", field="buffer"
            )
        self._feeds = feeds
        self._emitter = emitter
        self._ask = ask
        self._gaps = gaps
        self._live = live
        self._opener = opener
        self._inbox = Inbox(buffer)
        self._progress = Progress(ask, self._inbox, emitter, resume_file, resume_interval)
        self._feed: Feed | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def __repr__(self) -> str:
        return f"Subscription({self.pattern!r}, cursor={self.cursor!r})"

    @property
    def pattern(self) -> str:
        """What it subscribes to."""
        return self._ask.pattern

    @property
    def cursor(self) -> str | None:
        """The place up to which everything was consumed, for `from_={"cursor": ...}`; None while not known.

        An event is consumed when the loop asks for the next one.
        """
        return self._progress.cursor

    @property
    def closed(self) -> bool:
        """Whether it was ended by intent."""
        return self._closed or self._feeds.ended

    # ---- Starting and ending

    def __await__(self) -> Generator[Any, None, Self]:
        return self._opened().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def acknowledged(self) -> None:
        """Wait until the broker has acknowledged it.

        Raises:
            SwarmwireError: when the broker refuses it, or the connection failed for good.
        """
        feed = self._started()
        await feed.settled.wait()
        if feed.error is not None:
            self._progress.close()
            raise afresh(feed.error)
        if not feed.acknowledged:
            raise Disconnected(ErrorCode.UNAVAILABLE, f"The subscription to {self.pattern!r} was ended.")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.commit()
        finally:
            self.close()
            self._progress.close()

    async def unsubscribe(self) -> None:
        """End it; iterating then ends too. Harmless twice. An event that is being worked on is not finished by it."""
        self.close()

    def close(self) -> None:
        """The same, from code that cannot await."""
        self._closed = True
        self._inbox.end()
        if self._feed is not None:
            self._feeds.close(self._feed)
        if not self._progress.in_hand:  # else the loop may still ask for the next, and so finish it
            self._progress.close()

    aclose = unsubscribe

    def commit(self) -> None:
        """Count the event that the loop works on as finished, as asking for the next one does, and save that.

        Raises:
            ResumeFileError: UNAVAILABLE when the resume file cannot be written.
        """
        self._progress.commit()

    def __del__(self) -> None:
        feed = getattr(self, "_feed", None)
        if feed is None:
            return
        self._progress.close()
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._feeds.close, feed)

    # ---- Iterating

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        self._progress.consume()
        feed = self._started()
        while True:
            if self._inbox.idle and not await self._more():
                raise StopAsyncIteration
            if (dropped := self._inbox.lost) is not None:
                # Before anything is taken: a callback that commits must not commit what nobody was shown.
                self._emitter.emit("gap", dropped, dropped.pattern)
            item = self._inbox.take()
            self._feeds.wake(feed)
            found = self._event(item) if isinstance(item, tuple) else self._mark(item)
            if found is not None:
                return cast(T_co, found)
            self._progress.consume()  # nobody is shown it, and what follows may be long in coming

    async def _opened(self) -> Self:
        try:
            await self.acknowledged()
        except asyncio.CancelledError:
            self.close()  # nobody will hold what was not handed over
            raise
        return self

    def _started(self) -> Feed:
        if self._feed is None:
            if self._closed:
                raise Disconnected(ErrorCode.UNAVAILABLE, f"The subscription to {self.pattern!r} was ended.")
            ask, progress = self._progress.opened(), self._progress
            marks = self._live or progress.remembers
            self._feed = self._feeds.open(ask, self._inbox, with_gaps=self._gaps, with_live=marks)
            progress.begin(self._feed)
        return self._feed

    async def _more(self) -> bool:
        try:
            more = await self._inbox.wait()
        except SwarmwireError:
            self._progress.close()
            raise
        if not more:
            self._progress.close()
        return more

    def _event(self, item: Delivery) -> Event | None:
        message, epoch = item
        cursor = None if message.seq is None else f"{epoch}:{message.seq}"
        if cursor is not None:
            self._progress.hand(cursor)
        try:
            data = decode_data(message.data) if self._opener is None else self._opener.open(message, epoch)
        except SwarmwireError as error:
            if self._opener is not None and self._opener.strict:
                raise
            self._emitter.report(f"an event of {message.topic} was left out", error)
            return None
        return Event(
            message.topic,
            data,
            message.seq,
            message.ts,
            cursor,
            message.from_,
            message.headers or {},
            message.skipped,
            message.clear,
        )

    def _mark(self, item: Gap | Live) -> Gap | Live | None:
        if isinstance(item, Live):
            self._progress.hand_live(item.cursor)
            return item if self._live else None
        self._progress.hand(item.end)
        return item if self._gaps else None
