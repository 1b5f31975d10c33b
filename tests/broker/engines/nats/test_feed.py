"""What a consumer brings: in order, or not at all."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest

from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.nats.body import Topics
from swarmwire_broker.engines.nats.feed import Feed
from swarmwire_broker.engines.nats.ring import Ring
from swarmwire_broker.engines.nats.subjects import Subjects
from swarmwire_broker.natslink import LinkDown, encode_headers
from swarmwire_protocol.codec import event_head

INBOX = b"_INBOX.x"


class FakeLink:
    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.is_down = False

    def publish(self, subject: bytes, payload: bytes) -> None:
        if self.is_down:
            raise LinkDown("down")
        self.published.append(subject)


class Bench:
    def __init__(self, *, whole: bool = False) -> None:
        self.link = FakeLink()
        self.ring = Ring(100, 100_000)
        link: Any = self.link
        self.ring.hear([(">",)])
        self.feed = Feed(link, self.ring, Topics(Subjects(b"p.")), turnover=1.0)
        self.story: list[tuple[str, int]] = []
        self.feed.listener = self._hear
        self.feed.missed = lambda upto: self.story.append(("missed", upto))
        self.feed.broken = self._break
        self.feed.unsure = lambda: self.story.append(("unsure", self.feed.position))
        self.broken = False
        self.feed.assure(0, monotonic())
        self.feed.begin(INBOX, whole=whole)

    def stall(self) -> None:
        """Nothing that the log said is of any use by now."""
        for _ in range(2):
            self.feed.assure(0, monotonic() - 2)

    def again(self) -> None:
        """The next consumer."""
        self.broken = False
        self.feed.move(self.feed.position)
        self.feed.begin(INBOX, whole=self.feed.is_whole)

    def _hear(self, entry: Entry) -> None:
        self.story.append(("heard", entry.seq))

    def _break(self, why: str) -> None:
        self.broken = True

    def bring(self, seq: int, consumer_seq: int, *, ts: int = 1_000, payload: bytes | None = None) -> None:
        reply = b"$JS.ACK.s.c.1.%d.%d.%d.0" % (seq, consumer_seq, ts * 1_000_000)
        self.feed.receive(b"p.a", reply, b"", event_head("a") + b'"data":1}' if payload is None else payload)

    def beat(self, consumer_seq: int, seq: int, **more: str) -> None:
        pairs = {"Nats-Last-Consumer": str(consumer_seq), "Nats-Last-Stream": str(seq), **more}
        headers = encode_headers((name.encode(), value.encode()) for name, value in pairs.items())
        self.feed.receive(INBOX, b"", headers.replace(b"NATS/1.0", b"NATS/1.0 100 Idle Heartbeat", 1), b"")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_events_are_heard_in_order_and_move_the_position(bench: Bench) -> None:
    bench.bring(3, 1)
    bench.bring(7, 2)
    assert bench.story == [("heard", 3), ("heard", 7)]
    assert (bench.feed.position, bench.ring.head) == (7, 7)


def test_after_a_message_that_is_missing_nothing_is_heard(bench: Bench) -> None:
    bench.bring(1, 1)
    bench.bring(3, 3)
    assert bench.broken
    assert (bench.story, bench.feed.position) == ([("heard", 1)], 1)


def test_a_heartbeat_moves_the_position_over_what_does_not_match(bench: Bench) -> None:
    bench.bring(1, 1)
    bench.beat(1, 9)
    assert (bench.feed.position, bench.ring.head, bench.broken) == (9, 9, False)
    bench.beat(1, 4)
    assert bench.feed.position == 9


def test_a_heartbeat_that_knows_of_more_messages_than_came_moves_nothing(bench: Bench) -> None:
    bench.beat(1, 9)
    assert bench.broken
    assert bench.feed.position == 0


def test_a_stalled_consumer_is_told_to_go_on(bench: Bench) -> None:
    bench.feed.receive(INBOX, b"$JS.FC.s.c.1", b"NATS/1.0 100 FlowControl Request\r\n\r\n", b"")
    bench.beat(0, 0, **{"Nats-Consumer-Stalled": "$JS.FC.s.c.2"})
    assert bench.link.published == [b"$JS.FC.s.c.1", b"$JS.FC.s.c.2"]
    bench.link.is_down = True
    bench.feed.receive(INBOX, b"$JS.FC.s.c.1", b"NATS/1.0 100 FlowControl Request\r\n\r\n", b"")
    assert bench.broken


def test_what_no_broker_has_stored_is_passed_over(bench: Bench) -> None:
    bench.bring(1, 1, payload=b"hello")
    bench.bring(2, 2)
    assert bench.story == [("heard", 2)]


def test_times_never_fall(bench: Bench) -> None:
    heard: list[int] = []
    bench.feed.listener = lambda entry: heard.append(entry.ts)
    for seq, ts in enumerate((1_000, 900, 1_001), 1):
        bench.bring(seq, seq, ts=ts)
    assert heard == [1_000, 1_000, 1_001]
    bench.feed.move(0, renewed=True)
    bench.feed.begin(INBOX, whole=False)
    bench.bring(1, 1, ts=5)
    assert heard[-1] == 5


def test_whoever_fails_in_hearing_of_an_event_hears_of_the_next(bench: Bench) -> None:
    def fails(entry: Entry) -> None:
        bench.story.append(("heard", entry.seq))
        raise RuntimeError("on purpose")

    bench.feed.listener = fails
    bench.bring(1, 1)
    bench.bring(2, 2)
    assert bench.story == [("heard", 1), ("heard", 2)]


# ---- what the log has let go


def test_where_everything_is_heard_a_hole_is_asked_for_again_before_it_is_believed() -> None:
    bench = Bench(whole=True)
    bench.bring(1, 1)
    for consumer_seq in (2, 1, 1):
        bench.bring(5, consumer_seq)
        assert bench.broken
        bench.again()
    bench.bring(5, 1)
    assert not bench.broken
    assert bench.story == [("heard", 1), ("missed", 4), ("heard", 5)]


def test_a_hole_that_a_heartbeat_tells_of_is_asked_for_again_too() -> None:
    bench = Bench(whole=True)
    for _ in range(3):
        bench.beat(0, 5)
        assert (bench.broken, bench.feed.position) == (True, 0)
        bench.again()
    bench.beat(0, 5)
    assert (bench.story, bench.feed.position) == ([("missed", 5)], 5)


def test_a_hole_that_the_log_has_itself_is_told_before_what_follows_it() -> None:
    bench = Bench(whole=True)
    bench.bring(1, 1)
    bench.feed.floor = 5
    bench.bring(5, 2)
    assert bench.story == [("heard", 1), ("missed", 4), ("heard", 5)]
    assert bench.ring.read(Matcher(["a"]), 1, PageLimit(9, 999, 9)) is None


def test_a_consumer_that_the_server_ends_is_made_anew(bench: Bench) -> None:
    bench.feed.receive(INBOX, b"", b"NATS/1.0 409 Consumer Deleted\r\n\r\n", b"")
    assert bench.broken


def test_where_not_everything_is_heard_a_hole_is_none_as_long_as_the_log_holds_it(bench: Bench) -> None:
    bench.bring(1, 1)
    bench.bring(5, 2)
    assert bench.story == [("heard", 1), ("heard", 5)]
    bench.feed.floor = 8
    bench.bring(9, 3)
    bench.bring(11, 4)
    assert bench.story[2:] == [("missed", 8), ("heard", 9), ("heard", 11)]
    bench.feed.floor = 15
    bench.beat(4, 20)
    assert bench.story[5:] == [("missed", 20)]


def test_what_comes_over_a_hole_waits_for_the_log_where_it_may_have_let_go_something(bench: Bench) -> None:
    bench.stall()
    bench.bring(1, 1)
    bench.bring(5, 2)
    bench.bring(6, 3)
    bench.bring(9, 4)
    bench.beat(4, 20)
    assert bench.story == [("heard", 1), ("unsure", 1)]
    bench.feed.assure(30, monotonic())
    assert bench.story[2:] == [("heard", 5), ("heard", 6), ("heard", 9)]
    assert (bench.feed.position, bench.broken) == (20, False)


def test_a_consumer_that_is_behind_the_log_is_trusted_over_no_hole(bench: Bench) -> None:
    bench.stall()
    bench.feed.assure(9, monotonic())
    bench.bring(1, 1)
    bench.bring(5, 2)
    assert bench.story == [("heard", 1), ("unsure", 1)]
    bench.stall()
    bench.feed.assure(9, monotonic())
    bench.beat(2, 9)
    assert bench.story[2:] == [("heard", 5), ("unsure", 5)]
    bench.feed.assure(9, monotonic())
    bench.bring(12, 3)
    assert bench.story[4:] == [("heard", 12)]


def test_where_the_log_has_let_go_what_was_to_come_nothing_that_waited_is_heard(bench: Bench) -> None:
    bench.stall()
    bench.bring(1, 1)
    bench.bring(5, 2)
    bench.feed.floor = 4
    bench.feed.assure(30, monotonic())
    assert bench.broken
    assert (bench.story, bench.feed.position) == ([("heard", 1), ("unsure", 1)], 1)


def test_what_is_behind_the_newest_answer_is_trusted_for_as_long_as_the_answer_before_is(bench: Bench) -> None:
    bench.bring(1, 1)
    bench.feed.assure(9, monotonic())
    bench.bring(5, 2)
    assert bench.story == [("heard", 1), ("heard", 5)]
    bench.feed.assure(19, monotonic())
    bench.bring(8, 3)
    assert bench.story[2:] == [("unsure", 5)]


def test_the_log_is_asked_ahead_only_where_it_is_relied_upon(bench: Bench) -> None:
    bench.bring(1, 1)
    bench.feed.ask_ahead(2.0)
    assert bench.story == [("heard", 1)]
    bench.bring(3, 2)
    bench.feed.ask_ahead(0.1)
    assert bench.story[1:] == [("heard", 3)]
    bench.feed.ask_ahead(2.0)
    assert bench.story[2:] == [("unsure", 3)]
    bench.bring(5, 3)
    assert bench.story[3:] == [("heard", 5)]
    assert not bench.feed.is_waiting


def test_what_waits_is_forgotten_with_its_consumer(bench: Bench) -> None:
    bench.stall()
    bench.bring(5, 1)
    bench.again()
    bench.feed.assure(0, monotonic())
    bench.bring(4, 1)
    assert bench.story == [("unsure", 0), ("heard", 4)]
