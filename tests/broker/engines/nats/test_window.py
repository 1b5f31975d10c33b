"""The way into the stream: order, repeats and answers, with servers that fail as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.engines.dedupe import DedupeTable
from swarmwire_broker.engines.entry import Draft, Outcome
from swarmwire_broker.engines.nats.body import message_id_of
from swarmwire_broker.engines.nats.publishing.patience import Patience
from swarmwire_broker.engines.nats.publishing.pending import unavailable
from swarmwire_broker.engines.nats.publishing.window import Window
from swarmwire_broker.engines.nats.subjects import Subjects
from swarmwire_broker.engines.writequeue import WriteQueue
from swarmwire_broker.natslink import LinkDown, PayloadTooLarge, header
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import ErrorCode

REFUSED = b"NATS/1.0 503\r\n\r\n"

Receive = Callable[[bytes, bytes, bytes, bytes], None]


class Sent(NamedTuple):
    subject: bytes
    payload: bytes
    reply: bytes
    headers: bytes

    @property
    def message_id(self) -> bytes | None:
        return header(self.headers, b"Nats-Msg-Id") if self.headers else None


class FakeSubscription:
    def close(self) -> None: ...


class FakeLink:
    """A link that keeps what is published, and lets the test answer it."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.is_down = False
        self.largest = 1_000_000
        self._receive: Receive | None = None

    def new_inbox(self) -> bytes:
        return b"_INBOX.x.1"

    def subscribe(self, subject: bytes, receive: Receive) -> FakeSubscription:
        self._receive = receive
        return FakeSubscription()

    def publish(self, subject: bytes, payload: bytes, *, reply: bytes = b"", headers: bytes = b"") -> None:
        if self.is_down:
            raise LinkDown("down")
        if len(payload) > self.largest:
            raise PayloadTooLarge(len(payload), self.largest)
        self.sent.append(Sent(subject, payload, reply, headers))

    def answer(self, sent: Sent, payload: bytes, headers: bytes = b"") -> None:
        assert self._receive is not None
        self._receive(sent.reply, b"", headers, payload)


class FakeFollower:
    def __init__(self) -> None:
        self.position = 0
        self.covered: set[str] = set()

    def covers(self, topic: str) -> bool:
        return topic in self.covered


class Bench:
    """A window, its link, and a stream that stores what reaches it."""

    def __init__(self, *, dedupe_ms: int = 60_000, patience: Patience | None = None, queue_events: int = 1_000) -> None:
        self.link = FakeLink()
        self.follower = FakeFollower()
        self.doubts = 0
        self.now = 1_000
        self.keys = DedupeTable(dedupe_ms, 1_000, 1_000)
        self.queue = WriteQueue(self.keys, queue_events, 1 << 20)
        self.outcomes: list[tuple[str, Outcome]] = []
        self.window = Window(
            self.link,  # type: ignore[arg-type]
            self.queue,
            Subjects(b"p."),
            self.follower,
            self._doubt,
            dedupe_ms=dedupe_ms,
            steady_ms=lambda: self.now,
            patience=patience or Patience(flying=100, answer=3, heard=4, outcome=6),
        )
        self.window.resume()
        self.stored: list[bytes] = []
        self.ids: dict[bytes, int] = {}

    def _doubt(self) -> None:
        self.doubts += 1

    def append(self, data: str, *, key: str | None = None, topic: str = "a") -> None:
        named = ("me", key) if key is not None else None
        done = self._done(data)
        self.window.append(Draft(topic, event_head(topic), event_origin(None), data.encode(), named, None, False, done))

    def _done(self, data: str) -> Callable[[Outcome], None]:
        return lambda outcome: self.outcomes.append((data, outcome))

    @property
    def codes(self) -> dict[str, object]:
        """What became of each: its place, or the code of its error."""
        return {data: outcome.error.code if outcome.error else outcome.seq for data, outcome in self.outcomes}

    def take_sent(self) -> list[Sent]:
        sent, self.link.sent = self.link.sent, []
        return sent

    def store(self, sent: Sent) -> tuple[int, bool]:
        """The stream takes a message; its place, and whether it knew it."""
        if sent.message_id is not None and sent.message_id in self.ids:
            return self.ids[sent.message_id], True
        self.stored.append(data_of(sent))
        if sent.message_id is not None:
            self.ids[sent.message_id] = len(self.stored)
        return len(self.stored), False

    def serve(self, *sent: Sent) -> None:
        """Store these and say so."""
        for one in sent or self.take_sent():
            seq, again = self.store(one)
            mark = b',"duplicate": true' if again else b""
            self.link.answer(one, b'{"stream":"s", "seq":%d%b}' % (seq, mark))
        self.window.settle()

    def refuse(self, *sent: Sent) -> None:
        """Nobody is there to take them."""
        for one in sent or self.take_sent():
            self.link.answer(one, b"", REFUSED)
        self.window.settle()

    def awaits(self, sent: Sent) -> bool:
        """Whether the answer to this would be heard."""
        return sent.reply.startswith(self.window._flight._inbox)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.window.tick()


