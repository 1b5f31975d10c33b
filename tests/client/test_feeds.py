"""The table of subscriptions against a model of a broker: whatever happens, nothing is lost, doubled or misordered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from swarmwire.feed import Feed, FeedState
from swarmwire.feeds import Feeds
from swarmwire.inbox import Inbox
from swarmwire.options import ask_for
from swarmwire_protocol import messages as wire
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.topics import matches

EPOCH: Final = "e1"


class Held(NamedTuple):
    """A subscription as the broker holds it."""

    pattern: str
    joined: int


class Broker:
    """A log, and one connection with its two lanes. Answers overtake events, as they may."""

    epoch = EPOCH

    def __init__(self) -> None:
        self.log: list[str] = []
        self.feeds: Feeds
        self.live: dict[str, Held] = {}
        self.answers: deque[Callable[[], None]] = deque()
        self.events: deque[Callable[[], None]] = deque()

    def subscribe(self, feeds: list[Feed], done: Callable[[], None]) -> None:
        asked = {feed.name: feed for feed in feeds}
        items = [feed.request(EPOCH) for feed in feeds]
        results = [wire.SubscribeResult(sub=str(each.sub), cursor=self._begin(each)) for each in items]
        self.answers.append(lambda: self.feeds.answered(asked, results))
        self.answers.append(done)

    def unsubscribe(self, names: list[str]) -> None:
        for name in names:
            self.live.pop(name, None)

    def publish(self, topic: str) -> None:
        self.log.append(topic)
        seq = len(self.log)
        if any(matches(held.pattern, topic) and held.joined < seq for held in self.live.values()):
            self._write(topic, seq)

    def position(self) -> None:
        told = wire.Position(cursor=f"{EPOCH}:{len(self.log)}")
        self.events.append(lambda: self.feeds.take_position(told))

    def deliver(self) -> bool:
        lane = self.answers or self.events
        if lane:
            lane.popleft()()
        return bool(lane)

    def cut(self) -> None:
        self.feeds.lost()
        self.live.clear()
        self.answers.clear()
        self.events.clear()
        self.feeds.connected(self, lambda: None)

    def _begin(self, item: wire.Subscription) -> str:
        head, name = len(self.log), str(item.sub)
        start = head
        if isinstance(item.from_, wire.StartAt):
            start = Cursor.parse(str(item.from_.cursor)).seq
        elif item.from_ == "start":
            start = 0
        if item.from_ != "now":
            for seq in range(start + 1, head + 1):
                if matches(item.pattern, self.log[seq - 1]):
                    self._write(self.log[seq - 1], seq, name)
            live = wire.Live(sub=name, cursor=f"{EPOCH}:{head}")
            self.events.append(lambda: self.feeds.take_live(live))
        self.live[name] = Held(item.pattern, head)
        return f"{EPOCH}:{start}"

    def _write(self, topic: str, seq: int, sub: str | None = None) -> None:
        event = wire.Event(topic=topic, seq=seq, ts=0, data=Raw(b"0"), sub=sub)
        self.events.append(lambda: self.feeds.take_event(event))


class Reader:
    """One subscription and what its reader has read."""

    def __init__(self, feeds: Feeds, pattern: str, start: str, room: int) -> None:
        self.pattern, self.start = pattern, start
        self.inbox = Inbox(room)
        self._feeds = feeds
        self.feed = feeds.open(ask_for(pattern, start, "all", None, None), self.inbox, with_gaps=False)
        self.read: list[int] = []

    def step(self) -> bool:
        if self.inbox.idle:
            return False
        item = self.inbox.take()
        assert isinstance(item, tuple)
        assert item[0].seq is not None
        self.read.append(item[0].seq)
        self._feeds.wake(self.feed)
        return True


PATTERNS = st.sampled_from(["a.*", "#", "b"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(["a.x", "a.y", "b"])),
        st.tuples(
            st.just("open"), st.sampled_from(["a.*", "#", "b"]), st.sampled_from(["now", "start"]), st.integers(1, 4)
        ),
        st.tuples(st.just("deliver"), st.integers(1, 5)),
        st.tuples(st.just("read"), st.integers(0, 5)),
        st.tuples(st.just("position")),
        st.tuples(st.just("cut")),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_every_matching_event_behind_the_beginning_is_read_once_and_in_order(steps: list[tuple[object, ...]]) -> None:
    broker = Broker()
    feeds = broker.feeds = Feeds(lambda gap: None, lambda delay, function: None)
    feeds.connected(broker, lambda: None)
    readers: list[Reader] = []
    for step in steps:
        match step:
            case ("publish", str(topic)):
                broker.publish(topic)
            case ("open", str(pattern), str(start), int(room)):
                readers.append(Reader(feeds, pattern, start, room))
            case ("deliver", int(count)):
                for _ in range(count):
                    broker.deliver()
            case ("read", int(which)) if readers:
                readers[which % len(readers)].step()
            case ("position",):
                broker.position()
            case ("cut",):
                broker.cut()
    while any([broker.deliver(), *(reader.step() for reader in readers)]) or broker.answers or broker.events:
        pass

    for reader in readers:
        assert reader.feed.state is FeedState.LIVE
        begin = 0 if reader.start == "start" else Cursor.parse(str(reader.feed.first)).seq
        due = [n for n, topic in enumerate(broker.log, 1) if n > begin and matches(reader.pattern, topic)]
        assert reader.read == due
