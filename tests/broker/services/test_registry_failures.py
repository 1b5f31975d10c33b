"""The registry while its store takes its time, fails, or may have failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .callers import Caller, MovableClock, a_moment, running

TTL = 10_000


@pytest.fixture(name="broker")
async def _broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        await broker.hub.engine.transact([])
        yield broker


def register(caller: Caller) -> asyncio.Future[Any]:
    will = {"topic": "will.a", "data": 1}
    return caller.begin("registry.register", id="a", name="a", kind="agent", ttl=TTL, will=will)


async def watcher(broker: Broker) -> Caller:
    caller = Caller(broker)
    patterns = b'[{"pattern":"registry.#"},{"pattern":"will.#"}]'
    caller.session.receive(b'{"type":"subscribe","id":"s","subscriptions":%s}' % patterns)
    await a_moment()
    return caller


async def told(watcher: Caller) -> list[str]:
    await a_moment()
    return [event["data"]["event"] if event["topic"] == "registry.agent.a" else "will" for event in watcher.events]


def slow(broker: Broker, opened: asyncio.Event) -> Callable[..., Any]:
    transact = broker.hub.engine.transact

    async def waiting(puts: Any, appends: Any = ()) -> Any:
        await opened.wait()
        return await transact(puts, appends)

    return waiting


async def begun(broker: Broker, monkeypatch: pytest.MonkeyPatch, end: Callable[[Caller], None]) -> None:
    """Register, and end the connection while it is being stored."""
    with monkeypatch.context() as patched:
        opened, caller = asyncio.Event(), Caller(broker)
        # As in an engine that decides later, what has begun comes to its end.
        patched.setattr(broker.hub.engine, "defers", True)
        await register(other := Caller(broker))
        await other.call("registry.unregister", id="a", epoch=(await other.call("registry.get", id="a"))["epoch"])
        patched.setattr(broker.hub.engine, "transact", slow(broker, opened))
        register(caller)
        await a_moment()
        end(caller)
        await a_moment()
        opened.set()
        await a_moment()


async def test_a_bye_while_a_registration_is_stored_is_gone_at_once_and_leaves_no_will(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = await watcher(broker)
    await begun(broker, monkeypatch, Caller.leave)
    assert (await told(watch))[2:] == ["registered", "gone"]


async def test_who_is_lost_while_its_registration_is_stored_is_suspect_at_once(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = await watcher(broker)
    await begun(broker, monkeypatch, Caller.vanish)
    assert (await told(watch))[2:] == ["registered", "suspect"]
    await MovableClock.latest.advance(TTL / 1000 + 1)
    assert (await told(watch))[2:] == ["registered", "suspect", "gone", "will"]


async def test_a_bye_that_could_not_be_stored_at_once_leaves_no_will_either(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(puts: Any, appends: Any = ()) -> Any:
        raise SwarmwireError(ErrorCode.UNAVAILABLE)

    watch, caller = await watcher(broker), Caller(broker)
    await register(caller)
    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", full)
        caller.leave()
        await a_moment()
    assert await told(watch) == ["registered"]
    await MovableClock.latest.advance(2)
    assert await told(watch) == ["registered", "gone"]


async def test_who_is_suspect_in_doubt_still_has_a_ttl_to_come_back(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact = broker.hub.engine.transact

    async def lossy(puts: Any, appends: Any = ()) -> Any:
        await transact(puts, appends)
        raise SwarmwireError(ErrorCode.OUTCOME_UNKNOWN)

    watch, brief = await watcher(broker), Caller(broker, brief=True)
    await register(brief)
    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", lossy)
        await MovableClock.latest.advance(TTL / 1000 + 0.1)
    assert await told(watch) == ["registered", "suspect"]
    await MovableClock.latest.advance(TTL / 1000 - 0.5)
    assert await told(watch) == ["registered", "suspect"]
    await MovableClock.latest.advance(1)
    assert await told(watch) == ["registered", "suspect", "gone", "will"]
