"""The bus in memory: what only it has, and what it is made of."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from msgspec import Raw

from swarmwire import (
    Event,
    Live,
    MemoryBus,
    Published,
    SwarmwireError,
    SyncMemoryBus,
    connect,
    connect_sync,
)
from swarmwire.connection import Connection
from swarmwire.memory import log as memorylog
from swarmwire.memory.connection import MemoryConnection
from swarmwire_protocol.codec import decode_from_broker, encode
from swarmwire_protocol.errors import ErrorCode
from swarmwire_protocol.messages import BrokerMessage, ClientInfo, Error, Hello, Publish

from .houses import PATIENCE, data, take


async def test_what_was_published_can_be_looked_at() -> None:
    async with MemoryBus() as bus, connect(bus.url) as other:
        await other.publish("build.done", {"ok": True})
        await bus.publish("x", 1)
        assert [(event.topic, event.data) for event in bus.events("build.*")] == [("build.done", {"ok": True})]
        assert [event.seq for event in bus.events()] == [1, 2]


async def test_it_keeps_no_more_than_it_may() -> None:
    async with MemoryBus(max_events=10) as bus:
        for number in range(1000):
            await bus.publish(f"topic.{number}", number, key=f"k{number}")
        assert [event.data for event in bus.events()] == list(range(990, 1000))
        assert len(await _snapshot(bus)) == 10
        log = bus._bus.log
        assert (len(log._entries), len(log._latest)) == (10, 10)


async def test_keys_are_known_for_their_time_and_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorylog, "_KEYS", 2)
    async with MemoryBus(max_events=1) as bus:
        first = await bus.publish("a", 1, key="k")
        await bus.publish("a", 2)  # the first is gone, but not its key
        assert await bus.publish("a", 3, key="k") == Published(first.seq, True)
        await bus.publish("a", 4, key="l")
        await bus.publish("a", 5, key="m")
        assert not (await bus.publish("a", 6, key="k")).duplicate
        monkeypatch.setattr(memorylog, "DEDUPE_MS", 0)
        assert not (await bus.publish("a", 7, key="k")).duplicate


async def _snapshot(bus: MemoryBus) -> list[Event]:
    found: list[Event] = []
    async for each in bus.subscribe("#", from_="latest", live=True):
        if isinstance(each, Live):
            return found
        assert isinstance(each, Event)
        found.append(each)
    raise AssertionError("it ended")


async def test_what_a_client_does_not_read_is_not_kept_for_it() -> None:
    async with MemoryBus(max_events=10) as bus:
        connection = MemoryConnection(bus._bus.name)
        await _hello(connection)
        connection.send(b'{"type":"subscribe","id":1,"subscriptions":[{"pattern":"a"}]}')
        for number in range(1000):
            await bus.publish("a", number)
        assert len(connection._peer.take()) < 300
        connection.abort()
        connection.abort()


async def test_two_buses_do_not_meet_and_have_one_name_each() -> None:
    async with MemoryBus("one") as one, MemoryBus("two") as two:
        await one.publish("a", 1)
        assert two.events() == []
        with pytest.raises(SwarmwireError) as caught:
            MemoryBus("one")
        assert caught.value.code is ErrorCode.CONFLICT
    async with MemoryBus("one") as again:
        assert again.events() == []


@pytest.mark.parametrize("options", [{"name": "no name"}, {"max_events": 0}])
async def test_a_bus_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SwarmwireError) as caught:
        MemoryBus(**options)
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


async def test_without_a_bus_there_is_no_connection() -> None:
    with pytest.raises(SwarmwireError) as caught:
        await connect("memory://nobody")
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert "'nobody'" in caught.value.message


async def test_who_is_connected_comes_back_to_the_next_bus_of_that_name() -> None:
    async with MemoryBus("phoenix") as bus:
        other = await connect(bus.url, base_delay=0.001)
        stream = await other.subscribe("a", gaps=True)
        await bus.publish("a", 1)
        assert await data(stream, 1) == [1]
    async with MemoryBus("phoenix") as bus:
        await bus.publish("a", 2)
        gap, event = await take(stream, 2)
        assert (gap.reason, event.data) == ("epoch", 2)
        await other.disconnect()


async def test_a_client_that_was_forgotten_leaves_nothing_behind() -> None:
    async with MemoryBus() as bus:
        for _ in range(3):
            async with connect(bus.url) as other:
                await other.subscribe("#")
        gc.collect()
        assert len(bus._bus._peers) == 1


async def _hello(connection: Connection, versions: list[str] | None = None) -> list[BrokerMessage]:
    await connection.open()
    connection.send(encode(Hello(versions=versions or ["1"], client=ClientInfo(name="raw"))))
    return [decode_from_broker(each) for each in await connection.receive()]


async def test_a_client_of_the_future_is_told_which_versions_there_are() -> None:
    async with MemoryBus() as bus:
        (answer,) = await _hello(MemoryConnection(bus._bus.name), versions=["99"])
        assert isinstance(answer, Error)
        assert (answer.code, answer.versions) == (ErrorCode.UNSUPPORTED_VERSION, ["1"])


async def test_what_is_no_message_is_one_error_and_the_connection_goes_on() -> None:
    async with MemoryBus() as bus:
        connection = MemoryConnection(bus._bus.name)
        await _hello(connection)
        connection.send(b"{")
        connection.send(encode(Publish(id=1, topic="a", data=Raw(b"[" * 200 + b"]" * 200))))
        connection.send(b'{"type":"unsubscribe","id":2,"subs":["none"]}')
        connection.send(b'{"type":"auth","id":3,"token":"t"}')
        answers = [decode_from_broker(each) for each in await connection.receive()]
        codes = [getattr(each, "code", None) for each in answers]
        assert codes == [ErrorCode.INVALID_MESSAGE, ErrorCode.INVALID_MESSAGE, ErrorCode.NOT_FOUND, None]
        await connection.close(1000, "")


async def test_a_call_that_nobody_answers_ends_in_time() -> None:
    async with MemoryBus() as bus:
        connection = MemoryConnection(bus._bus.name)
        await _hello(connection)
        connection.send(b'{"type":"call","id":1,"method":"rpc.register","params":{"methods":["silent"]}}')
        with pytest.raises(SwarmwireError) as caught:
            await bus.call("silent", timeout=0.02)
        assert caught.value.code is ErrorCode.TIMEOUT
        connection.send(b'{"type":"call","id":2,"method":"silent","timeout_ms":1}')
        connection.send(b'{"type":"call","id":3,"method":"silent","timeout_ms":0}')
        connection.send(b'{"type":"call","id":4,"method":"rpc.register","params":[]}')
        connection.send(b'{"type":"reply","id":"b:99","data":null}')
        codes: dict[object, object] = {}
        async with asyncio.timeout(PATIENCE):
            while len(codes) < 3:
                answers = [decode_from_broker(each) for each in await connection.receive()]
                codes |= {each.id: each.code for each in answers if isinstance(each, Error)}
        assert codes == {2: ErrorCode.TIMEOUT, 3: ErrorCode.TIMEOUT, 4: ErrorCode.INVALID_MESSAGE}
        connection.abort()


async def test_no_more_calls_wait_than_may() -> None:
    async with MemoryBus() as bus:
        connection = MemoryConnection(bus._bus.name)
        await _hello(connection)
        connection.send(b'{"type":"call","id":"r","method":"rpc.register","params":{"methods":["silent"]}}')
        for number in range(1001):
            connection.send(b'{"type":"call","id":%d,"method":"silent"}' % number)
        answers = [decode_from_broker(each) for each in await connection.receive()]
        assert [(each.id, each.code) for each in answers if isinstance(each, Error)] == [
            (1000, ErrorCode.LIMIT_EXCEEDED)
        ]
        connection.abort()
        assert bus._bus._calls._pending == {}


def test_programs_without_an_event_loop_have_a_bus_of_their_own() -> None:
    with SyncMemoryBus("blocking") as bus, connect_sync(bus.url or "") as client:
        with bus.subscribe("a") as stream:
            client.publish("a", 1)
            event = stream.next(PATIENCE)
            assert isinstance(event, Event)
            assert event.data == 1
        client.handler("double", lambda params: 2 * params)
        assert bus.call("double", 21) == 42
        assert [event.data for event in bus.events("a")] == [1]
    with pytest.raises(SwarmwireError) as caught:
        connect_sync("memory://blocking")
    assert caught.value.code is ErrorCode.UNAVAILABLE
