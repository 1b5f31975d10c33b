"""The one consumer of a broker: made, watched, and made anew from where it stopped whenever that is needed."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from ...natslink.errors import LinkDown, LinkError
from ...natslink.jetstream import JetStream
from ...natslink.link import Link, Subscription
from .feed import Feed
from .interest import Interest
from .ring import Ring
from .streams import StreamFacts
from .subjects import Subjects

__all__ = ["Follower"]

log = logging.getLogger("swarmwire.broker.engine")

_HEARTBEAT_NS: Final = 100_000_000
_FORGOTTEN_NS: Final = 5_000_000_000
_FIRST_WITH_FILTERS: Final = (2, 10)
_SUSPECT: Final = 2
_SILENT: Final = 4
"""Ticks without a word from the consumer after which it may be lost, and after which it counts as lost."""

_AHEAD: Final = 0.35
"""Seconds to the next tick and the answer to what was asked by then."""

_NARROW_EVERY: Final = 4
_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_TIMEOUT: Final = 2.0


def _nothing() -> None:
    """Who hears of it until somebody does."""


class Follower:
    """Brings every event that the interest matches, in order and once, as long as the log holds it.

    Arguments:
        look: asks the stream what it holds, and may `renew` the follower.
        doubt: called when the log cannot be followed: something may be wrong with it as a whole.

    Attributes:
        feed: where the events come in, with the position.
        made: called when a consumer was made, or what it had brought was taken after all.
        restarts: how often one was made anew.
    """

    def __init__(
        self,
        link: Link,
        js: JetStream,
        stream: str,
        subjects: Subjects,
        interest: Interest,
        ring: Ring,
        feed: Feed,
        look: Callable[[], Awaitable[StreamFacts]],
        doubt: Callable[[], None],
    ) -> None:
        self.feed = feed
        self.made: Callable[[], None] = _nothing
        self.restarts = -1
        self._link = link
        self._js = js
        self._stream = stream
        self._subjects = subjects
        self._interest = interest
        self._ring = ring
        self._look = look
        self._doubt = doubt
        self._unique = secrets.token_hex(8)
        self._names = 0
        self._name = ""
        self._subscription: Subscription | None = None
        self._needed = asyncio.Event()
        self._unsure = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._assurer: asyncio.Task[None] | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._is_filtered = False  # by what is wanted, even where that is everything
        self._is_between = True  # it stands still: the next consumer is not made yet
        self._silent = 0
        self._ticks = 0
        feed.broken = self._broken
        feed.unsure = self._unsure.set

    @property
    def position(self) -> int:
        """Everything up to here was heard, as far as the interest matches it."""
        return self.feed.position

    @property
    def filters(self) -> int:
        """How many filters it follows by; one where it follows everything."""
        return 1 if self.feed.is_whole else len(self._interest.filters)

    def covers(self, topic: str) -> bool:
        """Whether it comes by the events of a topic, or may do so soon."""
        may_be_gone = self._is_between or self._silent >= _SUSPECT
        return may_be_gone or self.feed.is_whole or self._interest.covers(topic)

    # ---- life

    async def start(self, position: int) -> None:
        """Follow from behind a place on; returns when the consumer is made.

        Raises:
            LinkError: it could not be made. It may be started again.
        """
        self.renew(position)
        await self._make()
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
            self._assurer = asyncio.create_task(self._assure())

    async def close(self) -> None:
        """Take nothing more. Harmless twice."""
        tasks = [task for task in (self._keeper, self._assurer) if task is not None]
        self._keeper = self._assurer = None
        self._stop()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        waiting, self._waiting = self._waiting, []
        for _, reached in waiting:
            if not reached.done():
                reached.set_exception(LinkDown("the log is closed"))

    def renew(self, position: int) -> None:
        """Follow another log, from behind a place on."""
        self._stop()
        self.feed.move(position, renewed=True)
        self._ring.renew(position)
        self._needed.set()

    def again(self) -> None:
        """Make the consumer anew: it stops at once, and what comes after the position comes from the next one."""
        self._stop()
        self._needed.set()

    def want(self, pattern: str, wanted: bool) -> None:
        """Somebody wants a pattern, or nobody does any longer."""
        if self._interest.want(pattern, wanted) and not self.feed.is_whole:
            self.again()

    def _broken(self, why: str) -> None:
        log.info("the log's consumer is made anew: %s", why)
        self.again()

    # ---- consumers

    async def _keep(self) -> None:
        pause = _PAUSE
        while True:
            await self._needed.wait()
            try:
                await self._make()
            except Exception as problem:
                log.info("the log cannot be followed: %s", problem)
                self._needed.set()
                self._doubt()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _PAUSE

    async def _assure(self) -> None:
        """Ask the log whenever the feed must know what it has let go."""
        while True:
            await self._unsure.wait()
            self._unsure.clear()
            asked = monotonic()
            try:
                facts = await self._look()
                self.feed.assure(facts.last, asked)
                self.made()
            except Exception as problem:
                if self.feed.is_waiting:
                    self._broken(f"it is not known what the log has let go: {problem}")

    async def _make(self) -> None:
        asked = monotonic()
        facts = await self._look()
        self._needed.clear()
        self._stop()
        if facts.first > self.position + 1:
            # The log has let go what was to be heard next: it is not heard, but what is left of it can be read. Further
            # than to its first event, because that is gone soon, too.
            self.feed.skip(facts.last)
        self.feed.assure(facts.last, asked)
        filters = self._filters()
        self._is_filtered = bool(filters)
        inbox = self._begin(whole=filters in ([], [self._subjects.everything.decode()]))
        subscription = self._subscription
        answer = await self._js.ask(
            f"CONSUMER.CREATE.{self._stream}.{self._name}", self._request(inbox, filters), timeout=_TIMEOUT
        )
        config = answer["config"]
        if subscription is not self._subscription:
            return  # it was stopped meanwhile, and another is to be made
        if filters and not config.get("filter_subjects") and not config.get("filter_subject"):
            # A server that knows no such thing leaves it out: everything comes.
            self._ring.hear([(">",)])
            self.feed.is_whole = True
            self._is_filtered = False
        self._is_between = False
        self.restarts += 1
        self.made()

    def _filters(self) -> list[str]:
        """What to ask for; nothing means everything."""
        server = self._link.server
        if server is None or server.version < _FIRST_WITH_FILTERS:
            return []
        return [one.decode() for one in self._interest.plan() or (self._subjects.nothing,)]

    def _begin(self, *, whole: bool) -> bytes:
        """Listen where the next consumer is to bring it."""
        self._names += 1
        inbox = self._link.new_inbox()
        self._name = f"broker-{self._unique}-{self._names}"
        self._ring.hear([(">",)] if whole else self._interest.filters)
        self.feed.begin(inbox, whole=whole)
        self._silent = 0
        self._subscription = self._link.subscribe(inbox, self.feed.receive)
        return inbox

    def _request(self, inbox: bytes, filters: list[str]) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": self._name,
            "deliver_subject": inbox.decode(),
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.position + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "flow_control": True,
            "idle_heartbeat": _HEARTBEAT_NS,
            "inactive_threshold": _FORGOTTEN_NS,
            "mem_storage": True,
            "num_replicas": 1,
        }
        if filters:
            config["filter_subjects"] = filters
        return {"stream_name": self._stream, "config": config, "action": "create"}

    def _stop(self) -> None:
        subscription, self._subscription = self._subscription, None
        self._is_between = True
        self.feed.move(self.position)
        if subscription is None:
            return
        subscription.close()
        with suppress(LinkError):
            # Nobody waits for the answer: a consumer that nobody hears is forgotten in seconds.
            api = f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}"
            self._link.publish(api.encode(), b"", reply=self._link.new_inbox())

    # ---- time

    def tick(self) -> None:
        """Time has passed, about a quarter of a second."""
        self._ticks += 1
        feed = self.feed
        if self._subscription is None:
            return
        self._silent = 0 if feed.was_heard else self._silent + 1
        feed.was_heard = False
        feed.ask_ahead(_AHEAD)
        if self._silent >= _SILENT:
            self._broken("it has been silent for too long")
        elif feed.is_behind:
            self._doubt()  # the log may let go faster than this is read
        elif self._ticks % _NARROW_EVERY == 0 and self._is_filtered and self._interest.narrows():
            self.again()

    async def reach(self, seq: int) -> None:
        """Wait until the position is there."""
        if self.position < seq:
            reached = asyncio.get_running_loop().create_future()
            self._waiting.append((seq, reached))
            await reached

    def told(self) -> None:
        """The position may have moved: tell who waits for that."""
        if self._waiting:
            position = self.position
            for seq, reached in self._waiting:
                if seq <= position and not reached.done():
                    reached.set_result(None)
            self._waiting = [one for one in self._waiting if not one[1].done()]
