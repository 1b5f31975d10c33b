"""Locks whose changes take their time, fail, or may have failed: no lock is held by two, or by nobody for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from swarmwire_broker.broker import Broker
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .callers import Caller, MovableClock, a_moment, running

OWNER = "1" * 32


@pytest_asyncio.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        await Caller(broker).call("lock.acquire", name="to have tokens")
        yield broker


async def refusal(answer: Awaitable[Any]) -> ErrorCode:
    with pytest.raises(SwarmwireError) as refused:
        await asyncio.wait_for(answer, 10)
    return refused.value.code


async def is_held(broker: Broker, name: str = "x") -> bool:
    held: bool = (await Caller(broker).call("lock.status", name=name))["held"]
    return held


def doubtful(broker: Broker) -> Callable[..., Any]:
    """A store that does what it is asked, and loses the answer."""
    transact = broker.hub.engine.transact

    async def lossy(puts: Any, appends: Any = ()) -> Any:
        await transact(puts, appends)
        raise SwarmwireError(ErrorCode.OUTCOME_UNKNOWN)

    return lossy


class Gate:
    """A store that waits until it may go on."""

    def __init__(self, broker: Broker, patched: pytest.MonkeyPatch) -> None:
        self.opened = asyncio.Event()
        self._transact = broker.hub.engine.transact
        patched.setattr(broker.hub.engine, "transact", self._slow)

    async def _slow(self, puts: Any, appends: Any = ()) -> Any:
        await self.opened.wait()
        return await self._transact(puts, appends)

    async def open(self) -> None:
        self.opened.set()
        await a_moment()


async def test_a_lock_that_was_granted_in_doubt_is_free_again_soon(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", doubtful(broker))
        asked = Caller(broker).begin("lock.acquire", name="x", ttl=60_000)
        assert await refusal(asked) is ErrorCode.OUTCOME_UNKNOWN
    waiting = Caller(broker).begin("lock.acquire", name="x", timeout=30)
    await MovableClock.latest.advance(2)
    assert waiting.done()


async def test_who_was_granted_a_lock_in_doubt_gets_it_by_asking_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(broker, OWNER)
    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", doubtful(broker))
        assert await refusal(caller.begin("lock.acquire", name="x")) is ErrorCode.OUTCOME_UNKNOWN
    found = await caller.call("lock.acquire", name="x", ttl=30_000)
    await MovableClock.latest.advance(5)
    await caller.call("lock.release", name="x", token=found["token"])


async def test_a_lock_that_was_handed_over_in_doubt_reaches_the_next_in_line(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, heir = Caller(broker), Caller(broker)
    token = (await holder.call("lock.acquire", name="x", ttl=60_000))["token"]
    waiting = heir.begin("lock.acquire", name="x", timeout=30)
    await a_moment()
    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", doubtful(broker))
        assert await refusal(holder.begin("lock.release", name="x", token=token)) is ErrorCode.OUTCOME_UNKNOWN
    await MovableClock.latest.advance(2)
    found = await asyncio.wait_for(waiting, 1)
    status = await heir.call("lock.status", name="x")
    assert (status["token"], status["holder"]["client_id"]) == (found["token"], heir.id)


async def test_a_lock_that_was_released_in_doubt_is_free(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Caller(broker)
    token = (await holder.call("lock.acquire", name="x"))["token"]
    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", doubtful(broker))
        assert await refusal(holder.begin("lock.release", name="x", token=token)) is ErrorCode.OUTCOME_UNKNOWN
    assert not await is_held(broker)
    assert (await Caller(broker).call("lock.acquire", name="x", wait=0))["token"] > token


async def test_a_bye_that_could_not_be_stored_at_once_is_told_as_a_bye(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, watcher = Caller(broker), Caller(broker)
    watcher.session.receive(b'{"type":"subscribe","id":"s","subscriptions":[{"pattern":"lock.#"}]}')
    await holder.call("lock.acquire", name="x", ttl=60_000)

    async def full(puts: Any, appends: Any = ()) -> Any:
        raise SwarmwireError(ErrorCode.UNAVAILABLE)

    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", full)
        holder.leave()
        await a_moment()
    assert await is_held(broker)
    await MovableClock.latest.advance(2)
    assert [(event["topic"], event["data"].get("reason")) for event in watcher.events[1:]] == [
        ("lock.x.released", "left")
    ]


async def test_a_bye_while_a_lock_is_granted_frees_it_at_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        gate, asker = Gate(broker, patched), Caller(broker)
        asker.begin("lock.acquire", name="x", ttl=60_000)
        await a_moment()
        asker.leave()
        await gate.open()
    assert not await is_held(broker)


async def test_who_has_a_lock_and_gives_up_asking_for_it_again_has_given_it_back(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(broker, OWNER)
    await caller.call("lock.acquire", name="x", ttl=60_000)
    with monkeypatch.context() as patched:
        gate = Gate(broker, patched)
        again = caller.begin("lock.acquire", name="x", ttl=50_000)
        await a_moment()
        caller.cancel(again)
        await gate.open()
    assert not await is_held(broker)


async def test_who_has_a_lock_and_is_lost_asking_for_it_again_keeps_it_for_its_ttl(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(broker, OWNER)
    await caller.call("lock.acquire", name="x", ttl=60_000)
    with monkeypatch.context() as patched:
        gate = Gate(broker, patched)
        caller.begin("lock.acquire", name="x", ttl=50_000)
        await a_moment()
        caller.vanish()
        await gate.open()
    assert await is_held(broker)
    await MovableClock.latest.advance(51)
    assert not await is_held(broker)


async def test_locks_that_are_just_being_granted_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_locks=3)) as broker:
        await Caller(broker).call("lock.acquire", name="to have tokens")
        with monkeypatch.context() as patched:
            gate, caller = Gate(broker, patched), Caller(broker)
            asked = [caller.begin("lock.acquire", name=f"x{number}") for number in range(4)]
            await a_moment()
            await gate.open()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        codes = [error.code for error in answers if isinstance(error, SwarmwireError)]
        assert codes == [ErrorCode.LIMIT_EXCEEDED] * 2


async def test_metadata_may_hold_numbers_beyond_64_bits(broker: Broker) -> None:
    caller = Caller(broker)
    raw = b'{"n":18446744073709551616,"m":[1e300, "\\ud83d\\ude00"]}'
    call = b'{"type":"call","id":"a","method":"lock.acquire","params":{"name":"x","metadata":%s}}' % raw
    caller.session.receive(call)
    await a_moment()
    status = await caller.call("lock.status", name="x")
    assert status["holder"]["metadata"] == {"n": 2.0**64, "m": [1e300, "\U0001f600"]}
