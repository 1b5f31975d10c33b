"""The consumers that reading holds open: under a cap, and for a moment longer, because a reader asks page by page."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ....natslink import JetStream, Link, LinkDown
from ..subjects import Subjects
from .pullconsumer import PullConsumer
from .readplan import Wanted

__all__ = ["Consumers"]

_OPENING: Final = 2.0
_IDLE: Final = 3.0
"""Seconds that a consumer is kept for the next page of its reader; less than the server keeps it."""

_CLOSING: Final = 1.0


class Consumers:
    """Consumers of one stream, at most so many at once; who needs one more waits for it.

    Attributes:
        open: how many there are.
    """

    def __init__(self, link: Link, js: JetStream, stream: str, subjects: Subjects, *, most: int) -> None:
        self.open = 0
        self._link = link
        self._js = js
        self._stream = stream
        self._subjects = subjects
        self._free = asyncio.Semaphore(most)
        self._waiting = 0
        self._parked: OrderedDict[Hashable, tuple[PullConsumer, asyncio.TimerHandle]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def subjects(self) -> Subjects:
        """The subjects of the stream."""
        return self._subjects

    @property
    def version(self) -> tuple[int, ...]:
        """That of the server. Raises LinkDown."""
        server = self._link.server
        if server is None:
            raise LinkDown("there is no connection to NATS now")
        return server.version

    async def take(self, wanted: Wanted, after: int) -> PullConsumer:
        """The consumer that the last page of the same left at this place, or a new one. Raises LinkError."""
        parked = self._parked.pop((wanted.key, after), None)
        if parked is not None:
            parked[1].cancel()
            return parked[0]
        return await self.make(wanted.config(self._subjects, self.version, after))

    async def make(self, config: Mapping[str, Any]) -> PullConsumer:
        """A new one. Raises LinkError."""
        await self._room()
        consumer = PullConsumer(self._link, self._js, self._stream)
        try:
            await consumer.open(config, timeout=_OPENING)
        except BaseException:
            self.drop(consumer)
            raise
        return consumer

    async def _room(self) -> None:
        if self._free.locked() and self._parked:
            _, (consumer, timer) = self._parked.popitem(last=False)
            timer.cancel()
            self.drop(consumer)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        if self._closed:
            self._free.release()
            raise SwarmwireError(ErrorCode.SHUTTING_DOWN, "The log is closed.")
        self.open += 1

    def park(self, consumer: PullConsumer, wanted: Wanted, after: int) -> None:
        """Keep it for a while: the same reader goes on from this place."""
        key = (wanted.key, after)
        if self._closed or self._waiting or key in self._parked:
            self.drop(consumer)
            return
        timer = asyncio.get_running_loop().call_later(_IDLE, self._expire, key)
        self._parked[key] = (consumer, timer)

    def _expire(self, key: Hashable) -> None:
        self.drop(self._parked.pop(key)[0])

    def drop(self, consumer: PullConsumer) -> None:
        """It is not needed any more."""
        task = asyncio.get_running_loop().create_task(self._delete(consumer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _delete(self, consumer: PullConsumer) -> None:
        try:
            await consumer.close()
        finally:
            self.open -= 1
            self._free.release()

    async def close(self) -> None:
        """Delete all, within a second. Harmless twice."""
        self._closed = True
        while self._parked:
            _, (consumer, timer) = self._parked.popitem()
            timer.cancel()
            self.drop(consumer)
        tasks = list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_CLOSING)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
