"""Watching the registry, and asking it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from swarmwire import Being, BeingChange, Disconnected, ErrorCode, Gap, SwarmwireError, Watch, connect
from swarmwire_broker.testing import BrokerFactory

PATIENCE = 20.0


async def changes(watch: Watch, count: int) -> list[BeingChange]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(watch) for _ in range(count)]


async def test_it_begins_with_everybody_who_is_there(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        for name in ("a", "b"):
            await client.registry.register(name, kind="agent", id=name)
        gone = await client.registry.register("c", kind="agent")
        await gone.unregister()
        await client.registry.register("d", kind="worker", id="d")
        watch = client.registry.watch("agent")
        assert [(change.event, change.being.id) for change in await changes(watch, 2)] == [
            ("registered", "a"),
            ("registered", "b"),
        ]
        await client.registry.register("e", kind="agent", id="e")
        assert [change.being.id for change in await changes(watch, 1)] == ["e"]
        assert list(watch.beings) == ["a", "b", "e"]
        await watch.unsubscribe()
        assert [change async for change in watch] == []


async def test_it_tells_what_becomes_of_them(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.registry.watch() as watch:
        async with client.registry.register("a.b", kind="my.kind") as me:
            await me.update({"x": 1})
        told = await changes(watch, 3)
        assert [change.event for change in told] == ["registered", "updated", "gone"]
        assert [change.being.state for change in told] == ["online", "online", "gone"]
        assert told[1].being.metadata == {"x": 1}
        assert watch.beings == {}


async def test_a_kind_that_no_segment_holds_can_be_watched(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url) as client,
        client.registry.watch("my.kind") as watch,
        client.registry.register("a", kind="my.kind", id="x y"),
    ):
        assert (await changes(watch, 1))[0].being.id == "x y"


async def test_after_a_broker_that_forgot_it_tells_who_is_gone_and_who_came_back(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory(unix=str(tmp_path / "s.sock"))
    url = f"unix://{tmp_path / 's.sock'}"
    async with (
        connect(url, base_delay=0.0) as watching,
        watching.registry.watch() as watch,
        connect(url, reconnect=False) as client,
    ):
        await client.registry.register("a", kind="agent", id="a")
        me = await watching.registry.register("b", kind="agent", id="b")
        assert len(await changes(watch, 2)) == 2
        await server.stop()
        await server.start()
        told: set[tuple[str, str]] = set()
        async with asyncio.timeout(PATIENCE):
            async for change in watch:
                told.add((change.event, change.being.id))
                if ("gone", "a") in told and ("registered", "b") in told:
                    break
        assert list(watch.beings) == ["b"]
        await me.unregister()


async def test_the_list_reads_all_pages(broker_factory: BrokerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmwire.registry.registry._PAGE", 2)
    server = await broker_factory()
    async with connect(server.url) as client:
        for number in range(5):
            await client.registry.register(f"n{number}", kind="agent", capabilities=["x"] if number % 2 else [])
        assert [being.name for being in await client.registry.list()] == ["n0", "n1", "n2", "n3", "n4"]
        assert [being.name for being in await client.registry.list(capabilities=["x"])] == ["n1", "n3"]
        assert [being.name for being in await client.registry.list(name="n3", kind="agent", state="online")] == ["n3"]


async def test_who_is_not_there_is_not_found(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        with pytest.raises(SwarmwireError) as raised:
            await client.registry.get("nobody")
        assert raised.value.code is ErrorCode.NOT_FOUND


class Gapped:
    """A subscription that has missed something, and then is quiet."""

    def __init__(self) -> None:
        self.closed = False
        self._items: list[Any] = [Gap("e:1", "e:2", "epoch", "#")]

    async def __anext__(self) -> Any:
        if self._items:
            return self._items.pop()
        self.closed = True
        raise StopAsyncIteration


BEING = Being(id="a", name="a", kind="agent", state="online", epoch=1, ttl_ms=1000)


async def test_a_connection_that_is_lost_while_everybody_is_asked_for_ends_no_watch() -> None:
    answers: list[Any] = [
        [BEING],
        Disconnected(ErrorCode.OUTCOME_UNKNOWN, "lost"),
        Disconnected(ErrorCode.UNAVAILABLE, "none"),
    ]

    async def list_all() -> list[Being]:
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        found: list[Being] = answer
        return found

    watch = Watch(Gapped(), list_all)  # type: ignore[arg-type]
    assert await changes(watch, 1) == [BeingChange("registered", BEING)]
    assert [change async for change in watch] == []


async def test_who_stops_waiting_while_everybody_is_asked_for_misses_nothing() -> None:
    asked = asyncio.Event()
    answered = asyncio.Event()

    async def list_all() -> list[Being]:
        asked.set()
        await answered.wait()
        return [BEING]

    watch = Watch(Gapped(), list_all)  # type: ignore[arg-type]
    first = asyncio.ensure_future(anext(watch))
    await asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    answered.set()
    assert await changes(watch, 1) == [BeingChange("registered", BEING)]
