"""Locks through the SDK, with a real broker, and with one that does what a test tells it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, LockInfo, SwarmwireError, connect, connect_sync
from swarmwire.waking import waking_time
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory

from .fakebroker import FakeBroker, Message, Peer

PATIENCE = 20.0


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    assert session is not None
    session._connection.abort()


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it is so."""
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 - a broker is asked
            await asyncio.sleep(0.005)


async def waiting(client: Client, count: int, name: str = "x") -> None:
    """Wait until so many wait for a lock."""

    async def is_so() -> bool:
        return (await client.locks.status(name)).waiting == count

    await until(is_so)


async def held_by(seer: Client, holder: Client, name: str = "x") -> LockInfo:
    """Wait until a lock is held by the present connection of a client."""
    found: LockInfo | None = None

    async def is_so() -> bool:
        nonlocal found
        if not seer.is_ready:
            return False
        found = await seer.locks.status(name)
        return found.holder is not None and found.holder.client_id == holder.id

    await until(is_so)
    assert found is not None
    return found


async def cut_off(client: Client, peer: Peer) -> None:
    """Break the connection, and wait until the client has seen it."""
    lost = asyncio.Event()
    client.listen("disconnected", lambda *_: lost.set())
    peer.cut()
    async with asyncio.timeout(PATIENCE):
        await lost.wait()


async def lock_call(peer: Peer, method: str) -> Message:
    """The next call of this method."""
    message = await peer.expect("call")
    assert message["method"] == method
    return message


async def granted(peer: Peer, token: int = 7) -> None:
    """Grant what is asked for."""
    call = await lock_call(peer, "lock.acquire")
    await peer.send("reply", id=call["id"], data={"name": call["params"]["name"], "token": token, "ttl": 1})


async def refused(peer: Peer, method: str, code: str, field: str = "params.token") -> None:
    call = await lock_call(peer, method)
    await peer.send("error", id=call["id"], code=code, message="It is so.", field=field)


# ---- with a broker


