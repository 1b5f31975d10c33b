from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from swarmwire import Disconnected, ErrorCode, Published, SwarmwireError, SyncClient, connect_sync

from .fakebroker import FakeBroker, Peer

T = TypeVar("T")


def blocking(work: Callable[[], T]) -> asyncio.Future[T]:
    """Run something that blocks, as a script does, beside the fake broker."""
    return asyncio.ensure_future(asyncio.to_thread(work))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "swarmwire"]


async def connected(broker: FakeBroker) -> tuple[SyncClient, Peer]:
    connecting = blocking(lambda: connect_sync(broker.url, base_delay=0.0, drain_timeout=0.0))
    peer = await broker.accept()
    return await connecting, peer


async def test_publish_returns_what_the_broker_made_of_it(broker: FakeBroker) -> None:
    client, peer = await connected(broker)
    publishing = blocking(lambda: client.publish("a", 1))
    await peer.acknowledge_publish(5)
    assert await publishing == Published(5)
    assert client.is_ready
    assert client.id == "aaaaaaaaaaaa"
    await blocking(client.disconnect)


async def test_a_subscription_is_a_plain_iterator(broker: FakeBroker) -> None:
    client, peer = await connected(broker)
    subscribing = blocking(lambda: client.subscribe("a"))
    await peer.acknowledge_subscribe()
    subscription = await subscribing
    for seq in (1, 2):
        await peer.event("a", seq)
    assert (await blocking(lambda: next(subscription))).seq == 1
    assert (await blocking(lambda: next(subscription))).seq == 2
    assert (subscription.pattern, subscription.cursor) == ("a", "e1:1")
    await blocking(subscription.unsubscribe)
    assert await blocking(lambda: list(subscription)) == []
    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]
    await blocking(client.disconnect)
    await blocking(subscription.unsubscribe)


async def test_waiting_for_an_event_may_end_in_time_and_loses_nothing(broker: FakeBroker) -> None:
    client, peer = await connected(broker)
    subscribing = blocking(lambda: client.subscribe("a", timeout=0.01))
    await peer.acknowledge_subscribe()
    subscription = await subscribing
    with pytest.raises(SwarmwireError) as raised:
        await blocking(lambda: next(subscription))
    assert raised.value.code is ErrorCode.TIMEOUT
    with pytest.raises(SwarmwireError):
        await blocking(lambda: subscription.next(timeout=0))
    await peer.event("a", 1)
    event = await blocking(lambda: subscription.next(timeout=5))
    assert event is not None
    await blocking(client.disconnect)
    assert await blocking(lambda: subscription.next()) is None


async def test_calls_and_pings_block_until_answered(broker: FakeBroker) -> None:
    client, peer = await connected(broker)
    calling = blocking(lambda: client.call("m", 1))
    message = await peer.expect("call")
    await peer.send("reply", id=message["id"], data="done")
    assert await calling == "done"
    pinging = blocking(client.ping)
    message = await peer.expect("ping")
    await peer.send("pong", ts=message["ts"])
    assert await pinging >= 0
    await blocking(client.disconnect)


async def test_no_thread_is_left_after_the_end(broker: FakeBroker) -> None:
    client, peer = await connected(broker)
    assert threads() == ["swarmwire"]
    await blocking(client.disconnect)
    await blocking(client.disconnect)
    await peer.gone.wait()
    assert threads() == []
    with pytest.raises(Disconnected):
        await blocking(lambda: client.publish("a", 1))


async def test_a_connect_that_fails_leaves_no_thread() -> None:
    with pytest.raises(SwarmwireError, match="Nobody answers"):
        await blocking(lambda: connect_sync("ws://127.0.0.1:1/ws"))
    assert threads() == []


async def test_the_context_manager_closes(broker: FakeBroker) -> None:
    def script() -> bool:
        with connect_sync(broker.url, drain_timeout=0.0) as client:
            return client.is_ready

    running = blocking(script)
    peer = await broker.accept()
    assert await running
    await peer.gone.wait()
    assert threads() == []


async def test_an_interrupted_wait_gives_the_request_up(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    client, peer = await connected(broker)
    real = asyncio.run_coroutine_threadsafe

    def interrupted(work: Any, loop: asyncio.AbstractEventLoop) -> Any:
        future: Any = real(work, loop)

        def result() -> None:
            raise KeyboardInterrupt

        future.result = result
        return future

    def call() -> str:
        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
            try:
                client.call("m")
            except KeyboardInterrupt:
                return "interrupted"
        return "answered"

    assert await blocking(call) == "interrupted"
    asked = await peer.take_one()
    if asked["type"] == "call":
        assert (await peer.expect("cancel"))["id"] == asked["id"]
    await blocking(client.disconnect)


async def test_a_listener_that_blocks_on_its_own_thread_is_told(broker: FakeBroker) -> None:
    client, peer = await connected(broker)
    failures: list[Exception] = []

    def listener(latency: float) -> None:
        try:
            client.ping()
        except RuntimeError as error:
            failures.append(error)

    client.listen("pong", listener)
    pinging = blocking(client.ping)
    message = await peer.expect("ping")
    await peer.send("pong", ts=message["ts"])
    await pinging
    assert len(failures) == 1
    await blocking(client.disconnect)