def data_of(sent: Sent) -> bytes:
    return sent.payload.rpartition(b'"data":')[2][:-1]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_publishes_are_sent_without_waiting_and_answered_in_order(bench: Bench) -> None:
    for data in "123":
        bench.append(data)
    sent = bench.take_sent()
    assert [data_of(one) for one in sent] == [b"1", b"2", b"3"]
    assert sent[0].subject == b"p.a"
    bench.serve(*sent)
    assert bench.outcomes == [("1", Outcome(1)), ("2", Outcome(2)), ("3", Outcome(3))]
    assert (len(bench.window), bench.queue.events, bench.queue.bytes) == (0, 0, 0)


async def test_what_the_follower_comes_by_is_acknowledged_when_it_has(bench: Bench) -> None:
    bench.follower.covered.add("a")
    bench.append("1")
    bench.append("2", topic="b")
    bench.serve()
    assert bench.outcomes == []
    bench.follower.position = 1
    bench.window.settle()
    assert bench.outcomes == [("1", Outcome(1)), ("2", Outcome(2))]


async def test_a_follower_that_does_not_come_by_holds_an_acknowledgement_up_for_a_while_only(bench: Bench) -> None:
    bench.follower.covered.add("a")
    bench.append("1")
    bench.serve()
    bench.ticks(3)
    assert bench.outcomes == []
    bench.ticks(1)
    assert bench.outcomes == [("1", Outcome(1))]


async def test_more_than_may_be_under_way_waits() -> None:
    bench = Bench(patience=Patience(flying=2))
    for data in "12345":
        bench.append(data)
    first = bench.take_sent()
    assert [data_of(one) for one in first] == [b"1", b"2"]
    bench.serve(first[0])
    assert [data_of(one) for one in bench.take_sent()] == [b"3"]


async def test_bytes_under_way_are_bounded_too() -> None:
    bench = Bench(patience=Patience(flying_bytes=100))
    for data in ("1" * 200, "2", "3"):
        bench.append(data)
    (first,) = bench.take_sent()
    bench.serve(first)
    assert [data_of(one) for one in bench.take_sent()] == [b"2", b"3"]


async def test_a_window_that_is_behind_is_congested_until_half_is_free() -> None:
    bench = Bench(queue_events=4)
    relieved: list[bool] = []
    bench.queue.relieved = lambda: relieved.append(True)
    for data in "12345":
        bench.append(data)
    assert bench.queue.congested
    sent = bench.take_sent()
    bench.serve(*sent[:2])
    assert bench.queue.congested
    bench.serve(sent[2])
    assert (bench.queue.congested, relieved) == (False, [True])


# ---- keys


async def test_a_key_is_the_id_of_the_message_and_its_repeat_is_answered_here(bench: Bench) -> None:
    bench.append("1", key="k")
    (sent,) = bench.take_sent()
    assert sent.message_id == message_id_of(("me", "a", "k"))
    bench.append("2", key="k")
    bench.serve(sent)
    bench.append("3", key="k")
    assert bench.take_sent() == []
    assert bench.outcomes == [("1", Outcome(1)), ("2", Outcome(1, duplicate=True)), ("3", Outcome(1, duplicate=True))]


