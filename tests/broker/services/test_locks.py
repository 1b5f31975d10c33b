"""Locks, as clients of a broker see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from swarmwire_broker.broker import Broker
from swarmwire_broker.core.caller import Caller as AnyCaller
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.services.locks.locks import Locks
from swarmwire_broker.services.shared import Shared
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .callers import Caller, MovableClock, a_moment, running, until
from .rig import opened

ONE, TWO = "1" * 32, "2" * 32


@pytest_asyncio.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


async def refusal(caller: Caller, method: str, **params: Any) -> tuple[ErrorCode, str | None]:
    with pytest.raises(SwarmwireError) as refused:
        await caller.call(method, **params)
    return refused.value.code, refused.value.field


async def acquire(caller: Caller, name: str = "x", **params: Any) -> int:
    answer = await caller.call("lock.acquire", name=name, **params)
    assert answer["name"] == name
    token: int = answer["token"]
    return token


def told(events: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(event["topic"], event["data"]) for event in events]


async def listener(broker: Broker) -> Caller:
    caller = Caller(broker)
    caller.session.receive(b'{"type":"subscribe","id":"s","subscriptions":[{"pattern":"lock.#"}]}')
    await a_moment()
    return caller


# ---- one holder


async def test_a_free_lock_is_granted_at_once_with_a_token(broker: Broker) -> None:
    answer = await Caller(broker).call("lock.acquire", name="x", ttl=5_000)
    assert answer == {"name": "x", "token": answer["token"], "ttl": 5_000}
    assert answer["token"] > 0


async def test_a_lock_that_is_held_is_refused_at_once_to_who_does_not_wait(broker: Broker) -> None:
    await acquire(Caller(broker))
    assert await refusal(Caller(broker), "lock.acquire", name="x", wait=0) == (
        ErrorCode.LOCK_TIMEOUT,
        "params.name",
    )


async def test_locks_of_other_names_are_free(broker: Broker) -> None:
    one, other = await acquire(Caller(broker), "x"), await acquire(Caller(broker), "y", wait=0)
    assert one != other


async def test_the_token_rises_with_every_new_holder(broker: Broker) -> None:
    tokens = []
    for _ in range(3):
        caller = Caller(broker)
        tokens.append(await acquire(caller))
        await caller.call("lock.release", name="x", token=tokens[-1])
    assert tokens[0] < tokens[1] < tokens[2]


async def test_the_same_holder_goes_on_with_the_same_token_by_another_connection(broker: Broker) -> None:
    first = Caller(broker, ONE)
    token = await acquire(first, owner="a", ttl=60_000)
    first.vanish()
    second = Caller(broker, ONE)
    assert await acquire(second, owner="a", ttl=10_000, wait=0) == token
    status = await second.call("lock.status", name="x")
    assert (status["holder"]["client_id"], status["ttl"], status["left_ms"]) == (second.id, 10_000, 10_000)


async def test_another_owner_of_the_same_client_waits(broker: Broker) -> None:
    caller = Caller(broker, ONE)
    await acquire(caller, owner="a")
    assert (await refusal(caller, "lock.acquire", name="x", owner="b", wait=0))[0] is ErrorCode.LOCK_TIMEOUT


# ---- the line


async def test_who_waits_gets_it_in_the_order_of_asking(broker: Broker) -> None:
    holder = Caller(broker)
    token = await acquire(holder)
    callers = [Caller(broker) for _ in range(5)]
    waiting = [caller.begin("lock.acquire", name="x") for caller in callers]
    await a_moment()
    await holder.call("lock.release", name="x", token=token)
    for caller, answer in zip(callers, waiting, strict=True):
        found = await asyncio.wait_for(answer, 10)
        assert found["token"] > token
        token = found["token"]
        assert sum(other.done() for other in waiting) == callers.index(caller) + 1
        await caller.call("lock.release", name="x", token=token)
        await a_moment()
    assert not (await holder.call("lock.status", name="x"))["held"]


async def test_who_waits_long_enough_hears_that_the_lock_did_not_become_free(broker: Broker) -> None:
    holder, other = Caller(broker), Caller(broker)
    token = await acquire(holder)
    waiting = other.begin("lock.acquire", name="x", wait=2_000)
    await MovableClock.latest.advance(1.9)
    assert not waiting.done()
    await MovableClock.latest.advance(0.2)
    with pytest.raises(SwarmwireError, match="The lock 'x' did not become free") as refused:
        await waiting
    assert refused.value.code is ErrorCode.LOCK_TIMEOUT
    await holder.call("lock.release", name="x", token=token)
    assert not (await holder.call("lock.status", name="x"))["held"]


@pytest.mark.parametrize("params", [{}, {"wait": 60_000}])
async def test_a_wait_ends_a_little_before_the_deadline_of_the_call(broker: Broker, params: dict[str, Any]) -> None:
    await acquire(Caller(broker))
    waiting = Caller(broker).begin("lock.acquire", name="x", timeout=10, **params)
    await MovableClock.latest.advance(9.7)
    assert not waiting.done()
    await MovableClock.latest.advance(0.2)
    with pytest.raises(SwarmwireError) as refused:
        await waiting
    assert refused.value.code is ErrorCode.LOCK_TIMEOUT


async def test_who_gives_up_leaves_the_line(broker: Broker) -> None:
    holder, second, third = Caller(broker), Caller(broker), Caller(broker)
    token = await acquire(holder)
    given_up, waiting = second.begin("lock.acquire", name="x"), third.begin("lock.acquire", name="x")
    vanishing = Caller(broker)
    vanishing.begin("lock.acquire", name="x")
    await a_moment()
    assert (await holder.call("lock.status", name="x"))["waiting"] == 3
    second.cancel(given_up)
    vanishing.vanish()
    await a_moment()
    assert (await holder.call("lock.status", name="x"))["waiting"] == 1
    await holder.call("lock.release", name="x", token=token)
    assert (await asyncio.wait_for(waiting, 10))["token"] > token


async def test_who_asks_again_by_another_connection_keeps_the_place(broker: Broker) -> None:
    holder = Caller(broker)
    token = await acquire(holder)
    first, behind = Caller(broker, ONE), Caller(broker)
    before = first.begin("lock.acquire", name="x", owner="a")
    later = behind.begin("lock.acquire", name="x")
    await a_moment()
    again = Caller(broker, ONE).begin("lock.acquire", name="x", owner="a")
    await a_moment()
    await holder.call("lock.release", name="x", token=token)
    assert (await asyncio.wait_for(again, 10))["token"] > token
    assert not later.done()
    with pytest.raises(SwarmwireError) as refused:
        await before
    assert refused.value.code is ErrorCode.CANCELLED


async def test_a_lock_whose_asker_vanished_while_it_was_granted_is_free_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = broker.hub.engine
    go, transact = asyncio.Event(), engine.transact

    async def slow(puts: Any, appends: Any = ()) -> Any:
        await go.wait()
        return await transact(puts, appends)

    await acquire(Caller(broker), "to have tokens")
    monkeypatch.setattr(engine, "transact", slow)
    asker, cancelling, other = Caller(broker), Caller(broker), Caller(broker)
    asker.begin("lock.acquire", name="x")
    cancelled = cancelling.begin("lock.acquire", name="x")
    waiting = other.begin("lock.acquire", name="x")
    await a_moment()
    asker.vanish()
    cancelling.cancel(cancelled)
    await a_moment()
    go.set()
    found = await asyncio.wait_for(waiting, 10)
    status = await other.call("lock.status", name="x")
    assert (status["token"], status["holder"]["client_id"]) == (found["token"], other.id)


async def test_a_lock_whose_asker_gave_up_in_the_moment_of_the_grant_is_free_again(broker: Broker) -> None:
    holder, asker = Caller(broker), Caller(broker)
    token = await acquire(holder)
    waiting = asker.begin("lock.acquire", name="x")
    await a_moment()
    releasing = holder.begin("lock.release", name="x", token=token)
    for _ in range(30):
        asker.cancel(waiting)
        await asyncio.sleep(0)
    await releasing
    await a_moment()
    assert not (await holder.call("lock.status", name="x"))["held"]


# ---- renewing and releasing


async def test_a_lock_that_is_not_renewed_goes_to_the_next(broker: Broker) -> None:
    holder, other = Caller(broker), Caller(broker)
    token = await acquire(holder, ttl=10_000)
    waiting = other.begin("lock.acquire", name="x")
    await MovableClock.latest.advance(9)
    await holder.call("lock.renew", name="x", token=token)
    await MovableClock.latest.advance(9)
    assert not waiting.done()
    await MovableClock.latest.advance(2)
    assert (await asyncio.wait_for(waiting, 10))["token"] > token


async def test_who_has_lost_a_lock_hears_so(broker: Broker) -> None:
    holder = Caller(broker)
    token = await acquire(holder, ttl=1_000)
    await MovableClock.latest.advance(1.5)
    for method in ("lock.renew", "lock.release"):
        assert (await refusal(holder, method, name="x", token=token))[0] is ErrorCode.LOCK_LOST
    await acquire(Caller(broker))
    for method in ("lock.renew", "lock.release"):
        assert (await refusal(holder, method, name="x", token=token))[0] is ErrorCode.LOCK_LOST


async def test_a_wrong_token_neither_renews_nor_releases(broker: Broker) -> None:
    first, second = Caller(broker), Caller(broker)
    old = await acquire(first)
    await first.call("lock.release", name="x", token=old)
    assert await refusal(first, "lock.release", name="x", token=old) == (ErrorCode.NOT_FOUND, "params.name")
    token = await acquire(second)
    for method in ("lock.renew", "lock.release"):
        assert await refusal(first, method, name="x", token=old) == (ErrorCode.FENCED, "params.token")
        assert await refusal(first, method, name="x", token=token + 1) == (ErrorCode.CONFLICT, "params.token")
        assert await refusal(first, method, name="y", token=token) == (ErrorCode.NOT_FOUND, "params.name")
    assert (await second.call("lock.status", name="x"))["token"] == token


async def test_a_renewal_by_another_connection_moves_the_lock_there(broker: Broker) -> None:
    first, second, third = Caller(broker, ONE), Caller(broker, ONE), Caller(broker)
    token = await acquire(first, ttl=60_000)
    await second.call("lock.renew", name="x", token=token, ttl=20_000)
    first.leave()
    await a_moment()
    status = await third.call("lock.status", name="x")
    assert (status["holder"]["client_id"], status["holder"]["connected"], status["ttl"]) == (second.id, True, 20_000)
    second.leave()
    await a_moment()
    assert not (await third.call("lock.status", name="x"))["held"]


async def test_a_bye_releases_at_once_and_a_lost_connection_keeps_the_lock_for_its_ttl(broker: Broker) -> None:
    leaving, vanishing, other = Caller(broker), Caller(broker), Caller(broker)
    await acquire(leaving, "left")
    await acquire(vanishing, "lost", ttl=5_000)
    leaving.leave()
    vanishing.vanish()
    await a_moment()
    assert await acquire(other, "left", wait=0)
    status = await other.call("lock.status", name="lost")
    assert (status["held"], status["holder"]["connected"], status["left_ms"]) == (True, False, 5_000)
    await MovableClock.latest.advance(5.1)
    assert await acquire(other, "lost", wait=0)


async def test_a_lock_whose_process_has_died_is_free_at_once() -> None:
    class Graves:
        def __init__(self) -> None:
            self.died: list[Callable[[], None]] = []

        def watch(self, session: AnyCaller, died: Callable[[], None]) -> None:
            self.died.append(died)

    graves = Graves()
    async with opened() as engine:
        hub = Hub(engine, clock := MovableClock())
        for method in (locks := Locks(Shared(hub, graves))).methods():
            hub.calls.add(method)
        await locks.start()
        holder, other = Caller(hub), Caller(hub)
        token = await acquire(holder, ttl=60_000)
        waiting = other.begin("lock.acquire", name="x")
        holder.vanish()
        await a_moment()
        assert not waiting.done()
        graves.died[0]()
        assert (await asyncio.wait_for(waiting, 10))["token"] > token
        assert (await refusal(other, "lock.renew", name="x", token=token))[0] is ErrorCode.LOCK_LOST
        locks.close()
        await clock.close()


async def test_a_lock_taken_by_a_single_request_is_held_until_its_ttl(broker: Broker) -> None:
    token = await acquire(brief := Caller(broker, brief=True), ttl=5_000)
    brief.leave()
    again = Caller(broker, brief=True)
    await MovableClock.latest.advance(4)
    await again.call("lock.renew", name="x", token=token)
    again.leave()
    await MovableClock.latest.advance(4)
    last = Caller(broker, brief=True)
    await last.call("lock.release", name="x", token=token)
    assert await acquire(Caller(broker), wait=0) > token


async def test_where_clients_log_in_a_token_is_good_for_its_subject_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Permissions(publish=["#"], subscribe=["#"], call=["#"])

    def login(token: str | None, metadata: dict[str, Any]) -> Verified:
        return Verified(subject=token or "nobody", permissions=everything)

    async with running(monkeypatch, login) as broker:
        holder, thief, twin = (Caller(broker, token=name) for name in ("alice", "mallory", "alice"))
        await a_moment()
        token = await acquire(holder)
        for method in ("lock.renew", "lock.release"):
            assert (await refusal(thief, method, name="x", token=token))[0] is ErrorCode.PERMISSION_DENIED
        await twin.call("lock.release", name="x", token=token)


# ---- restarts


async def test_locks_outlive_a_restart_with_their_full_ttl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        first = Caller(broker, ONE)
        token = await acquire(first, ttl=10_000, owner="a", metadata={"why": "test"})
        gone = await acquire(first, "gone")
        await first.call("lock.release", name="gone", token=gone)
        await MovableClock.latest.advance(9)
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        again, other = Caller(broker, ONE), Caller(broker, TWO)
        status = await other.call("lock.status", name="x")
        assert (status["token"], status["left_ms"]) == (token, 10_000)
        assert status["holder"]["metadata"] == {"why": "test"}
        assert (await again.call("lock.list"))["count"] == 1
        waiting = other.begin("lock.acquire", name="x")
        await again.call("lock.renew", name="x", token=token)
        await again.call("lock.release", name="x", token=token)
        await until(waiting.done)
        assert waiting.result()["token"] > max(token, gone)


async def test_a_lock_whose_holder_does_not_come_back_after_a_restart_lapses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        token = await acquire(Caller(broker), ttl=10_000)
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        other = Caller(broker)
        waiting = other.begin("lock.acquire", name="x", timeout=60)
        await MovableClock.latest.advance(10.1)
        await until(waiting.done)
        assert waiting.result()["token"] > token


# ---- what others see


async def test_every_change_is_an_event(broker: Broker) -> None:
    listening = await listener(broker)
    holder, other = Caller(broker), Caller(broker)
    token = await acquire(holder, "a.b", ttl=1_000, metadata={"n": 1})
    await holder.call("lock.release", name="a.b", token=token)
    second = await acquire(other, "a.b", ttl=1_000)
    await MovableClock.latest.advance(2)
    third = await acquire(other, "a.b")
    other.leave()
    await a_moment()

    def said(caller: Caller, event: str, token: int, **more: Any) -> tuple[str, dict[str, Any]]:
        sender = f"anonymous:{caller.id}"
        data = {"event": event, "name": "a.b", "token": token, "client_id": caller.id, "sender": sender, **more}
        return f"lock.a%2Eb.{event}", data

    assert told(listening.events) == [
        said(holder, "acquired", token, metadata={"n": 1}),
        said(holder, "released", token, metadata={"n": 1}),
        said(other, "acquired", second),
        said(other, "lost", second, reason="expired"),
        said(other, "acquired", third),
        said(other, "released", third, reason="left"),
    ]
    assert [event.get("from") for event in listening.events[:2]] == [f"anonymous:{holder.id}"] * 2


@pytest.mark.parametrize("event", ["acquired", "released", "lost"])
async def test_nobody_else_publishes_such_events(broker: Broker, event: str) -> None:
    caller = Caller(broker)
    caller.session.receive(b'{"type":"publish","id":"p","topic":"lock.x.%b","data":1}' % event.encode())
    await a_moment()
    assert caller.sink.received[-1]["code"] == "PERMISSION_DENIED"


async def test_a_status_says_holder_token_time_and_how_many_wait(broker: Broker) -> None:
    holder, other = Caller(broker), Caller(broker)
    assert await other.call("lock.status", name="x") == {"name": "x", "held": False, "waiting": 0}
    token = await acquire(holder, ttl=20_000, metadata={"pid": 7})
    other.begin("lock.acquire", name="x")
    await MovableClock.latest.advance(5)
    status = await other.call("lock.status", name="x")
    assert status.pop("since") > 1_600_000_000_000
    assert status == {
        "name": "x",
        "held": True,
        "waiting": 1,
        "token": token,
        "ttl": 20_000,
        "left_ms": 15_000,
        "holder": {
            "client_id": holder.id,
            "sender": f"anonymous:{holder.id}",
            "connected": True,
            "metadata": {"pid": 7},
        },
    }


async def test_a_list_is_filtered_and_comes_in_pages(broker: Broker) -> None:
    caller = Caller(broker)
    for name in ("db/1", "db/2", "db/3", "other"):
        await acquire(caller, name)
    found = await caller.call("lock.list", prefix="db/", limit=2)
    assert (found["count"], [lock["name"] for lock in found["locks"]]) == (3, ["db/1", "db/2"])
    found = await caller.call("lock.list", prefix="db/", offset=2)
    assert [lock["name"] for lock in found["locks"]] == ["db/3"]
    assert (await caller.call("lock.list"))["count"] == 4


# ---- limits


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"name": ""}, "params.name"),
        ({"name": "ä" * 65}, "params.name"),
        ({"name": "a\nb"}, "params.name"),
        ({"name": "x", "ttl": 999}, "params.ttl"),
        ({"name": "x", "ttl": 86_400_001}, "params.ttl"),
        ({"name": "x", "wait": -1}, "params.wait"),
        ({"name": "x", "owner": "o" * 129}, "params.owner"),
    ],
)
async def test_what_is_out_of_range_is_refused_with_the_field(
    broker: Broker, params: dict[str, Any], field: str
) -> None:
    assert await refusal(Caller(broker), "lock.acquire", **params) == (ErrorCode.INVALID_MESSAGE, field)


async def test_one_lock_more_than_may_be_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_locks=1)) as broker:
        caller = Caller(broker)
        token = await acquire(caller)
        assert await refusal(caller, "lock.acquire", name="y") == (ErrorCode.LIMIT_EXCEEDED, "params.name")
        await caller.call("lock.release", name="x", token=token)
        await acquire(caller, "y")


async def test_one_more_than_may_wait_is_refused_and_the_others_keep_their_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, limits=Limits(max_lock_waiters=1)) as broker:
        holder = Caller(broker)
        token = await acquire(holder)
        waiting = Caller(broker).begin("lock.acquire", name="x")
        await a_moment()
        assert await refusal(Caller(broker), "lock.acquire", name="x") == (ErrorCode.LIMIT_EXCEEDED, "params.name")
        await holder.call("lock.release", name="x", token=token)
        await asyncio.wait_for(waiting, 10)


async def test_metadata_over_the_limit_is_refused(broker: Broker) -> None:
    big = {"text": "x" * 5_000}
    assert (await refusal(Caller(broker), "lock.acquire", name="x", metadata=big))[0] is ErrorCode.MESSAGE_TOO_LARGE
    assert not (await Caller(broker).call("lock.status", name="x"))["held"]


async def test_a_lock_that_cannot_be_stored_is_not_granted_and_one_that_cannot_be_released_is_kept(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(broker)
    token = await acquire(caller)

    async def full(puts: Any, appends: Any = ()) -> Any:
        raise SwarmwireError(ErrorCode.UNAVAILABLE, "The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(broker.hub.engine, "transact", full)
        assert (await refusal(caller, "lock.acquire", name="y"))[0] is ErrorCode.UNAVAILABLE
        assert (await refusal(caller, "lock.release", name="x", token=token))[0] is ErrorCode.UNAVAILABLE
    assert not (await caller.call("lock.status", name="y"))["held"]
    await caller.call("lock.release", name="x", token=token)
