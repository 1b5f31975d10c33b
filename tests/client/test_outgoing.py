"""The queue of publishes, driven without a socket."""

from __future__ import annotations

import asyncio

import pytest

from swarmwire import ErrorCode, Published, QueueFull, SwarmwireError
from swarmwire.outgoing import IN_FLIGHT, Outgoing, PendingPublish, Stamp


class Outlet:
    """Takes `room` messages, then no more."""

    def __init__(
        self, *, epoch: str = "e1", room: int = 1_000_000, scope: str = "alice", heartbeat_ms: int = 0
    ) -> None:
        self.epoch = epoch
        self.scope = scope
        self.heartbeat_ms = heartbeat_ms
        self.max_message_bytes: int | None = None
        self.room = room
        self.sent: list[bytes] = []

    @property
    def writable(self) -> bool:
        return len(self.sent) < self.room

    def send(self, payload: bytes) -> None:
        self.sent.append(payload)


class Clock:
    def __init__(self) -> None:
        self.steady = self.wall = 0.0

    def __call__(self) -> Stamp:
        return Stamp(self.steady, self.wall)


def publish(number: int, *, key: str | None = "k") -> PendingPublish:
    answer: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
    return PendingPublish(b"%d" % number, id=number, key=key, answer=answer)


def outcome(pending: PendingPublish) -> ErrorCode | Published | None:
    assert pending.answer is not None
    if not pending.answer.done():
        return None
    error = pending.answer.exception()
    return error.code if isinstance(error, SwarmwireError) else pending.answer.result()


async def test_what_a_paused_socket_does_not_take_follows_when_it_does() -> None:
    outgoing, outlet = Outgoing(10), Outlet(room=2)
    outgoing.connected(outlet, None)
    for number in range(4):
        await outgoing.add(publish(number))
    assert outlet.sent == [b"0", b"1"]
    outlet.room = 10
    outgoing.pump()
    assert outlet.sent == [b"0", b"1", b"2", b"3"]


async def test_losses_in_the_middle_of_a_repeat_keep_the_order() -> None:
    outgoing = Outgoing(10)
    outgoing.connected(Outlet(), None)
    for number in range(3):
        await outgoing.add(publish(number))
    outgoing.lost()
    await outgoing.add(publish(3))
    outgoing.connected(Outlet(room=2), None)
    outgoing.lost()
    last = Outlet()
    outgoing.connected(last, None)
    assert last.sent == [b"0", b"1", b"2", b"3"]


async def test_what_was_acknowledged_is_not_sent_again() -> None:
    outgoing = Outgoing(10)
    outgoing.connected(Outlet(), None)
    first, second = publish(1), publish(2)
    await outgoing.add(first)
    await outgoing.add(second)
    assert outgoing.succeeded(1, Published(7))
    assert not outgoing.succeeded(1, Published(7))
    outgoing.lost()
    again = Outlet()
    outgoing.connected(again, None)
    assert again.sent == [b"2"]
    assert (outcome(first), outcome(second)) == (Published(7), None)


@pytest.mark.parametrize("sleeps", [False, True])
async def test_the_age_of_a_publish_counts_from_its_first_writing_on_either_clock(sleeps: bool) -> None:
    clock = Clock()
    outgoing = Outgoing(10, now=clock)
    pending = publish(1)
    outgoing.connected(Outlet(), 10_000)
    await outgoing.add(pending)
    for moment in (4.0, 8.0):
        clock.wall = moment
        clock.steady = 0.0 if sleeps else moment
        outgoing.lost()
        outgoing.connected(Outlet(), 10_000)
        assert outcome(pending) is None
    clock.wall = 12.0
    outgoing.lost()
    outgoing.connected(Outlet(), 10_000)
    assert outcome(pending) is ErrorCode.OUTCOME_UNKNOWN


async def test_a_repeat_leaves_the_broker_two_heartbeats_to_receive_it_in() -> None:
    clock = Clock()
    outgoing = Outgoing(10, now=clock)
    early, late = publish(1), publish(2)
    outgoing.connected(Outlet(heartbeat_ms=2_000), 10_000)
    await outgoing.add(early)
    clock.steady = clock.wall = 1.0
    await outgoing.add(late)
    clock.steady = clock.wall = 6.0
    again = Outlet(heartbeat_ms=2_000)
    outgoing.connected(again, 10_000)
    assert again.sent == [b"2"]
    assert (outcome(early), outcome(late)) == (ErrorCode.OUTCOME_UNKNOWN, None)


