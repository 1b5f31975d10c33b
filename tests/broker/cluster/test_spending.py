"""Rate limits of subjects and of topics hold for all brokers together."""

from __future__ import annotations

from typing import Any

from swarmwire_broker.auth.custom import custom_authenticator
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.core.rates import RateLimiter, Spent, TokenBucket
from swarmwire_broker.core.settings import RateLimit, Rates
from swarmwire_protocol.codec import encode
from swarmwire_protocol.messages import Permissions

from ..services.callers import Caller, a_moment
from .rig import town


def authenticate(token: str | None, metadata: dict[str, Any]) -> Verified:
    return Verified(subject=token or "", permissions=Permissions(publish=["#"]))


def publish(caller: Caller, topic: str, count: int) -> int:
    """Publish so often; how many were accepted."""
    before = len(caller.sink.received)
    for number in range(count):
        caller.session.receive(encode({"type": "publish", "topic": topic, "data": 1, "id": f"p{number}"}))
    caller.session.hub.delivery.settle()
    return sum(message["type"] == "ack" for message in caller.sink.received[before:])


async def test_what_a_subject_spends_at_one_broker_it_has_not_at_another() -> None:
    rates = Rates(subject_messages=RateLimit(rate=1.0, burst=10.0))
    async with town(2, rates=rates, authenticator=custom_authenticator(authenticate)) as all:
        ann, again, ben = all[0].caller(token="ann"), all[1].caller(token="ann"), all[1].caller(token="ben")
        await a_moment()
        assert publish(ann, "t", 12) == 10
        await all.advance(0.3)
        assert publish(again, "t", 5) == 0
        assert publish(ben, "t", 5) == 5
        await all.advance(5)
        assert publish(again, "t", 10) in (4, 5)
        assert publish(ann, "t", 1) + publish(ann, "t", 5) <= 5


async def test_a_subject_that_comes_later_finds_what_it_spent_elsewhere() -> None:
    rates = Rates(subject_messages=RateLimit(rate=1.0, burst=10.0))
    async with town(2, rates=rates, authenticator=custom_authenticator(authenticate)) as all:
        ann = all[0].caller(token="ann")
        await a_moment()
        assert publish(ann, "t", 10) == 10
        await all.advance(0.3)
        later = all[1].caller(token="ann")
        await a_moment()
        assert publish(later, "t", 3) == 0


async def test_a_limit_of_topics_is_one_for_all_brokers() -> None:
    rates = Rates(topics={"busy.#": RateLimit(rate=1.0, burst=6.0)})
    async with town(3, rates=rates) as all:
        callers = [node.caller() for node in all.nodes]
        assert publish(callers[0], "busy.a", 6) == 6
        await all.advance(0.3)
        assert [publish(caller, "busy.b", 3) for caller in callers] == [0, 0, 0]
        assert publish(callers[1], "calm.b", 3) == 3


async def test_what_others_told_is_not_told_again() -> None:
    rates = Rates(topics={"busy.#": RateLimit(rate=1.0, burst=6.0)})
    async with town(2, rates=rates) as all:
        publish(all[0].caller(), "busy.a", 6)
        await all.advance(2)
        told = [payload for _, payload in all.way.sent if b'"spent"' in payload]
        assert len(told) == 1


async def test_without_limits_nothing_is_told() -> None:
    async with town(2) as all:
        publish(all[0].caller(), "busy.a", 6)
        await all.advance(2)
        assert not any(b'"spent"' in payload for _, payload in all.way.sent)


def test_names_are_told_in_turn_where_there_are_many() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=1.0, burst=10.0)))
    for number in range(10):
        rates = limiter.session(f"s{number}")
        assert rates is not None
        rates.charge(1, 0.0)
    told: dict[str, tuple[float, float]] = {}
    for _ in range(4):
        part = limiter.take_spent(3).subjects
        assert len(part) <= 3
        assert not part.keys() & told.keys()
        told |= part
    assert told == {f"s{number}": (1.0, 0.0) for number in range(10)}
    assert not any(limiter.take_spent(3).is_any for _ in range(4))


def test_a_charge_for_others_is_booked_and_not_spent_here() -> None:
    bucket = TokenBucket(1.0, 5.0)
    bucket.charge_for_others(4, 0.0)
    assert bucket.spent == 0.0
    assert bucket.take(1, 0.0) == 0.0
    assert bucket.take(1, 0.0) > 0
    assert bucket.spent == 1.0


def test_what_is_charged_of_names_that_nobody_here_uses_is_bounded() -> None:
    limiter = RateLimiter(Rates(subject_messages=RateLimit(rate=0.001, burst=10.0)), max_idle=50)
    limiter.charge_for_others(Spent({f"s{number}": (5.0, 0.0) for number in range(500)}, {}, {}), 1.0)
    assert limiter.idle_subjects <= 50
