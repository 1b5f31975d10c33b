from __future__ import annotations

import asyncio

import pytest

from swarmwire import ErrorCode, Event, SwarmwireError

from .fakebroker import FakeBroker


async def test_a_handler_gets_every_event_in_order(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[int | None] = []
    done = asyncio.Event()

    def handle(event: Event) -> None:
        told.append(event.seq)
        if event.seq == 3:
            done.set()

    registration = client.on("a.*", handle)
    await peer.acknowledge_subscribe()
    await registration
    for seq in (1, 2, 3):
        await peer.event("a.b", seq)
    await done.wait()
    assert told == [1, 2, 3]


async def test_as_a_decorator_it_leaves_the_unsubscriber(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    @client.on("a")
    async def handle(event: Event) -> None:
        raise AssertionError(event)

    await peer.acknowledge_subscribe()
    await handle
    handle()
    handle()
    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]
    await peer.event("a", 1)
    await peer.caught_up(client)
    assert handle.task.done()


async def test_once_handles_one_event_and_unsubscribes(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[int | None] = []
    registration = client.once("a", lambda event: told.append(event.seq))
    await peer.acknowledge_subscribe()
    await peer.event("a", 1)
    await peer.event("a", 2)
    await peer.expect("unsubscribe")
    await registration.task

    assert told == [1]


async def test_a_failing_handler_stops_neither_itself_nor_the_others(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    done = asyncio.Event()
    told: list[int | None] = []

    async def fail(event: Event) -> None:
        if event.seq == 2:
            done.set()
        raise RuntimeError(f"at {event.seq}")

    held = [client.on("a", fail), client.on("a", lambda event: told.append(event.seq))]
    await peer.acknowledge_subscribe()
    await peer.acknowledge_subscribe()
    await peer.event("a", 1)
    await peer.event("a", 2)
    await done.wait()
    await peer.caught_up(client)

    assert told == [1, 2]
    assert [str(error) for error in errors] == ["at 1", "at 2"]
    assert len(held) == 2


async def test_a_slow_handler_holds_up_no_other(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    gate, done = asyncio.Event(), asyncio.Event()

    async def slow(event: Event) -> None:
        await gate.wait()

    client.on("a", slow)
    client.on("a", lambda event: done.set() if event.seq == 3 else None)
    await peer.acknowledge_subscribe()
    await peer.acknowledge_subscribe()
    for seq in (1, 2, 3):
        await peer.event("a", seq)
    await done.wait()
    gate.set()


async def test_a_refused_handler_is_reported_and_raised_to_who_awaits_it(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    registration = client.on("a", print)
    message = await peer.expect("subscribe")
    await peer.send("error", id=message["id"], code="PERMISSION_DENIED", message="No.")

    with pytest.raises(SwarmwireError):
        await registration
    await registration.task
    assert [error.code for error in errors if isinstance(error, SwarmwireError)] == [ErrorCode.PERMISSION_DENIED]


async def test_a_handler_may_disconnect_the_client(broker: FakeBroker) -> None:
    client, peer = await broker.connected(drain_timeout=60.0)

    async def handle(event: Event) -> None:
        await client.disconnect()

    registration = client.on("a", handle)
    await peer.acknowledge_subscribe()
    await peer.event("a", 1)
    await registration.task
    await client.disconnect()
    assert not client.is_ready


async def test_disconnect_lets_a_handler_at_work_finish(broker: FakeBroker) -> None:
    client, peer = await broker.connected(drain_timeout=5.0)
    started, gate = asyncio.Event(), asyncio.Event()
    finished: list[bool] = []

    async def handle(event: Event) -> None:
        started.set()
        await gate.wait()
        finished.append(True)

    client.on("a", handle)
    await peer.acknowledge_subscribe()
    await peer.event("a", 1)
    await started.wait()
    leaving = asyncio.ensure_future(client.disconnect())
    await peer.gone.wait()
    gate.set()
    await leaving
    assert finished == [True]


async def test_a_handler_that_does_not_finish_is_cancelled(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    started = asyncio.Event()

    async def handle(event: Event) -> None:
        started.set()
        await asyncio.Event().wait()

    registration = client.on("a", handle)
    await peer.acknowledge_subscribe()
    await peer.event("a", 1)
    await started.wait()
    await client.disconnect()
    assert registration.task.cancelled()


async def test_handlers_take_no_gaps(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(TypeError):
        client.on("a", print, gaps=True)