async def test_a_lock_is_held_in_the_block_and_free_after_it(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        lock = client.lock("config-file")
        assert not await lock.locked()
        async with lock:
            assert lock.held
            assert lock.token is not None
            assert await lock.locked()
        assert not lock.held
        assert lock.token is None
        assert not await lock.locked()


async def test_a_lock_is_free_after_a_block_that_failed(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.lock("x"):
                raise ZeroDivisionError
        assert not await client.lock("x").locked()


async def test_ten_tasks_that_want_it_all_get_it_in_turn_with_rising_tokens(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    running, tokens, order = 0, [0], []

    async def work(client: Client, number: int) -> None:
        nonlocal running
        async with client.lock("x", wait=PATIENCE) as lock:
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            running -= 1
            tokens.append(lock.token or 0)
            order.append(number)

    async with connect(server.url) as one, connect(server.url) as other:
        first = await one.lock("x").acquire()
        tasks = []
        for number in range(10):
            tasks.append(asyncio.create_task(work(one if number % 2 else other, number)))
            await waiting(one, number + 1)
        await first.release()
        await asyncio.gather(*tasks)
    assert order == list(range(10))
    assert tokens == sorted(set(tokens))


async def test_who_does_not_get_it_in_time_hears_the_name(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.lock("config-file"):
        for wait in (0, 0.05):
            with pytest.raises(SwarmwireError, match="'config-file'") as caught:
                await client.lock("config-file", wait=wait).acquire()
            assert caught.value.code is ErrorCode.LOCK_TIMEOUT
            assert caught.value.details == {"name": "config-file"}


async def test_one_lock_object_is_not_acquired_twice(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.lock("x") as lock:
        with pytest.raises(SwarmwireError) as caught:
            await lock.acquire()
        assert caught.value.code is ErrorCode.CONFLICT
        assert lock.held


async def test_who_stops_waiting_leaves_the_lock_to_others(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        async with client.lock("x"):
            acquiring = asyncio.create_task(client.lock("x").acquire())
            await waiting(client, 1)
            acquiring.cancel()
            with pytest.raises(asyncio.CancelledError):
                await acquiring
            await waiting(client, 0)
        async with client.lock("x", wait=0):
            pass


async def test_a_client_that_disconnects_lets_its_locks_go_at_once(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as other:
        client = await connect(server.url)
        lock = await client.lock("x", ttl=3_600).acquire()
        await client.disconnect()
        async with other.lock("x", wait=PATIENCE):
            assert lock.lost
        with pytest.raises(SwarmwireError) as caught:
            lock.check()
        assert caught.value.code is ErrorCode.LOCK_LOST


async def test_a_lock_outlives_a_cut_connection_with_its_token(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.0) as client, connect(server.url) as other:
        async with client.lock("x", ttl=3_600) as lock:
            token = lock.token
            again = asyncio.Event()
            client.listen("connected", lambda _: again.set())
            cut(client)
            async with asyncio.timeout(PATIENCE):
                await again.wait()
            found = await held_by(other, client)
            assert found.token == lock.token == token
        assert not await other.lock("x").locked()


async def test_a_lock_outlives_a_restart_of_the_broker(tmp_path: Path) -> None:
    config = Config(port=0, unix="off", data=str(tmp_path), limits=Limits(reconnect_window_ms=0))
    async with Server(config) as server:
        client = await connect(server.url, base_delay=0.05, max_delay=0.05)
        lock = await client.lock("x", ttl=60).acquire()
        token, port = lock.token, server.port
    async with Server(Config(port=port, unix="off", data=str(tmp_path))):
        found = await held_by(client, client)
        assert (lock.token, found.token, lock.held) == (token, token, True)
        await lock.release()
        assert not await lock.locked()
        await client.disconnect()


async def test_a_list_and_a_status_say_who_has_what(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, connect(server.url) as other:
        async with client.lock("db/1", metadata={"host": "a"}) as lock, other.lock("db/2"), other.lock("other"):
            assert [found.name for found in await other.locks.list("db/")] == ["db/1", "db/2"]
            assert len(await other.locks.list()) == 3
            found = await other.locks.status("db/1")
            assert (found.held, found.token, found.ttl, found.waiting) == (True, lock.token, 30_000, 0)
            assert found.holder is not None
            assert (found.holder.client_id, found.holder.metadata) == (client.id, {"host": "a"})
        assert (await other.locks.status("db/1")).held is False


async def test_every_change_is_an_event(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.subscribe("lock.config.*") as events:
        async with client.lock("config") as lock:
            token = lock.token
        found = [await anext(events), await anext(events)]
    assert [(event.topic, event.data["event"], event.data["token"]) for event in found] == [
        ("lock.config.acquired", "acquired", token),
        ("lock.config.released", "released", token),
    ]
    assert {event.data["client_id"] for event in found} == {found[0].data["client_id"]}


async def test_a_disabled_lock_keeps_nobody_out_and_says_so(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.lock("x"), client.lock("x", wait=0, disabled=True) as lock:
        assert lock.held
        assert lock.disabled
        assert lock.token is None
        assert "disabled" in repr(lock)
        lock.check()


@pytest.mark.parametrize(
    ("options", "field"),
    [({"name": ""}, "name"), ({"wait": -1}, "wait"), ({"ttl": float("nan")}, "ttl"), ({"ttl": 0}, "ttl")],
)
async def test_what_cannot_be_is_refused_before_it_is_asked(
    broker_factory: BrokerFactory, options: dict[str, Any], field: str
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        with pytest.raises(SwarmwireError) as caught:
            client.lock(**{"name": "x", **options})
        assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, field)


async def test_a_ttl_that_the_broker_does_not_take_is_refused_with_its_field(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        with pytest.raises(SwarmwireError) as caught:
            await client.lock("x", ttl=0.5).acquire()
        assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "params.ttl")


async def test_who_waited_for_longer_than_the_ttl_has_the_lock_all_the_same(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, connect(server.url) as other:
        first = await client.lock("x").acquire()
        second = other.lock("x", ttl=1)
        acquiring = asyncio.create_task(second.acquire())
        await waiting(client, 1)
        await asyncio.sleep(1.1)  # more than its ttl
        await first.release()
        await asyncio.wait_for(acquiring, PATIENCE)
        assert second.held
        assert not second.lost
        assert (await client.locks.status("x")).token == second.token
        await second.release()


async def test_who_waited_counts_the_ttl_from_when_it_asked_again(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x", ttl=0.6).acquire())
    first = await lock_call(peer, "lock.acquire")
    await asyncio.sleep(0.7)  # in the line
    await peer.send("reply", id=first["id"], data={"name": "x", "token": 7, "ttl": 600})
    second = await lock_call(peer, "lock.acquire")
    assert second["params"]["owner"] == first["params"]["owner"]
    assert not acquiring.done()
    await peer.send("reply", id=second["id"], data={"name": "x", "token": 7, "ttl": 600})
    lock = await asyncio.wait_for(acquiring, PATIENCE)
    assert lock.held


async def test_who_gives_up_while_it_asks_again_gives_the_lock_back(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x", ttl=3).acquire())
    first = await lock_call(peer, "lock.acquire")
    await asyncio.sleep(1.1)  # in the line
    await peer.send("reply", id=first["id"], data={"name": "x", "token": 7, "ttl": 3000})
    await lock_call(peer, "lock.acquire")
    acquiring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    await peer.expect("cancel")
    assert (await lock_call(peer, "lock.release"))["params"] == {"name": "x", "token": 7}


async def test_a_release_that_is_cancelled_releases(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        lock = await client.lock("x").acquire()
        releasing = asyncio.create_task(lock.release())
        await asyncio.sleep(0)
        releasing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await releasing

        async def is_free() -> bool:
            return not await client.lock("x").locked()

        await until(is_free)


@pytest.mark.parametrize("name", [5, None, b"x", ["x"]])
async def test_a_name_that_is_no_string_is_refused_with_its_type(broker: FakeBroker, name: Any) -> None:
    client, _ = await broker.connected()
    with pytest.raises(SwarmwireError, match=f"Expected a lock's name.*got {type(name).__name__}") as caught:
        client.lock(name)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "name")


@pytest.mark.parametrize(
    ("field", "value"),
    [("ttl", None), ("ttl", "5"), ("ttl", True), ("ttl", 1e300), ("ttl", 86_401), ("wait", "5"), ("wait", False)],
)
async def test_a_time_that_is_none_is_refused_with_what_came(broker: FakeBroker, field: str, value: Any) -> None:
    client, _ = await broker.connected()
    with pytest.raises(SwarmwireError, match=r"Expected .*got") as caught:
        client.lock("x", **{field: value})
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, field)


# ---- losing it


async def test_a_lock_is_lost_when_its_ttl_has_passed_since_the_last_renewal_was_sent(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x", ttl=0.3).acquire())
    call = await lock_call(peer, "lock.acquire")
    await asyncio.sleep(0.08)  # the answer takes its time, which counts
    await peer.send("reply", id=call["id"], data={"name": "x", "token": 7, "ttl": 300})
    lock = await acquiring
    begin = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        error = await lock.lost
    assert time.monotonic() - begin < 0.25
    assert error.code is ErrorCode.LOCK_LOST
    assert not lock.held
    with pytest.raises(SwarmwireError, match="'x' was lost") as caught:
        lock.check()
    assert caught.value.code is ErrorCode.LOCK_LOST
    with pytest.raises(SwarmwireError):
        await lock.release()
    await lock.release()


async def test_a_renewal_that_succeeded_keeps_the_lock(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    entering = asyncio.create_task(client.lock("x", ttl=0.6).acquire())
    await granted(peer)
    lock = await entering
    for _ in range(6):  # 1.2 s, twice its ttl
        call = await lock_call(peer, "lock.renew")
        assert call["params"] == {"name": "x", "token": 7, "ttl": 600}
        await peer.send("reply", id=call["id"], data={"name": "x", "token": 7, "ttl": 600})
    assert lock.held
    assert not lock.lost


@pytest.mark.parametrize("code", ["LOCK_LOST", "FENCED", "NOT_FOUND"])
async def test_a_lock_is_lost_when_the_broker_says_so(broker: FakeBroker, code: str) -> None:
    client, peer = await broker.connected()
    entering = asyncio.create_task(client.lock("x", ttl=0.3).acquire())
    await granted(peer)
    lock = await entering
    await refused(peer, "lock.renew", code)
    async with asyncio.timeout(PATIENCE):
        assert (await lock.lost).code is ErrorCode.LOCK_LOST


async def test_a_passing_failure_of_a_renewal_is_tried_again(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    entering = asyncio.create_task(client.lock("x", ttl=3).acquire())
    await granted(peer)
    lock = await entering
    await refused(peer, "lock.renew", "UNAVAILABLE", "x")
    call = await lock_call(peer, "lock.renew")
    await peer.send("reply", id=call["id"], data={"name": "x", "token": 7, "ttl": 3000})
    assert lock.held


async def test_leaving_the_block_tells_that_the_lock_was_lost_meanwhile(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def work() -> None:
        async with client.lock("x", ttl=0.1) as lock:
            await lock.lost

    working = asyncio.create_task(work())
    await granted(peer)
    with pytest.raises(SwarmwireError) as caught:
        await asyncio.wait_for(working, PATIENCE)
    assert caught.value.code is ErrorCode.LOCK_LOST


async def test_what_the_block_failed_with_is_kept_when_the_lock_was_lost_too(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def work() -> None:
        async with client.lock("x", ttl=0.1) as lock:
            await lock.lost
            raise ZeroDivisionError

    working = asyncio.create_task(work())
    await granted(peer)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(working, PATIENCE)


async def test_a_program_that_stood_still_for_the_ttl_does_not_take_the_lock_for_its_own(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    entering = asyncio.create_task(client.lock("x", ttl=0.1).acquire())
    await granted(peer)
    lock = await entering
    time.sleep(0.15)  # noqa: ASYNC251 - the loop must not turn
    assert not lock.held
    with pytest.raises(SwarmwireError) as caught:
        lock.check()
    assert caught.value.code is ErrorCode.LOCK_LOST


async def test_the_block_is_cancelled_when_the_lock_is_lost_and_that_is_wanted(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def work() -> None:
        async with client.lock("x", ttl=0.1, cancel_on_loss=True):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await granted(peer)
    with pytest.raises(SwarmwireError) as caught:
        await asyncio.wait_for(working, PATIENCE)
    assert caught.value.code is ErrorCode.LOCK_LOST
    assert working.cancelling() == 0


async def test_a_block_that_finds_the_loss_itself_is_not_cancelled_after_its_end(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def stand_still() -> None:
        async with client.lock("x", ttl=0.1, cancel_on_loss=True) as lock:
            time.sleep(0.15)  # noqa: ASYNC251 - the loop must not turn
            lock.check()

    async def work() -> str:
        with pytest.raises(SwarmwireError) as caught:
            await stand_still()
        assert caught.value.code is ErrorCode.LOCK_LOST
        await asyncio.sleep(0)
        return "went on"

    working = asyncio.create_task(work())
    await granted(peer)
    assert await asyncio.wait_for(working, PATIENCE) == "went on"


async def test_the_lock_is_lost_before_the_bye_is_said(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    entering = asyncio.create_task(client.lock("x", ttl=60).acquire())
    await granted(peer)
    lock = await entering
    leaving = asyncio.create_task(client.disconnect())
    await peer.expect("bye")
    assert not lock.held
    with pytest.raises(SwarmwireError, match="the client was disconnected"):
        lock.check()
    await leaving


async def test_the_time_for_which_the_machine_slept_counts(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    client, peer = await broker.connected()
    entering = asyncio.create_task(client.lock("x", ttl=60).acquire())
    await granted(peer)
    lock = await entering
    assert lock.held
    woken = waking_time() + 61
    monkeypatch.setattr("swarmwire.locks.lock.waking_time", lambda: woken)
    assert not lock.held
    with pytest.raises(SwarmwireError, match="ttl of 60 s has passed"):
        lock.check()


async def test_a_cancellation_from_elsewhere_stays_one(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    inside = asyncio.Event()

    async def work() -> None:
        async with client.lock("x", ttl=60, cancel_on_loss=True):
            inside.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await granted(peer)
    await inside.wait()
    working.cancel()
    call = await lock_call(peer, "lock.release")
    await peer.send("reply", id=call["id"], data={})
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_lock_that_was_lost_can_be_acquired_anew(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    lock = client.lock("x", ttl=0.2)
    entering = asyncio.create_task(lock.acquire())
    await granted(peer)
    await entering
    await refused(peer, "lock.renew", "FENCED")
    await asyncio.wait_for(_lost(lock), PATIENCE)
    with pytest.raises(SwarmwireError):
        await lock.release()
    entering = asyncio.create_task(lock.acquire())
    await granted(peer, token=9)
    assert (await entering).token == 9
    assert not lock.lost


async def _lost(lock: Any) -> None:
    await lock.lost


async def test_a_loss_is_reported_to_who_listens(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    reported: asyncio.Queue[SwarmwireError] = asyncio.Queue()
    client.listen("error", reported.put_nowait)
    entering = asyncio.create_task(client.lock("x", ttl=0.1).acquire())
    await granted(peer)
    lock = await entering
    error = await asyncio.wait_for(reported.get(), PATIENCE)
    assert (error.code, error.details) == (ErrorCode.LOCK_LOST, {"name": "x"})
    assert lock.lost


async def test_who_waits_without_a_limit_asks_again_when_the_call_was_too_short(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x").acquire())
    await refused(peer, "lock.acquire", "LOCK_TIMEOUT", "params.name")
    await granted(peer)
    assert (await acquiring).token == 7


# ---- connections that break at the wrong moment


async def test_an_acquire_whose_answer_was_lost_is_asked_again_by_the_same_owner(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x", ttl=60, wait=PATIENCE).acquire())
    first = await lock_call(peer, "lock.acquire")
    peer.cut()
    peer = await broker.accept()
    second = await lock_call(peer, "lock.acquire")
    assert second["params"]["owner"] == first["params"]["owner"]
    await peer.send("reply", id=second["id"], data={"name": "x", "token": 7, "ttl": 60_000})
    assert (await acquiring).token == 7


async def test_a_lock_granted_to_who_does_not_wait_any_more_is_given_back(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x").acquire())
    call = await lock_call(peer, "lock.acquire")
    acquiring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    assert (await peer.expect("cancel"))["id"] == call["id"]
    await peer.send("reply", id=call["id"], data={"name": "x", "token": 7, "ttl": 30_000})
    assert (await lock_call(peer, "lock.release"))["params"] == {"name": "x", "token": 7}


async def test_a_release_without_a_connection_is_told_on_the_next_one(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    acquiring = asyncio.create_task(client.lock("x", ttl=60).acquire())
    await granted(peer)
    lock = await acquiring
    await cut_off(client, peer)
    await lock.release()
    peer = await broker.accept()
    assert (await lock_call(peer, "lock.release"))["params"] == {"name": "x", "token": 7}


async def test_without_a_connection_who_does_not_wait_hears_that(broker: FakeBroker) -> None:
    client, peer = await broker.connected(base_delay=60.0)
    await cut_off(client, peer)
    for wait in (0, 0.05):
        with pytest.raises(SwarmwireError) as caught:
            await client.lock("x", wait=wait).acquire()
        assert caught.value.code is ErrorCode.UNAVAILABLE


# ---- without an event loop


async def test_the_blocking_twin_locks_too(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    await asyncio.to_thread(_lock_from_a_thread, server.url)


def _lock_from_a_thread(url: str) -> None:
    with connect_sync(url) as client, connect_sync(url) as other:
        with client.lock("x") as lock:
            assert lock.held
            assert lock.token is not None
            assert not lock.lost
            lock.check()
            assert other.lock("x").locked()
            assert [found.name for found in other.lock_list()] == ["x"]
            assert other.lock_status("x").token == lock.token
            with pytest.raises(SwarmwireError) as caught, other.lock("x", wait=0):
                pass
            assert caught.value.code is ErrorCode.LOCK_TIMEOUT
        assert not lock.held
        lock.release()
        with pytest.raises(ZeroDivisionError), client.lock("x", wait=0):
            raise ZeroDivisionError
        kept = other.lock("x", wait=0).acquire()
        other.disconnect()
        assert kept.lost
        assert not kept.held
        with pytest.raises(SwarmwireError):
            kept.check()
