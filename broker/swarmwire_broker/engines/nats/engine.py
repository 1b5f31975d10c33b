"""The engine of many brokers: one log on NATS JetStream, which every broker follows by one consumer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...natslink.jetstream import JetStream
from ...natslink.link import Link
from ...natslink.login import LinkFiles
from ..base import Put, Stored
from ..dedupe import DedupeTable, monotonic_ms
from ..entry import Draft, Entry, Outcome
from ..retention import Keep
from ..writequeue import WriteQueue
from .body import Topics
from .feed import Feed
from .follower import Follower
from .interest import Interest
from .publishing.window import Window
from .reading import NatsReading
from .reads.reads import Reads
from .ring import Ring
from .state.state import NatsState
from .streams import EngineMismatch, LogStream, topic_prefix
from .subjects import Subjects
from .tending import Tending

__all__ = ["EngineMismatch", "NatsEngine"]


_SURVIVES_POWER_LOSS: Final = 3
"""Servers that keep the log."""


def _nothing(*_: object) -> None:
    """Who hears of it until somebody does."""


class NatsEngine(NatsReading):
    """A log that many brokers share. The limits are those of `core.settings.Limits`.

    Arguments:
        servers: `nats://` and `tls://` addresses; one that can be reached is enough.
        space: which log of these servers.
        replicas: how many servers keep it; None: three where there are so many, else one.
        files: what is needed to be let in.
        steady_ms: milliseconds that only rise; by these idempotency keys are kept here.
        name: what the servers call this broker in their reports.
        start_timeout, close_timeout: seconds for the servers to be there, and for what waits to be stored at the end.
        window_events, window_bytes: the newest events that are held in memory.
        queue_events, queue_bytes: what may wait to be stored before publishers are slowed.

    Attributes:
        link: the connection to the servers.
        keys, queue, ring: idempotency keys, what waits to be stored, what is in memory.
        window, state: the way into the log, and what goes with it.
        durability: a single server acknowledges before it has written to its disk; three do not lose power together.
        replicas: how many servers keep the log; 0 before it is started.
        renewed, missed: see `Engine`.
    """

    defers = True
    remote = True

    def __init__(
        self,
        servers: Sequence[str],
        *,
        space: str = "main",
        replicas: int | None = None,
        files: LinkFiles | None = None,
        name: str = "swarmwire",
        steady_ms: Callable[[], int] = monotonic_ms,
        log_events: int | None = 100_000,
        log_bytes: int | None = None,
        log_age_ms: int | None = None,
        dedupe_ms: int = 60_000,
        dedupe_keys: int = 1_000_000,
        dedupe_keys_per_subject: int = 500_000,
        window_events: int = 50_000,
        window_bytes: int = 64 * 1024 * 1024,
        queue_events: int = 10_000,
        queue_bytes: int = 16 * 1024 * 1024,
        max_filters: int = 128,
        start_timeout: float = 15.0,
        close_timeout: float = 5.0,
    ) -> None:
        self.epoch = ""
        self.durability = "stored_lazily"
        self.replicas = 0
        self.renewed: Callable[[], None] = _nothing
        self.relieved: Callable[[], None] = _nothing
        self.keys = DedupeTable(dedupe_ms, dedupe_keys, dedupe_keys_per_subject)
        self.queue = WriteQueue(self.keys, queue_events, queue_bytes)
        self.queue.relieved = lambda: self.relieved()
        self._servers = tuple(servers)
        self._files = files
        self._holds_nothing = log_events == 0 or log_bytes == 0
        self._close_timeout = close_timeout
        self._closing: asyncio.Task[None] | None = None
        self._is_started = False
        self.link = self.new_link(f"{name} log")
        self._js = js = JetStream(self.link)
        self._stream = LogStream(js, space, Keep(log_events, log_bytes, log_age_ms), dedupe_ms, replicas)
        subjects = Subjects(topic_prefix(space))
        topics = Topics(subjects)
        self.ring = Ring(window_events, window_bytes)
        self._interest = Interest(subjects, limit=max_filters)
        self._feed = Feed(self.link, self.ring, topics, turnover=self._stream.turnover)
        self._tending = Tending(self.link, self._stream, self, start_timeout=start_timeout)
        self._follower = Follower(
            self.link,
            js,
            self._stream.name,
            subjects,
            self._interest,
            self.ring,
            self._feed,
            self._tending.look,
            self._tending.doubt,
        )
        self.window = Window(
            self.link,
            self.queue,
            subjects,
            self._follower,
            self._tending.doubt,
            dedupe_ms=dedupe_ms,
            steady_ms=steady_ms,
        )
        self._reads = Reads(self.link, js, self._stream.name, subjects, topics, lambda: self.head)
        self.state = NatsState(
            self.link,
            js,
            space=space,
            replicas=replicas,
            publish=self.window.publish,
            position=lambda: (self.epoch, self.head),
            log_stream=self._stream.name,
            prefix=subjects.prefix,
            dedupe_ms=dedupe_ms,
        )

    def new_link(self, name: str) -> Link:
        """Another link to the same servers, not started: what goes over it is not in the way of events."""
        return Link(self._servers, name=name, files=self._files)

    @property
    def listener(self) -> Callable[[Entry], None]:
        return self._feed.listener

    @listener.setter
    def listener(self, listener: Callable[[Entry], None]) -> None:
        self._feed.listener = listener

    @property
    def missed(self) -> Callable[[int], None]:
        return self._feed.missed

    @missed.setter
    def missed(self, missed: Callable[[int], None]) -> None:
        self._feed.missed = missed

    @property
    def congested(self) -> bool:
        return self.queue.congested

    @property
    def trouble(self) -> str | None:
        return self._tending.trouble

    @property
    def server_versions(self) -> tuple[str, ...]:
        """The version of the server this broker is connected to; none while there is none."""
        server = self.link.server
        return (server.version_text,) if server is not None else ()

    @property
    def server(self) -> str:
        """The name of that server."""
        server = self.link.server
        return server.name if server is not None else ""

    @property
    def cluster_size(self) -> int:
        """How many servers are known to take brokers; 1 where it is alone."""
        server = self.link.server
        return max(1, len(server.connect_urls)) if server is not None else 1

    @property
    def in_flight(self) -> int:
        """Publishes that are sent and not acknowledged."""
        return self.window.flying

    @property
    def lag(self) -> int:
        """How far this broker is behind the log, as far as it knows."""
        return max(0, self._tending.last - self.head, self.window.acked - self.head)

    @property
    def follower_restarts(self) -> int:
        """How often the consumer was made anew."""
        return max(0, self._follower.restarts)

    @property
    def filters(self) -> int:
        """How many filters it follows the log by; 1 where it follows everything."""
        return self._follower.filters

    # ---- life

    async def start(self) -> None:
        """Reach the servers, and open the log; it is made if it is not there.

        Raises:
            EngineMismatch: the log is there and is not as this broker is set up, or the servers cannot have it.
            OSError: they cannot be reached, or have no JetStream.
        """
        try:
            await self._tending.start(self._start)
        except BaseException:
            await self.link.close()
            await self._follower.close()
            raise
        self._forget = self.link.after_read(self._settle)
        self._follower.made = self._settle
        self._tending.watch()
        self.window.resume()
        self._is_started = True

    async def _start(self, timeout: float) -> None:
        """The log is there: follow it."""
        facts = self._tending.facts
        self.epoch = facts.epoch
        self.replicas = facts.replicas
        self.durability = "stored" if facts.replicas >= _SURVIVES_POWER_LOSS else "stored_lazily"
        await self._follower.start(facts.last)
        self.learn(facts)
        await self.state.start(timeout)

    def _settle(self) -> None:
        """All that one read has brought is handed out."""
        self.window.settle()
        self._follower.told()

    async def close(self) -> None:
        """Store what waits, for a few seconds at most, and close. Harmless twice."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._is_started:
            self._is_started = False
            await self.state.close()
            await self.window.close(self._close_timeout if self.trouble is None else 0.0)
            await self._tending.close()
            await self._reads.close()
            await self._follower.close()
            self._forget()
        await self.link.close()

    # ---- publishing

    def append(self, draft: Draft) -> None:
        if self._is_started:
            self.window.append(draft)
        elif draft.done is not None:
            draft.done(Outcome(error=SwarmwireError(ErrorCode.SHUTTING_DOWN, "The log is closed.")))

    def append_all(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.append(draft)

    def interest(self, pattern: str, wanted: bool) -> None:
        self._follower.want(pattern, wanted)

    # ---- state

    async def get(self, key: str) -> Stored | None:
        return await self.state.get(key)

    async def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        return await self.state.scan(prefix)

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        if any(draft.key is not None for draft in appends):
            raise ValueError("expected drafts without a key: one of them could be refused when the rest is done")
        return await self.state.transact(puts, appends)

    # ---- what the log's keeper tells

    @property
    def known(self) -> int:
        """A place that the log has reached for certain."""
        return max(self._feed.position, self.window.acked)

    @property
    def has_fallen(self) -> bool:
        """Whether an acknowledgement says that the log has lost something."""
        return self.window.has_fallen

    @property
    def is_open(self) -> bool:
        """Whether what is published is sent."""
        return self.window.is_open

    def pause(self) -> None:
        """The link is about to be that to another server."""
        self.window.pause()

    def lost(self) -> None:
        """The link is down."""
        self.window.lost()
        self._follower.again()

    def resume(self) -> None:
        """The log is there: go on."""
        self.window.resume()

    def refuse(self, refusal: SwarmwireError | None) -> None:
        """Refuse every publish with this; None: take them again."""
        self.window.refusal = refusal

    def renew(self) -> None:
        """The log is another one now."""
        self.epoch = self._tending.epoch
        self.keys.clear()
        self.window.renew()
        self._follower.renew(0)
        self.renewed()

    def tick(self) -> None:
        """A quarter of a second has passed."""
        self.window.tick()
        self._follower.tick()