async def test_however_slow_the_heartbeat_half_of_the_memory_of_keys_is_made_use_of() -> None:
    clock = Clock()
    outgoing = Outgoing(10, now=clock)
    pending = publish(1)
    outgoing.connected(Outlet(), 10_000)
    await outgoing.add(pending)
    clock.steady = clock.wall = 4.9
    again = Outlet(heartbeat_ms=60_000)
    outgoing.connected(again, 10_000)
    assert again.sent == [b"1"]


async def test_a_repeat_that_a_paused_socket_held_up_for_too_long_is_not_written() -> None:
    clock = Clock()
    outgoing = Outgoing(10, now=clock)
    repeated, new = publish(1), publish(2)
    outgoing.connected(Outlet(), 10_000)
    await outgoing.add(repeated)
    outgoing.lost()
    await outgoing.add(new)
    paused = Outlet(room=0)
    outgoing.connected(paused, 10_000)
    clock.steady = clock.wall = 10.0
    paused.room = 10
    outgoing.pump()
    assert paused.sent == [b"2"]
    assert (outcome(repeated), outcome(new)) == (ErrorCode.OUTCOME_UNKNOWN, None)


async def test_under_another_login_a_key_is_another_key_so_nothing_is_repeated() -> None:
    outgoing = Outgoing(10)
    pending = publish(1)
    outgoing.connected(Outlet(scope="alice"), None)
    await outgoing.add(pending)
    outgoing.lost()
    again = Outlet(scope="bob")
    outgoing.connected(again, None)
    assert again.sent == []
    assert outcome(pending) is ErrorCode.OUTCOME_UNKNOWN


async def test_the_refusal_of_a_repeat_says_nothing_of_what_was_written_before() -> None:
    outgoing = Outgoing(10)
    repeated, new = publish(1), publish(2)
    outgoing.connected(Outlet(), None)
    await outgoing.add(repeated)
    outgoing.lost()
    outgoing.connected(Outlet(), None)
    await outgoing.add(new)
    for each in (repeated, new):
        assert outgoing.failed(each.id, SwarmwireError(ErrorCode.UNAVAILABLE))
    assert (outcome(repeated), outcome(new)) == (ErrorCode.OUTCOME_UNKNOWN, ErrorCode.UNAVAILABLE)
    assert repeated.answer is not None
    assert "refused with UNAVAILABLE" in str(repeated.answer.exception())


async def test_a_repeat_that_has_become_too_large_may_have_been_done() -> None:
    outgoing, smaller = Outgoing(10), Outlet()
    written, new = publish(100), publish(200)
    outgoing.connected(Outlet(), None)
    await outgoing.add(written)
    outgoing.lost()
    await outgoing.add(new)
    smaller.max_message_bytes = 2
    outgoing.connected(smaller, None)
    assert (outcome(written), outcome(new)) == (ErrorCode.OUTCOME_UNKNOWN, ErrorCode.MESSAGE_TOO_LARGE)


async def test_what_nobody_acknowledges_does_not_overtake_what_waits_for_its_turn() -> None:
    outgoing, outlet = Outgoing(1), Outlet()
    outgoing.connected(outlet, None)
    for number in range(IN_FLIGHT):
        await outgoing.add(publish(number))
    first = asyncio.ensure_future(outgoing.add(publish(IN_FLIGHT)))
    second = asyncio.ensure_future(outgoing.add(PendingPublish(b"unacknowledged")))
    await asyncio.sleep(0)  # both wait after one turn
    outgoing.succeeded(0, Published(1))
    await first
    outgoing.succeeded(1, Published(2))
    await second
    assert outlet.sent[-2:] == [b"%d" % IN_FLIGHT, b"unacknowledged"]


async def test_a_publish_never_written_has_no_deadline() -> None:
    clock = Clock()
    outgoing = Outgoing(10, now=clock)
    pending = publish(1)
    await outgoing.add(pending)
    clock.steady = clock.wall = 1_000_000.0
    outlet = Outlet(epoch="e2")
    outgoing.connected(outlet, 10_000)
    assert outlet.sent == [b"1"]


