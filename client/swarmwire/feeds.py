"""All subscriptions of a client: what to ask the broker for, and which of them an event is for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from swarmwire_protocol import messages as wire
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.topics import matches

from .errors import ErrorCode, SwarmwireError, afresh, error_from
from .feed import Feed, FeedState
from .inbox import Inbox
from .options import Ask
from .records import Gap

__all__ = ["CACHED_TOPICS", "Asker", "Feeds"]

CACHED_TOPICS: Final = 10_000
"""Topics whose subscriptions are remembered; when they are more, all are forgotten."""

_RETRY_DELAY: Final = 1.0


class Asker(Protocol):
    """The way to the broker, as long as there is a connection."""

    epoch: str

    def subscribe(self, feeds: list[Feed], done: Callable[[], None]) -> None:
        """Ask for these; every answer goes to `Feeds.answered` or `Feeds.refused`, then `done` is called."""
        ...

    def unsubscribe(self, names: list[str]) -> None: ...


class Feeds:
    """The table of subscriptions. It does no I/O: it asks through an `Asker`, which is None between connections.

    `on_gap` is told of every gap; `call_later` takes a delay in seconds and a function.
    """

    def __init__(
        self, on_gap: Callable[[Gap], None], call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._on_gap = on_gap
        self._call_later = call_later
        self._numbers = itertools.count(1)
        self._feeds: dict[str, Feed] = {}
        self._shared: dict[str, tuple[Feed, ...]] = {}
        self._asker: Asker | None = None
        self._verdict: SwarmwireError | None = None
        self.ended = False
        """Whether there will be no connection any more."""
        self.pressed = False
        """Whether an iterator is more than half full: its reader should get a turn."""

    # ---- What users do

    def open(self, ask: Ask, inbox: Inbox, *, with_gaps: bool, with_live: bool = False) -> Feed:
        """Add a subscription, and ask for it if there is a connection."""
        feed = Feed(self._new_name(), ask, inbox, with_gaps=with_gaps, with_live=with_live)
        if self.ended:
            feed.stop(self._fresh_verdict())
            return feed
        self._add(feed)
        self._ask_for([feed])
        return feed

    def close(self, feed: Feed, error: SwarmwireError | None = None) -> None:
        """Remove a subscription, and tell the broker. Harmless twice."""
        if feed.state is FeedState.ENDED:
            return
        known_to_broker = feed.listens
        self._remove(feed)
        feed.stop(error)
        if known_to_broker and self._asker is not None:
            self._asker.unsubscribe([feed.name])

    def wake(self, feed: Feed) -> None:
        """Ask again for a subscription that was paused, once its iterator is half empty."""
        if feed.state is FeedState.PAUSED and feed.inbox.half_empty:
            feed.state = FeedState.IDLE
            self._ask_for([feed])

    def end(self, error: SwarmwireError | None) -> None:
        """End all subscriptions: by intent, or because the connection failed for good."""
        if self.ended:
            return
        self.ended, self._verdict = True, error
        for feed in list(self._feeds.values()):
            self._remove(feed)
            feed.stop(self._fresh_verdict())

    # ---- What the connection does

    def connected(self, asker: Asker, done: Callable[[], None]) -> None:
        """Ask again for everything, each at its own place; `done` is called when all is answered."""
        self._asker = asker
        idle = [feed for feed in self._feeds.values() if feed.state is FeedState.IDLE]
        if idle:
            self._subscribe(asker, idle, done)
        else:
            done()

    def lost(self) -> None:
        """The connection is gone: nothing is asked for any more."""
        self._asker = None
        for feed in self._feeds.values():
            if feed.listens:
                feed.state = FeedState.IDLE

    def answered(self, asked: dict[str, Feed], results: Iterable[wire.SubscribeResult]) -> None:
        """The broker decided about what was asked for under these names, item by item."""
        for result in results:
            feed = asked.get(result.sub)
            if feed is None or feed.name != result.sub or not feed.listens:
                continue
            if result.error is not None:
                self._refuse(feed, error_from(result.error))
            elif result.cursor is not None:
                feed.accepted(Cursor.parse(result.cursor))

    def refused(self, asked: dict[str, Feed], error: SwarmwireError) -> None:
        """The broker refused everything that was asked for under these names."""
        for name, feed in asked.items():
            if feed.name == name and feed.listens:
                self._refuse(feed, afresh(error))

    # ---- What the broker says

    def take_event(self, message: wire.Event) -> None:
        """Hand an event to the subscription it names; without a name, to every live one that it matches."""
        if message.sub is not None:
            feed = self._feeds.get(message.sub)
            if feed is not None and feed.listens:
                self._give(feed, message)
            return
        for feed in self._matching(message.topic):
            if feed.state is FeedState.LIVE:
                self._give(feed, message)

    def take_live(self, message: wire.Live) -> None:
        """A replay is complete."""
        feed = self._feeds.get(message.sub)
        if feed is not None and feed.listens:
            feed.went_live(Cursor.parse(message.cursor))

    def take_position(self, message: wire.Position) -> None:
        """Everything up to a place was received."""
        cursor = Cursor.parse(message.cursor)
        for feed in list(self._meant(message.sub)):
            feed.reached(cursor)

    def take_gap(self, message: wire.Gap) -> None:
        """Events may be missing."""
        end = Cursor.parse(message.to)
        for feed in list(self._meant(message.sub)):
            gap = feed.missed(Gap(message.from_, message.to, message.reason, feed.ask.pattern, message.dropped), end)
            if gap is None:
                continue
            if message.reason == "denied":
                self._deny(feed, gap)
            elif feed.pass_gap(gap, end):
                self._on_gap(gap)
            else:
                self._pause(feed)

    # ---- Inside

    def _fresh_verdict(self) -> SwarmwireError | None:
        return None if self._verdict is None else afresh(self._verdict)

    def _meant(self, name: str | None) -> Iterator[Feed]:
        """The subscription of that name; without a name, all that share the position of the connection."""
        if name is None:
            yield from (each for each in self._feeds.values() if each.ask.shared and each.state is FeedState.LIVE)
        elif (feed := self._feeds.get(name)) is not None and feed.listens:
            yield feed

    def _matching(self, topic: str) -> tuple[Feed, ...]:
        found = self._shared.get(topic)
        if found is None:
            feeds = self._feeds.values()
            found = tuple(each for each in feeds if each.ask.shared and matches(each.ask.pattern, topic))
            if len(self._shared) >= CACHED_TOPICS:
                self._shared.clear()
            self._shared[topic] = found
        return found

    def _give(self, feed: Feed, message: wire.Event) -> None:
        if not feed.take(message):
            self._pause(feed)
        elif not feed.inbox.half_empty:
            self.pressed = True

    def _pause(self, feed: Feed) -> None:
        """Tell the broker to stop. What it has sent already is dropped, and comes again from the place received.

        The next time is under another name: what was on its way under this one must not be taken for the new.
        """
        name = feed.name
        self._remove(feed)
        feed.name = self._new_name()
        feed.state = FeedState.PAUSED
        self._add(feed)
        if self._asker is not None:
            self._asker.unsubscribe([name])

    def _deny(self, feed: Feed, gap: Gap) -> None:
        self._remove(feed)
        feed.stop(
            SwarmwireError(
                ErrorCode.PERMISSION_DENIED, f"The identity may no longer subscribe to {feed.ask.pattern!r}."
            )
        )
        self._on_gap(gap)

    def _refuse(self, feed: Feed, error: SwarmwireError) -> None:
        if feed.acknowledged and _passes(error):
            feed.state = FeedState.IDLE
            delay = _RETRY_DELAY if error.retry_after_ms is None else error.retry_after_ms / 1000
            self._call_later(delay, lambda: self._ask_for([feed]))
            return
        self._remove(feed)
        feed.stop(error)

    def _ask_for(self, feeds: list[Feed]) -> None:
        idle = [feed for feed in feeds if feed.state is FeedState.IDLE]
        if idle and self._asker is not None:
            self._subscribe(self._asker, idle, _nothing)

    def _subscribe(self, asker: Asker, feeds: list[Feed], done: Callable[[], None]) -> None:
        for feed in feeds:
            if (gap := feed.begin_anew(asker.epoch)) is not None:
                self._on_gap(gap)
        asker.subscribe(feeds, done)

    def _add(self, feed: Feed) -> None:
        self._feeds[feed.name] = feed
        self._shared.clear()

    def _remove(self, feed: Feed) -> None:
        self._feeds.pop(feed.name, None)
        self._shared.clear()

    def _new_name(self) -> str:
        return f"s{next(self._numbers)}"


def _passes(error: SwarmwireError) -> bool:
    """Whether a subscription that was good before will be so again after a while."""
    return error.retry_after_ms is not None or error.code in (
        ErrorCode.RATE_LIMIT_EXCEEDED,
        ErrorCode.UNAVAILABLE,
    )


def _nothing() -> None:
    """Nobody waits for the answers."""
