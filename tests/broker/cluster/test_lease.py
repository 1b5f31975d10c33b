"""The lease of the coordinator, as brokers with clocks of their own see it."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.cluster.lease import LEASE, PATIENCE, RENEWAL, Renewal, Tenure, decode_renewal, encode_renewal

ME, OTHER = "me", "other"


def test_a_renewal_is_read_as_it_was_written() -> None:
    assert decode_renewal(encode_renewal(Renewal(ME, 7))) == Renewal(ME, 7)
    assert decode_renewal(b'{"holder":"x","later":1}') == Renewal("x")


def test_a_lease_that_nobody_has_may_be_taken_at_once() -> None:
    tenure = Tenure(ME)
    assert (tenure.may_take(0.0), tenure.holder(0.0), tenure.next_step(0.0)) == (True, None, 0.0)
    tenure.observe(5, Renewal(""), 0.0)
    assert (tenure.may_take(0.0), tenure.holder(0.0)) == (True, None)


def test_a_lease_that_another_has_is_left_alone_while_it_is_renewed() -> None:
    tenure = Tenure(ME)
    for seq in range(1, 10):
        now = seq * (PATIENCE - 0.1)
        tenure.hear(seq, Renewal(OTHER, seq), now)
        assert not tenure.may_take(now + PATIENCE - 0.01)
        assert tenure.holder(now + 1.0) == OTHER
    assert tenure.may_take(now + PATIENCE)
    assert tenure.holder(now + PATIENCE) is None


def test_what_is_found_stored_without_a_change_is_no_renewal() -> None:
    tenure = Tenure(ME)
    tenure.hear(3, Renewal(OTHER, 1), 0.0)
    tenure.observe(3, Renewal(OTHER, 1), 3.9)
    assert tenure.may_take(PATIENCE)


def test_a_renewal_counts_from_when_it_was_sent() -> None:
    tenure = Tenure(ME)
    renewal = tenure.attempt(10.0)
    tenure.renewed(1, renewal)
    assert tenure.holds(10.0 + LEASE - 0.01)
    assert not tenure.holds(10.0 + LEASE)
    assert tenure.next_step(10.25) == RENEWAL - 0.25


def test_a_renewal_without_an_answer_that_is_found_stored_counts_from_when_it_was_sent() -> None:
    tenure = Tenure(ME)
    first, second = tenure.attempt(10.0), tenure.attempt(11.0)
    tenure.refused(second)
    tenure.observe(4, first, 12.0)
    assert tenure.holds(12.9)
    assert not tenure.holds(13.0)


def test_a_renewal_of_a_former_life_is_not_mistaken_for_one_of_this() -> None:
    tenure = Tenure(ME)
    tenure.observe(4, Renewal(ME, 1), 0.0)
    assert not tenure.holds(0.0)


def test_whoever_has_lost_it_to_another_has_it_no_more() -> None:
    tenure = Tenure(ME)
    tenure.renewed(1, tenure.attempt(0.0))
    tenure.observe(2, Renewal(OTHER, 1), 0.5)
    assert not tenure.holds(0.6)


def test_whoever_gives_it_back_has_it_no_more() -> None:
    tenure = Tenure(ME)
    tenure.renewed(1, tenure.attempt(0.0))
    tenure.give_back(0.5)
    assert (tenure.holds(0.5), tenure.holder(0.5), tenure.known.seq) == (False, None, 1)


def test_a_lease_that_is_not_stored_any_more_may_still_be_believed_in() -> None:
    tenure = Tenure(ME)
    tenure.hear(8, Renewal(OTHER, 1), 0.0)
    tenure.gone()
    assert not tenure.may_take(3.9)
    assert tenure.may_take(PATIENCE)
    tenure.hear(1, Renewal("third", 1), 5.0)
    assert tenure.holder(5.0) == "third"


class _Broker:
    """Has a clock that goes at a pace of its own, hears some of what is stored, and stands still at times."""

    def __init__(self, number: int, random: Random) -> None:
        self.name = f"b{number}"
        self.tenure = Tenure(self.name)
        self.pace = random.uniform(0.98, 1.02)
        self.since = random.uniform(0, 1_000)
        self.paused_until = 0.0
        self.flying: tuple[float, Renewal, int] | None = None

    def clock(self, now: float) -> float:
        return self.since + now * self.pace


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 1 << 32), st.integers(2, 5))
def test_no_two_brokers_have_it_at_once_and_somebody_has_it_in_the_end(seed: int, brokers: int) -> None:
    random = Random(seed)
    every = [_Broker(number, random) for number in range(brokers)]
    stored: tuple[int, Renewal] = (0, Renewal(""))
    held = 0
    for step in range(1_200):
        now, calm = step * 0.05, step >= 800
        holders = [broker.name for broker in every if broker.tenure.holds(broker.clock(now))]
        assert len(holders) <= 1, holders
        held = held + 1 if holders else 0
        for broker in every:
            stored = _act(broker, now, stored, random, every, calm)
    assert held > 100


def _act(
    broker: _Broker, now: float, stored: tuple[int, Renewal], random: Random, every: list[_Broker], calm: bool
) -> tuple[int, Renewal]:
    tenure, clock = broker.tenure, broker.clock(now)
    if broker.flying is not None and now >= broker.flying[0]:
        # What was sent arrives, even where whoever sent it stands still.
        _, renewal, after = broker.flying
        broker.flying = None
        is_stored, is_heard = stored[0] == after, calm or random.random() < 0.7
        if is_stored:
            stored = (stored[0] + 1 if stored[0] else 1, renewal)
            for other in every:
                if other is not broker and (calm or random.random() < 0.7) and now >= other.paused_until:
                    other.tenure.hear(stored[0], renewal, other.clock(now))
            if is_heard:
                tenure.renewed(stored[0], renewal)
        elif is_heard:
            tenure.refused(renewal)
            tenure.observe(*stored, clock)
    if now < broker.paused_until:
        return stored
    if not calm and random.random() < 0.005:
        broker.paused_until = now + random.uniform(0, 8)
        return stored
    if broker.flying is None and tenure.next_step(clock) <= 0.0:
        if not tenure.holds(clock):
            tenure.observe(*stored, clock)
        if tenure.holds(clock) or tenure.may_take(clock):
            delay = 0.05 if calm else random.uniform(0, 2)
            broker.flying = (now + delay, tenure.attempt(clock), tenure.known.seq)
    return stored
