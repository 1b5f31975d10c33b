"""Clients of the real SDK that write down what they do and see."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from swarmwire import Client, Event, Gap, Live, Subscription, SwarmwireError
from swarmwire.options import Settings
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import Outcome

from .history import History
from .records import (
    Acked,
    Complete,
    Connected,
    Ended,
    Lost,
    Missed,
    Mode,
    Publishing,
    Refused,
    Seen,
    Start,
    Subscribed,
    Subscribing,
    Unknown,
    Unsubscribed,
)

__all__ = ["Numbers", "Watch", "Witness", "digest"]

ROOMY = 1_000_000
_A_MOMENT = 0.05

Numbers = itertools.count
"""Where the numbers of events come from: one for a history."""

Pace = Callable[[], Awaitable[None]]
"""What a reader does between two events."""


def digest(data: Any) -> int:
    """A checksum of a payload."""
    return zlib.crc32(orjson.dumps(data))


class Watch:
    """A subscription that is being read. `place` is the last that it was given."""

    def __init__(self, witness: Witness, asked: Subscribing, subscription: Subscription[Any], pace: Pace) -> None:
        self.asked = asked
        self.place: Cursor | None = None
        self.ended = False
        self._witness = witness
        self._subscription = subscription
        self._pace = pace
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        who = {"client": self.asked.client, "sub": self.asked.sub}
        add, now = self._witness.history.add, self._witness.history.now
        try:
            await self._subscription
            cursor = self._subscription.cursor if self.asked.start != "latest" else None
            add(Subscribed(at=now(), **who, cursor=cursor))
            self.place = Cursor.parse(cursor) if cursor is not None else None
            async for item in self._subscription:
                self._note(item)
                await self._pace()
        except SwarmwireError as error:
            add(Ended(at=now(), **who, code=error.code))
        finally:
            self.ended = True

    def _note(self, item: Event | Gap | Live) -> None:
        who: dict[str, Any] = {"client": self.asked.client, "sub": self.asked.sub}
        add, now = self._witness.history.add, self._witness.history.now()
        match item:
            case Live():
                self.place = Cursor.parse(item.cursor)
                add(Complete(at=now, **who))
            case Gap():
                add(Missed(at=now, **who, start=item.start, end=item.end, reason=item.reason, dropped=item.dropped))
                self.place = Cursor.parse(item.end)
            case Event() if item.cursor is not None:
                self.place = Cursor.parse(item.cursor)
                place: dict[str, Any] = {"epoch": self.place.epoch, "seq": self.place.seq}
                what: dict[str, Any] = {"topic": item.topic, "number": _number(item.data), "digest": digest(item.data)}
                add(Seen(at=now, **who, **place, **what, ts=item.ts, skipped=item.skipped))

    async def unsubscribe(self) -> None:
        if not self.ended:
            await self._subscription.unsubscribe()
            self._witness.history.add(
                Unsubscribed(at=self._witness.history.now(), client=self.asked.client, sub=self.asked.sub)
            )

    async def close(self) -> None:
        self._subscription.close()
        await asyncio.wait([self._task])
        self._task.result()


def _number(data: Any) -> int:
    number = data.get("number") if isinstance(data, dict) else None
    return number if isinstance(number, int) else -1


class Witness:
    """One client. It connects again at once and for ever; its publishes wait for a connection as long as it takes."""

    def __init__(self, history: History, numbers: itertools.count[int], name: str, url: str, token: Any = None) -> None:
        self.history = history
        self.name = name
        self.watches: list[Watch] = []
        self._numbers = numbers
        self._subs = itertools.count(1)
        self._publishes: set[asyncio.Task[bool]] = set()
        settings = Settings(
            url=url,
            token=token,
            name=name,
            retry_first=True,
            base_delay=0.02,
            max_delay=0.2,
            connect_timeout=2.0,
            offline_queue=None,
        )
        self.client = Client(settings)
        self.client.listen("connected", lambda _: self.history.add(self._connected()))
        self.client.listen("disconnected", lambda code, _: history.add(Lost(at=history.now(), client=name, code=code)))

    def _connected(self) -> Connected:
        return Connected(at=self.history.now(), client=self.name, epoch=self.epoch)

    @property
    def epoch(self) -> str:
        """The log that the broker named at the last welcome."""
        welcome = self.client._core.welcome  # the one thing that users are not told
        assert welcome is not None
        return Cursor.parse(welcome.cursor).epoch

    # ---- publishing

    def publish(self, topic: str, *, padding: int = 0, echo: bool = True, clear: bool = False) -> asyncio.Task[bool]:
        """Publish in the background; what becomes of it is written down."""
        task = asyncio.create_task(self._publish(topic, padding, echo=echo, clear=clear))
        self._publishes.add(task)
        task.add_done_callback(self._publishes.discard)
        return task

    async def publish_surely(self, topic: str, patience: float) -> None:
        """Publish until a publish is acknowledged. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while True:
                if await self._publish(topic, 0, echo=True, clear=False):
                    return
                await asyncio.sleep(_A_MOMENT)

    async def room(self, most: int) -> None:
        """Wait until at most so many publishes are on their way."""
        while len(self._publishes) > most:
            await asyncio.wait(set(self._publishes), return_when=asyncio.FIRST_COMPLETED)

    async def _publish(self, topic: str, padding: int, *, echo: bool, clear: bool) -> bool:
        """Whether it was acknowledged."""
        number, history = next(self._numbers), self.history
        data = {"number": number, "by": self.name, "text": "x" * padding}
        what: dict[str, Any] = {"topic": topic, "digest": digest(data), "echo": echo, "clear": clear}
        history.add(Publishing(at=history.now(), client=self.name, number=number, **what))
        try:
            published = await self.client.publish(topic, data, echo=echo, clear=clear)
        except SwarmwireError as error:
            kind = Refused if error.outcome is Outcome.NOT_DONE else Unknown
            history.add(kind(at=history.now(), client=self.name, number=number, code=error.code))
            return False
        assert published.seq is not None
        place: dict[str, Any] = {"epoch": self.epoch, "seq": published.seq, "duplicate": published.duplicate}
        history.add(Acked(at=history.now(), client=self.name, number=number, **place))
        return True

    async def published(self, patience: float) -> None:
        """Wait until everything on its way is done. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while self._publishes:
                await asyncio.wait(set(self._publishes))

    # ---- subscribing

    def subscribe(
        self,
        pattern: str,
        pace: Pace,
        *,
        mode: Mode = "all",
        start: Start = "now",
        value: str | int | None = None,
        buffer: int | None = None,
        queue_size: int | None = None,
    ) -> Watch:
        """Subscribe and read in the background; `buffer` None has room for everything."""
        asked = Subscribing(
            at=self.history.now(),
            client=self.name,
            sub=f"{self.name}.{next(self._subs)}",
            pattern=pattern,
            mode=mode,
            start=start,
            value=value,
            roomy=buffer is None,
        )
        self.history.add(asked)
        subscription = self.client.subscribe(
            pattern,
            from_=start if value is None else {"since_ms" if start == "since" else start: value},
            mode="all" if mode == "conflate" else mode,
            conflate_ms=50 if mode == "conflate" else None,
            queue_size=queue_size,
            buffer=ROOMY if buffer is None else buffer,
            gaps=True,
            live=True,
        )
        watch = Watch(self, asked, subscription, pace)
        self.watches.append(watch)
        return watch

    async def close(self) -> None:
        """Disconnect; nothing of it is written down as an end."""
        await self.client.disconnect()
        for watch in self.watches:
            await watch.close()
