"""Rate limits: buckets never let through more than they say, and tell truly how long to wait."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.core.rates import LoginGuard, RateLimiter, SessionRates, TokenBucket, origin_of, retry_after_ms
from swarmwire_broker.core.settings import RateLimit, Rates

RATE = st.floats(min_value=0.01, max_value=1e6)
BURST = st.floats(min_value=0.5, max_value=1e6)
STEPS = st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 1e6)), max_size=60)


def session(rates: Rates, subject: str = "s") -> SessionRates:
    made = RateLimiter(rates).session(subject)
    assert made is not None
    return made


# ---- One bucket


@given(RATE, BURST, STEPS)
def test_no_more_than_the_burst_and_the_rate_times_the_time_passes(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now, passed, largest = TokenBucket(rate, burst), 0.0, 0.0, 0.0
    for pause, n in steps:
        now += pause
        if bucket.take(n, now) == 0.0:
            passed += n
            largest = max(largest, n)
        debt = max(0.0, largest - burst)  # what was larger than the burst is paid for later
        assert passed <= (burst + debt + rate * now) * (1 + 1e-9) + rate * 1e-5


@given(RATE, BURST, STEPS)
def test_after_the_wait_that_was_told_it_passes_and_not_before(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now = TokenBucket(rate, burst), 0.0
    for pause, n in steps:
        now += pause
        wait = bucket.take(n, now)
        if wait > 0.001:
            assert bucket.wait(n, now + wait * 0.99) > 0.0
            now += wait
            assert bucket.take(n, now) == 0.0


def test_a_refused_take_spends_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=2)
    assert bucket.take(1, 0.0) == 0.0
    assert bucket.take(2, 0.0) == 1.0
    assert bucket.take(1, 0.0) == 0.0


def test_rate_zero_lets_the_burst_through_and_nothing_after_it() -> None:
    bucket = TokenBucket(rate=0, burst=2)
    assert [bucket.take(1, now) for now in (0.0, 0.0, 0.0, 1e9)] == [0.0, 0.0, math.inf, math.inf]


def test_burst_zero_lets_nothing_through() -> None:
    bucket = TokenBucket(rate=100, burst=0)
    assert [bucket.take(1, now) for now in (0.0, 1e9)] == [math.inf, math.inf]


def test_what_is_larger_than_the_burst_passes_a_full_bucket_and_is_paid_for() -> None:
    bucket = TokenBucket(rate=10, burst=10)
    assert bucket.take(40, 0.0) == 0.0
    assert bucket.take(1, 0.0) == pytest.approx(3.1)
    assert bucket.take(1, 3.0) == pytest.approx(0.1)
    assert bucket.take(1, 3.1) == 0.0


def test_what_is_larger_than_the_burst_does_not_pass_a_bucket_that_is_not_full() -> None:
    bucket = TokenBucket(rate=10, burst=10)
    bucket.take(1, 0.0)
    assert bucket.take(40, 0.0) == pytest.approx(0.1)


def test_a_charge_is_never_refused_and_its_debt_ends_at_one_burst() -> None:
    bucket = TokenBucket(rate=1, burst=5)
    for _ in range(100):
        bucket.charge(1, 0.0)
    assert bucket.wait(1, 0.0) == pytest.approx(6.0)


def test_a_charge_does_not_shorten_a_deeper_debt() -> None:
    bucket = TokenBucket(rate=1, burst=5)
    bucket.take(50, 0.0)
    bucket.charge(1, 0.0)
    assert bucket.wait(1, 0.0) == pytest.approx(46.0)


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=1)
    assert bucket.take(1, 10.0) == 0.0
    assert bucket.take(1, 5.0) == 1.0
    assert bucket.take(1, 10.5) == 0.5


def test_a_burst_of_none_is_one_seconds_worth() -> None:
    bucket = TokenBucket.of(RateLimit(rate=3))
    assert [bucket.take(1, 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(1, 0.0) > 0.0


def test_a_wait_is_told_in_whole_milliseconds_and_not_at_all_where_it_does_not_help() -> None:
    assert retry_after_ms(0.0101) == 11
    assert retry_after_ms(math.inf) is None


# ---- Sessions


def test_without_limits_there_is_nothing_to_ask() -> None:
    assert RateLimiter(Rates()).session("s") is None
    assert RateLimiter(Rates(failed_logins=RateLimit(rate=0))).session("s") is None


def test_each_client_has_a_limit_of_its_own() -> None:
    limiter = RateLimiter(Rates(client_messages=RateLimit(rate=1, burst=1)))
    first, second = limiter.session("s"), limiter.session("s")
    assert first is not None
    assert second is not None
    assert first.message(1, 0.0) == 0.0
    assert first.message(1, 0.0) == 1.0
    assert second.message(1, 0.0) == 0.0


def test_clients_of_one_subject_share_its_limit() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=1, burst=1)))
    first, second, other = limiter.session("s"), limiter.session("s"), limiter.session("o")
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.message(1, 0.0) == 0.0
    assert second.message(1, 0.0) == 1.0
    assert other.message(1, 0.0) == 0.0


def test_a_message_that_one_limit_refuses_costs_nothing_at_the_others() -> None:
    rates = session(Rates(client_messages=RateLimit(rate=1, burst=2), client_bytes=RateLimit(rate=10, burst=10)))
    assert rates.message(10, 0.0) == 0.0
    assert rates.message(10, 0.0) == 1.0
    assert rates.message(10, 1.0) == 0.0
    assert rates.message(0, 1.0) == 0.0


def test_what_is_never_refused_is_charged_all_the_same() -> None:
    rates = session(Rates(client_messages=RateLimit(rate=1, burst=1), subject_bytes=RateLimit(rate=1, burst=9)))
    rates.charge(9, 0.0)
    assert rates.message(1, 0.0) == 1.0


def test_a_subjects_limit_outlives_its_connections() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=1, burst=1)))
    first = limiter.session("s")
    assert first is not None
    assert first.message(1, 0.0) == 0.0
    first.close()
    second = limiter.session("s")
    assert second is not None
    assert second.message(1, 0.0) == 1.0


def test_closing_twice_takes_the_limit_from_nobody_else() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=1, burst=1)), max_idle=0)
    first, second = limiter.session("s"), limiter.session("s")
    assert first is not None
    assert second is not None
    assert second.message(1, 0.0) == 0.0
    first.close()
    first.close()
    third = limiter.session("s")
    assert third is not None
    assert third.message(1, 0.0) == 1.0


def test_subjects_that_are_gone_are_forgotten_beyond_the_bound() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=0, burst=1)), max_idle=2)
    for name in ("a", "b", "c"):
        rates = limiter.session(name)
        assert rates is not None
        assert rates.message(1, 0.0) == 0.0
        rates.close()
    waits = {}
    for name in ("a", "b", "c"):
        rates = limiter.session(name)
        assert rates is not None
        waits[name] = rates.message(1, 0.0)
    assert waits == {"a": 0.0, "b": math.inf, "c": math.inf}


def test_subjects_whose_limit_is_full_again_leave_nothing_behind() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=1, burst=1)))
    for number in range(100):
        rates = limiter.session(f"s{number}")
        assert rates is not None
        assert rates.message(1, number * 2.0) == 0.0
        rates.close()
    assert limiter.idle_subjects <= 2


# ---- Topics


def test_the_first_pattern_that_matches_a_topic_counts_for_everybody() -> None:
    limits = {"a.*": RateLimit(rate=1, burst=1), "a.#": RateLimit(rate=1, burst=2)}
    limiter = RateLimiter(Rates(topics=limits))
    first, second = limiter.session("x"), limiter.session("y")
    assert first is not None
    assert second is not None
    assert first.publish("a.b", 0.0) == 0.0
    assert second.publish("a.c", 0.0) == 1.0
    assert [second.publish("a.b.c", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert second.publish("b", 0.0) == 0.0


def test_a_limit_holds_over_more_topics_than_are_remembered() -> None:
    limiter = RateLimiter(Rates(topics={"a.#": RateLimit(rate=0, burst=3)}), max_topics=2)
    rates = limiter.session("x")
    assert rates is not None
    assert [rates.publish(f"a.{n}", 0.0) for n in range(5)] == [0.0, 0.0, 0.0, math.inf, math.inf]


def test_without_limits_on_topics_any_publish_passes() -> None:
    assert session(Rates(client_messages=RateLimit(rate=0))).publish("a", 0.0) == 0.0


# ---- Logins


def test_an_address_is_held_off_after_a_burst_of_failures_and_let_in_again_later() -> None:
    guard = LoginGuard(RateLimit(rate=1, burst=3))
    for _ in range(3):
        assert guard.blocked("192.0.2.1", 0.0) == 0.0
        guard.failed("192.0.2.1", 0.0)
    assert guard.blocked("192.0.2.1", 0.0) == 1.0
    assert guard.blocked("192.0.2.2", 0.0) == 0.0
    assert guard.blocked("192.0.2.1", 1.0) == 0.0


def test_the_port_of_an_address_makes_no_difference() -> None:
    guard = LoginGuard(RateLimit(rate=0, burst=1))
    guard.failed("192.0.2.1:1000", 0.0)
    guard.failed("[2001:db8::1]:1000", 0.0)
    assert guard.blocked("192.0.2.1:2000", 0.0) == math.inf
    assert guard.blocked("::ffff:192.0.2.1", 0.0) == math.inf
    assert guard.blocked("2001:db8::1", 0.0) == math.inf


def test_an_ipv6_network_counts_as_one_address() -> None:
    guard = LoginGuard(RateLimit(rate=0, burst=1))
    guard.failed("2001:db8::1", 0.0)
    assert guard.blocked("2001:db8::ffff:2", 0.0) == math.inf
    assert guard.blocked("2001:db8:0:1::1", 0.0) == 0.0


def test_burst_zero_holds_an_address_off_after_its_first_failure() -> None:
    guard = LoginGuard(RateLimit(rate=0, burst=0))
    assert guard.blocked("192.0.2.1", 0.0) == 0.0
    guard.failed("192.0.2.1", 0.0)
    assert guard.blocked("192.0.2.1", 1e9) == math.inf


def test_without_a_limit_nobody_is_held_off() -> None:
    guard = LoginGuard(None)
    for _ in range(100):
        guard.failed("192.0.2.1", 0.0)
    assert guard.blocked("192.0.2.1", 0.0) == 0.0


def test_of_too_many_addresses_the_one_that_failed_longest_ago_is_forgotten() -> None:
    guard = LoginGuard(RateLimit(rate=0, burst=1), max_addresses=2)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        guard.failed(address, 0.0)
    blocked = [guard.blocked(f"192.0.2.{n}", 0.0) for n in (1, 2, 3)]
    assert blocked == [math.inf, 0.0, math.inf]


def test_an_address_that_fails_again_takes_the_place_of_no_other() -> None:
    guard = LoginGuard(RateLimit(rate=0, burst=1), max_addresses=2)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2"):
        guard.failed(address, 0.0)
    assert guard.blocked("192.0.2.1", 0.0) == math.inf


def test_an_address_whose_failures_are_long_past_is_forgotten() -> None:
    guard = LoginGuard(RateLimit(rate=1, burst=3))
    guard.failed("192.0.2.1", 0.0)
    assert guard.blocked("192.0.2.1", 0.5) == 0.0
    assert guard.addresses == 1
    assert guard.blocked("192.0.2.1", 1.0) == 0.0
    assert guard.addresses == 0


def test_a_peer_without_an_address_counts_by_whatever_it_is_called() -> None:
    guard = LoginGuard(RateLimit(rate=0, burst=1))
    guard.failed("", 0.0)
    assert guard.blocked("", 0.0) == math.inf
    assert guard.blocked("uid:1000", 0.0) == 0.0


# ---- clients that come anew with each request


def test_clients_that_share_their_limit_find_it_as_the_last_one_left_it() -> None:
    limiter = RateLimiter(Rates(client_messages=RateLimit(rate=1, burst=1)))
    for wait in (0.0, 1.0, 1.0):
        rates = limiter.session("s", shared=True)
        assert rates is not None
        assert rates.message(1, 0.0) == wait
        rates.close()
        rates.close()
    alone, other = limiter.session("s"), limiter.session("o", shared=True)
    assert alone is not None
    assert other is not None
    assert alone.message(1, 0.0) == other.message(1, 0.0) == 0.0


def test_clients_that_shared_a_limit_and_are_gone_are_forgotten_beyond_the_bound() -> None:
    limiter = RateLimiter(Rates(client_messages=RateLimit(rate=0, burst=1)), max_idle=2)
    for _ in range(2):
        for name in ("a", "b", "c"):
            rates = limiter.session(name, shared=True)
            assert rates is not None
            rates.message(1, 0.0)
            rates.close()
    assert len(limiter._clients._meters) <= 3


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("10.0.0.1:4000", "10.0.0.1"),
        ("[2001:db8::1]:4000", "2001:db8::/64"),
        ("2001:db8::2", "2001:db8::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("somewhere", "somewhere"),
    ],
)
def test_an_address_counts_without_its_port_and_an_ipv6_one_as_its_network(address: str, origin: str) -> None:
    assert origin_of(address) == origin