async def test_a_key_that_another_broker_has_stored_is_a_duplicate(bench: Bench) -> None:
    bench.stored += [b"x", b"y"]
    bench.ids[message_id_of(("me", "a", "k"))] = 1
    bench.append("1", key="k")
    bench.serve()
    assert bench.outcomes == [("1", Outcome(1, duplicate=True))]
    # How long the stream remembers it still is not known here: it is asked again.
    bench.append("2", key="k")
    assert len(bench.take_sent()) == 1


async def test_without_a_time_for_keys_there_are_no_ids() -> None:
    bench = Bench(dedupe_ms=0)
    bench.append("1", key="k")
    (sent,) = bench.take_sent()
    assert sent.message_id is None


# ---- failures


async def test_what_is_refused_is_sent_again_in_order_when_the_log_is_back(bench: Bench) -> None:
    for data in "12":
        bench.append(data)
    bench.refuse()
    assert (bench.outcomes, bench.window.is_open) == ([], False)
    assert bench.doubts
    bench.append("3")
    assert bench.take_sent() == []
    bench.window.resume()
    bench.serve()
    assert bench.stored == [b"1", b"2", b"3"]
    assert bench.codes == {"1": 1, "2": 2, "3": 3}


async def test_what_is_refused_before_one_that_was_stored_is_not_sent_again(bench: Bench) -> None:
    for data in "123":
        bench.append(data)
    one, two, three = bench.take_sent()
    bench.refuse(one)
    bench.serve(two)
    assert bench.outcomes == []  # nothing is decided while anything is under way
    bench.refuse(three)
    bench.window.resume()
    bench.serve()
    assert bench.stored == [b"2", b"3"]
    assert bench.codes == {"1": ErrorCode.UNAVAILABLE, "2": 1, "3": 2}
    error = bench.outcomes[0][1].error
    assert error is not None
    assert error.retry_after_ms


async def test_what_is_refused_before_one_that_may_be_stored_is_not_sent_again(bench: Bench) -> None:
    bench.append("1")
    bench.append("2", key="k")
    one, two = bench.take_sent()
    bench.refuse(one)
    bench.store(two)
    bench.window.lost()
    bench.window.resume()
    bench.serve()
    assert bench.stored == [b"2"]
    assert bench.codes == {"1": ErrorCode.UNAVAILABLE, "2": 1}


async def test_without_a_key_what_was_under_way_when_the_link_went_is_unknown(bench: Bench) -> None:
    bench.append("1")
    bench.append("2", key="k")
    bench.append("3")
    one, two, _ = bench.take_sent()
    bench.store(one)
    bench.store(two)
    bench.window.lost()
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN}  # the answers come in order: 3 waits for 2
    bench.window.resume()
    (again,) = bench.take_sent()
    assert again.message_id == two.message_id
    bench.serve(again)
    assert bench.stored == [b"1", b"2"]
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN, "2": 2, "3": ErrorCode.OUTCOME_UNKNOWN}
    assert not bench.outcomes[1][1].duplicate  # the repeat was the broker's own


async def test_a_server_that_is_left_answers_what_it_was_sent_and_is_sent_no_more(bench: Bench) -> None:
    bench.append("1")
    (first,) = bench.take_sent()
    bench.window.pause()
    bench.append("2")
    assert bench.take_sent() == []
    bench.serve(first)
    bench.window.lost()
    bench.window.resume()
    bench.serve()
    assert bench.codes == {"1": 1, "2": 2}


async def test_a_late_answer_to_what_was_given_up_changes_nothing(bench: Bench) -> None:
    bench.append("1")
    (sent,) = bench.take_sent()
    bench.window.lost()
    bench.window.resume()
    bench.append("2")
    bench.link.answer(sent, b'{"stream":"s","seq":9}')
    bench.window.settle()
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN}


async def test_a_publish_that_cannot_be_sent_waits_for_the_link(bench: Bench) -> None:
    bench.link.is_down = True
    bench.append("1")
    bench.append("2")
    assert bench.outcomes == []
    assert bench.doubts
    bench.link.is_down = False
    bench.window.resume()
    bench.serve()
    assert bench.codes == {"1": 1, "2": 2}


