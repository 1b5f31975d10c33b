"""One page of the log on its way from the servers."""

from __future__ import annotations

from ....natslink import LinkError
from ...base import Page, PageLimit
from ...entry import Entry
from ..body import Topics, entry_of
from .consumers import Consumers
from .pullconsumer import Message, PullConsumer
from .readplan import Wanted

__all__ = ["Paging"]


class Paging:
    """A page of what is wanted, from behind `after` up to `until`. It may take several consumers, if they are lost."""

    def __init__(
        self, consumers: Consumers, topics: Topics, wanted: Wanted, after: int, until: int, limit: PageLimit
    ) -> None:
        self._consumers = consumers
        self._topics = topics
        self._wanted = wanted
        self._after = after
        self._until = until
        self._limit = limit
        self._found: list[Entry] = []
        self._size = 0
        self._scanned = 0

    async def page(self) -> Page | None:
        """The page; None if a server has got no further than we are, and then it can be asked for again.

        Raises:
            LinkError: likewise.
        """
        consumer = await self._consumers.take(self._wanted, self._after)
        ended = True
        try:
            page = await self._read(consumer)
            ended = page is None or page.upto >= self._until
            return page
        except LinkError:
            if self._scanned:  # the next page goes on from here
                return self._page(self._after)
            raise
        finally:
            if ended:
                self._consumers.drop(consumer)
            else:
                self._consumers.park(consumer, self._wanted, self._after)

    async def _read(self, consumer: PullConsumer) -> Page | None:
        while True:
            while consumer.messages:
                page = self._look_at(consumer.messages[0], consumer)
                if page is not None:
                    return page
                consumer.messages.popleft()
            if self._is_full or self._is_costly:
                return self._page(self._after)
            reached = await self._fill(consumer)
            if reached is not None:
                is_further = self._scanned > 0 or reached > self._after
                return self._page(max(reached, self._after)) if is_further else None

    def _look_at(self, message: Message, consumer: PullConsumer) -> Page | None:
        """Take a message into the page, if it belongs there; the page, if it ends in front of the message."""
        if message.seq > self._until:
            return self._page(self._until)
        if message.seq <= self._after:  # given already, by a consumer that was lost
            return None
        if self._is_costly:
            return self._page(self._after)
        entry = self._entry(message, consumer)
        if entry is not None:
            if self._is_full:
                return self._page(message.seq - 1)
            self._found.append(entry)
            self._size += len(entry.payload)
        self._scanned += 1
        self._after = message.seq
        return None

    def _entry(self, message: Message, consumer: PullConsumer) -> Entry | None:
        """The event that a message is, if it is wanted."""
        entry = entry_of(message.seq, message.ts_ms, message.subject, message.headers, message.payload, self._topics)
        if entry is None or not self._wanted.matcher(entry.topic):
            return None
        if entry.clear and self._wanted.is_snapshot and message.consumer_seq <= consumer.matching:
            return None  # the topic has no last event; behind these come the changes since, and each is told
        return entry

    async def _fill(self, consumer: PullConsumer) -> int | None:
        """Fetch more; the place up to which there is nothing more, if there is not."""
        limit = self._limit
        most = min(limit.entries - len(self._found), limit.scan - self._scanned)
        if await consumer.pull(most, limit.bytes - self._size) or consumer.messages:
            return None
        return await consumer.probe()

    @property
    def _is_full(self) -> bool:
        return len(self._found) >= self._limit.entries or self._size >= self._limit.bytes

    @property
    def _is_costly(self) -> bool:
        return self._scanned >= self._limit.scan

    def _page(self, upto: int) -> Page:
        self._after = min(upto, self._until)
        return Page(self._found, self._after, self._scanned)