async def test_a_publish_given_up_is_nowhere_any_more() -> None:
    outgoing = Outgoing(1)
    waiting = publish(1)
    await outgoing.add(waiting)
    outgoing.forget(waiting)
    outgoing.forget(waiting)
    assert outgoing.empty
    await outgoing.add(publish(2))


async def test_no_limit_means_none() -> None:
    outgoing = Outgoing(None)
    for number in range(2_000):
        await outgoing.add(publish(number))
    assert not outgoing.empty


async def test_while_connected_too_many_at_once_wait_for_their_turn() -> None:
    outgoing, outlet = Outgoing(1), Outlet()
    outgoing.connected(outlet, None)
    for number in range(IN_FLIGHT):
        await outgoing.add(publish(number))
    more = [asyncio.ensure_future(outgoing.add(publish(IN_FLIGHT + number))) for number in range(2)]
    await asyncio.sleep(0)
    assert len(outlet.sent) == IN_FLIGHT
    outgoing.succeeded(0, Published(1))
    await more[0]
    assert len(outlet.sent) == IN_FLIGHT + 1
    outgoing.lost()
    await more[1]  # offline there is room for one, for those on their way were written before


async def test_who_waits_for_a_turn_when_the_connection_is_lost_finds_the_offline_queue_full() -> None:
    outgoing, outlet = Outgoing(0), Outlet()
    outgoing.connected(outlet, None)
    for number in range(IN_FLIGHT):
        await outgoing.add(publish(number))
    waiting = asyncio.ensure_future(outgoing.add(publish(IN_FLIGHT)))
    await asyncio.sleep(0)
    outgoing.lost()
    with pytest.raises(QueueFull):
        await waiting


async def test_drained_waits_for_the_last_answer() -> None:
    outgoing = Outgoing(10)
    outgoing.connected(Outlet(), None)
    await outgoing.add(publish(1))
    draining = asyncio.ensure_future(outgoing.drained())
    await asyncio.sleep(0)
    assert not draining.done()
    outgoing.failed(1, SwarmwireError(ErrorCode.PERMISSION_DENIED))
    await draining


async def test_the_end_tells_what_is_known_of_each() -> None:
    outgoing = Outgoing(10)
    written, waiting = publish(1), publish(2)
    outgoing.connected(Outlet(room=1), None)
    await outgoing.add(written)
    await outgoing.add(waiting)
    outgoing.end(SwarmwireError(ErrorCode.UNAVAILABLE))
    assert (outcome(written), outcome(waiting)) == (ErrorCode.OUTCOME_UNKNOWN, ErrorCode.UNAVAILABLE)
    assert outgoing.empty


async def test_a_message_that_is_too_large_for_the_next_broker_fails_alone() -> None:
    outgoing, outlet = Outgoing(10), Outlet()
    large, small = publish(12345), publish(1)
    await outgoing.add(large)
    await outgoing.add(small)
    outlet.max_message_bytes = 3
    outgoing.connected(outlet, None)
    assert outlet.sent == [b"1"]
    assert outcome(large) is ErrorCode.MESSAGE_TOO_LARGE


async def test_nobody_is_taken_at_once_past_those_who_wait_for_their_turn() -> None:
    outgoing, outlet = Outgoing(None), Outlet()
    outgoing.connected(outlet, None)
    for number in range(IN_FLIGHT):
        assert outgoing.add_at_once(publish(number))
    waiting = asyncio.ensure_future(outgoing.add(publish(IN_FLIGHT)))
    await asyncio.sleep(0)
    outgoing.succeeded(0, Published(1))  # there is room now, but it is spoken for
    assert not outgoing.add_at_once(publish(IN_FLIGHT + 1))
    await waiting
    outgoing.succeeded(1, Published(2))
    assert outgoing.add_at_once(publish(IN_FLIGHT + 1))
    assert outlet.sent[-2:] == [b"%d" % IN_FLIGHT, b"%d" % (IN_FLIGHT + 1)]


async def test_nothing_is_taken_at_once_without_a_connection_that_takes_it() -> None:
    outgoing = Outgoing(10)
    assert not outgoing.add_at_once(publish(0))
    outgoing.connected(Outlet(room=0), None)
    assert not outgoing.add_at_once(publish(0))
    assert outgoing.empty