async def test_an_answer_that_does_not_come_is_not_waited_for(bench: Bench) -> None:
    bench.append("1")
    bench.ticks(2)
    bench.append("2")
    bench.ticks(1)
    assert bench.doubts == 1
    assert not bench.window.is_open
    bench.append("3")
    assert bench.outcomes == []
    bench.ticks(2)
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN, "2": ErrorCode.OUTCOME_UNKNOWN}
    bench.take_sent()
    bench.window.resume()
    bench.serve()
    assert bench.codes["3"] == 1


async def test_what_waits_for_too_long_is_answered(bench: Bench) -> None:
    bench.append("1", key="k")
    bench.append("2")
    bench.window.lost()
    bench.append("3")
    bench.ticks(6)
    assert bench.codes == {
        "1": ErrorCode.OUTCOME_UNKNOWN,
        "2": ErrorCode.OUTCOME_UNKNOWN,
        "3": ErrorCode.UNAVAILABLE,
    }


async def test_a_key_is_not_sent_again_when_the_stream_may_have_forgotten_it(bench: Bench) -> None:
    bench.append("1", key="k")
    bench.now += 30_000
    bench.window.lost()
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN}


async def test_an_event_that_the_server_does_not_take_is_refused_in_its_turn(bench: Bench) -> None:
    bench.link.largest = 100
    bench.append("1")
    bench.append("2" * 200)
    bench.append("3")
    bench.serve()
    assert bench.codes == {"1": 1, "2" * 200: ErrorCode.MESSAGE_TOO_LARGE, "3": 2}
    assert bench.window.is_open


async def test_an_event_that_is_too_large_is_refused_though_nothing_else_happens(bench: Bench) -> None:
    bench.link.largest = 100
    bench.append("2" * 200)
    await asyncio.sleep(0)  # one turn of the loop
    (_, outcome) = bench.outcomes[0]
    assert outcome.error is not None
    assert "100 bytes" in outcome.error.message


async def test_a_refusal_of_the_api_is_as_good_as_nobody_there(bench: Bench) -> None:
    bench.append("1")
    (sent,) = bench.take_sent()
    bench.link.answer(sent, b'{"error":{"code":503,"err_code":10008,"description":"unavailable"},"stream":"s","seq":0}')
    bench.window.settle()
    bench.window.resume()
    bench.serve()
    assert bench.codes == {"1": 1}


async def test_while_publishes_are_refused_nothing_is_taken(bench: Bench) -> None:
    bench.window.refusal = unavailable()
    bench.append("1")
    bench.append("2", key="k")
    assert set(bench.codes.values()) == {ErrorCode.UNAVAILABLE}
    bench.window.refusal = None
    bench.append("3", key="k")
    bench.serve()
    assert bench.codes["3"] == 1
    assert (bench.queue.events, bench.queue.bytes) == (0, 0)


async def test_a_place_that_falls_is_one_of_another_log_and_is_told_to_nobody(bench: Bench) -> None:
    for data in "123":
        bench.append(data)
    one, two, three = bench.take_sent()
    bench.link.answer(one, b'{"stream":"s","seq":7}')
    bench.link.answer(two, b'{"stream":"s","seq":1}')
    assert not bench.window.is_open
    assert bench.doubts
    bench.link.answer(three, b'{"stream":"s","seq":2}')
    bench.window.settle()
    assert bench.codes == {"1": 7, "2": ErrorCode.OUTCOME_UNKNOWN, "3": ErrorCode.OUTCOME_UNKNOWN}


async def test_a_place_that_the_log_had_passed_before_is_one_of_another_log_too(bench: Bench) -> None:
    bench.follower.position = 9
    bench.append("1")
    bench.serve()
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN}
    assert (bench.window.is_open, bench.window.has_fallen) == (False, True)
    bench.window.resume()  # the log was found to be right
    assert (bench.window.is_open, bench.window.has_fallen) == (True, False)


