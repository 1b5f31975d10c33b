"""A stream of events on a real server, filled without a broker, and what reading it should give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from swarmwire_broker.engines.base import Draft, Entry, Page, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.nats.body import Topics, stored_headers, stored_payload
from swarmwire_broker.engines.nats.reads.reads import Reads
from swarmwire_broker.engines.nats.subjects import Subjects
from swarmwire_broker.natslink import JetStream, Link
from swarmwire_protocol.codec import event_head, event_origin

from ....nats.servers import new_space
from ..models import BROAD, check_page_limits

__all__ = ["Stream", "streaming"]


class Stream:
    """Events in a stream; `held` is what they should be read as, without payloads. `head` is what readers may see."""

    def __init__(self, link: Link, **options: Any) -> None:
        space = new_space()
        self.link = link
        self.js = JetStream(link)
        self.name = f"swarmwire_{space}_log"
        self.subjects = Subjects(f"swarmwire.{space}.e.".encode())
        self.held: list[Entry] = []
        self.head = 0
        self.reads = Reads(link, self.js, self.name, self.subjects, Topics(self.subjects), lambda: self.head, **options)

    async def make(self, **config: Any) -> None:
        body = {"name": self.name, "subjects": [self.subjects.everything.decode()], "storage": "file", **config}
        await self.js.ask(f"STREAM.CREATE.{self.name}", body)

    async def delete(self) -> None:
        await self.js.ask(f"STREAM.DELETE.{self.name}")

    async def publish(self, *topics: str, clear: bool = False, data: bytes = b"1") -> None:
        """Publish one event on each topic; all of them are in the stream when it returns."""
        for number, topic in enumerate(topics):
            draft = Draft(topic, event_head(topic), event_origin("alice"), data, clear=clear)
            self.held.append(Entry(len(self.held) + 1, 0, topic, b"", None, clear))
            subject = self.subjects.subject(topic)
            if number + 1 < len(topics):
                self.link.publish(subject, stored_payload(draft), headers=stored_headers(draft))
                if number % 1_000 == 999:
                    await self.link.flush(10.0)
            else:
                await self.link.request(subject, stored_payload(draft), headers=stored_headers(draft), timeout=10.0)
        self.head = len(self.held)

    async def purge(self, below: int) -> None:
        """Take away what stands below a place."""
        if below > 1:  # a server takes less for everything
            await self.js.ask(f"STREAM.PURGE.{self.name}", {"seq": below})
        self.held = [entry for entry in self.held if entry.seq >= below]

    async def consumers(self) -> list[str]:
        """The consumers there are, as the server has it."""
        answer = await self.js.ask(f"CONSUMER.NAMES.{self.name}", {"offset": 0})
        return list(answer["consumers"] or [])

    async def no_consumers(self) -> None:
        """Wait until there are none."""
        async with asyncio.timeout(5.0):
            while len(await self.consumers()):
                pass

    async def fetch(self, pattern: str, after: int = 0, limit: PageLimit = BROAD) -> Page:
        return await self.reads.fetch(Matcher([pattern]), after, limit)

    async def read_all(self, patterns: list[str], after: int = 0, limit: PageLimit = BROAD) -> list[Entry]:
        """Everything behind a place, page by page; each page keeps to its limit and goes further than the last."""
        found: list[Entry] = []
        matcher = Matcher(patterns)
        while after < self.head:
            page = await self.reads.fetch(matcher, after, limit)
            assert after < page.upto <= self.head
            _check(page, after, limit)
            found += page.entries
            after = page.upto
        return found

    async def snapshot(self, patterns: list[str], limit: PageLimit = BROAD, after: int = 0) -> list[int]:
        """The places of the last events of matching topics, as of now, page by page."""
        found: list[int] = []
        matcher, until = Matcher(patterns), self.head
        while after < until:
            page = await self.reads.latest(matcher, after, until, limit)
            assert after < page.upto <= until
            _check(page, after, limit)
            found += [entry.seq for entry in page.entries]
            after = page.upto
        return found


def _check(page: Page, after: int, limit: PageLimit) -> None:
    seqs = [entry.seq for entry in page.entries]
    assert seqs == sorted(set(seqs))
    assert all(after < seq <= page.upto for seq in seqs)
    assert len(seqs) <= page.scanned <= limit.scan
    check_page_limits(page.entries, limit)


@asynccontextmanager
async def streaming(*servers: str, replicas: int = 1, **options: Any) -> AsyncIterator[Stream]:
    """A stream that is made, and deleted at the end; `options` are those of `Reads`."""
    link = Link(servers, name="test")
    await link.start()
    try:
        stream = Stream(link, **options)
        await stream.make(num_replicas=replicas)
        yield stream
        await stream.reads.close()
        assert stream.reads.consumers.open == 0
        await stream.delete()
    finally:
        async with asyncio.timeout(10.0):
            await link.close()