async def test_what_was_stored_and_is_not_answered_when_the_log_is_made_anew_is_unknown(bench: Bench) -> None:
    bench.follower.covered.add("a")
    bench.append("1")
    bench.serve()
    bench.window.renew()
    assert bench.codes == {"1": ErrorCode.OUTCOME_UNKNOWN}
    assert bench.window.acked == 0


async def test_what_has_a_key_is_stored_in_the_log_that_is_made_anew(bench: Bench) -> None:
    bench.follower.covered.add("a")
    bench.append("1", key="k")
    bench.serve()
    bench.stored.clear()
    bench.ids.clear()
    bench.window.renew()
    assert bench.outcomes == []
    bench.window.resume()
    bench.serve()
    assert bench.stored == [b"1"]
    bench.follower.position = 1
    bench.window.settle()
    assert bench.outcomes == [("1", Outcome(1))]


async def test_what_is_decided_last_lets_the_log_be_looked_at_again(bench: Bench) -> None:
    bench.append("1")
    bench.append("2")
    one, two = bench.take_sent()
    bench.refuse(one)
    bench.window.resume()  # too early: the other is under way
    assert not bench.window.is_open
    bench.doubts = 0
    bench.refuse(two)
    assert bench.doubts


async def test_closing_answers_everybody(bench: Bench) -> None:
    bench.follower.covered.add("b")
    bench.append("1", topic="b")
    bench.serve()
    bench.append("2")
    bench.window.lost()
    bench.append("3", key="k")
    await bench.window.close(0)
    assert bench.codes == {"1": 1, "2": ErrorCode.OUTCOME_UNKNOWN, "3": ErrorCode.UNAVAILABLE}
    bench.append("4")
    assert bench.codes["4"] == ErrorCode.SHUTTING_DOWN
    await bench.window.close(0)


async def test_closing_waits_for_what_is_under_way(bench: Bench) -> None:
    bench.append("1")
    closing = asyncio.ensure_future(bench.window.close(60))
    await asyncio.sleep(0)
    bench.serve()
    await closing
    assert bench.codes == {"1": 1}


# ---- whatever happens

events = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.booleans()),
        st.tuples(st.sampled_from(["store", "lose ack", "refuse"]), st.integers(1, 5)),
        st.tuples(st.sampled_from(["lost", "resume", "ticks"]), st.integers(1, 5)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(events)
async def test_nothing_acknowledged_is_lost_none_is_stored_twice_and_no_order_is_inverted(
    story: list[tuple[str, int]],
) -> None:
    bench = Bench()
    on_wire: list[Sent] = []
    number = 0
    for what, value in story:
        on_wire += bench.take_sent()
        match what:
            case "append":
                number += 1
                bench.append(str(number), key=str(number) if value else None)
            case "store":
                bench.serve(*on_wire[:value]) if on_wire else None
                del on_wire[:value]
            case "lose ack":  # what reaches a stream reaches it in order, and its answers are lost with the link
                for one in on_wire[:value]:
                    bench.store(one)
                on_wire.clear()
                bench.window.lost()
            case "refuse" if on_wire and all(map(bench.awaits, on_wire)):
                # Whoever refuses does so at once: no answer of this kind comes when it is not waited for any more.
                bench.refuse(*on_wire[:value])
                del on_wire[:value]
            case "lost":
                on_wire.clear()
                bench.window.lost()
            case "resume":
                bench.window.resume()
            case "ticks":
                bench.ticks(value)
    # Heal, and let all be decided.
    on_wire += bench.take_sent()
    while on_wire or len(bench.window):
        if on_wire:
            bench.serve(*on_wire)
            on_wire.clear()
        bench.ticks(1)
        bench.window.resume()
        on_wire += bench.take_sent()
    stored = [int(data) for data in bench.stored]
    assert stored == sorted(set(stored)), story
    for data, outcome in bench.outcomes:
        if outcome.error is None:
            assert bench.stored[outcome.seq - 1].decode() == data
        elif outcome.error.code is ErrorCode.UNAVAILABLE:
            assert int(data) not in stored
    assert len(bench.outcomes) == number
    assert (bench.queue.events, bench.queue.bytes) == (0, 0)
