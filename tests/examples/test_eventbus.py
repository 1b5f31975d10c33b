"""Programs that tell each other what they do: without a broker, in memory, and as processes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from examples.eventbus import EVENTS, emit, read_arguments, run, watch

from swarmwire import MemoryBus
from swarmwire_broker.server import Server

from .program import finished, program

EXAMPLES_OF: dict[str, dict[str, Any]] = {
    "config:changed": {"key": "theme", "value": "dark"},
    "task:created": {"id": "1", "title": "Buy milk"},
    "task:updated": {"id": "1", "changes": {"title": "Buy oat milk"}},
    "task:deleted": {"id": "1"},
    "item:created": {"id": "2", "name": "milk"},
    "item:updated": {"id": "2", "changes": {"name": "oats"}},
    "project:created": {"id": "3", "name": "Home"},
    "project:archived": {"id": "3"},
}


async def test_a_handler_gets_exactly_the_data_that_was_told() -> None:
    async with MemoryBus() as bus:
        got: asyncio.Queue[Any] = asyncio.Queue()
        await watch(bus, lambda event: got.put_nowait(event))
        await emit(bus, "task:created", id="42", title="Buy milk")
        event = await asyncio.wait_for(got.get(), 5)
        assert (event.topic, event.data) == ("task:created", {"id": "42", "title": "Buy milk"})


async def test_every_standard_event_arrives_under_its_name() -> None:
    assert set(EXAMPLES_OF) == set(EVENTS)
    async with MemoryBus() as bus:
        for event, data in EXAMPLES_OF.items():
            await emit(bus, event, **data)
        got: asyncio.Queue[Any] = asyncio.Queue()
        await watch(bus, lambda event: got.put_nowait((event.topic, event.data)), start="start")
        found = [await asyncio.wait_for(got.get(), 5) for _ in EVENTS]
    assert sorted(found, key=str) == sorted(EXAMPLES_OF.items(), key=str)


@pytest.mark.parametrize(("event", "data"), [("task:gone", {"id": "1"}), ("task:created", {"id": "1", "name": "x"})])
async def test_what_is_not_in_the_table_is_not_told(event: str, data: dict[str, Any]) -> None:
    async with MemoryBus() as bus:
        with pytest.raises(ValueError, match="is told with"):
            await emit(bus, event, **data)
        assert bus.events() == []


async def test_a_command_can_be_tested_without_a_broker() -> None:
    async with MemoryBus() as bus:
        await run(bus, read_arguments(["add", "Buy milk"]))
        await run(bus, read_arguments(["set", "theme", "dark"]))
        assert [event.topic for event in bus.events()] == ["task:created", "config:changed"]
        assert bus.events("task:created")[0].data["title"] == "Buy milk"


async def test_a_process_hears_what_another_does(broker: Server) -> None:
    async with program("eventbus", "--url", broker.url, "watch") as watcher:
        await watcher.line("watching.*")
        assert await finished("eventbus", "--url", broker.url, "add", "Buy milk") == (0, [])
        await watcher.line("task:created id='[0-9a-f]{6}' title='Buy milk'")
        assert await finished("eventbus", "--url", broker.url, "set", "theme", "dark") == (0, [])
        await watcher.line("config:changed key='theme' value='dark'")
        assert await watcher.interrupt() == 0


async def test_a_command_works_where_nobody_is_told(unused_tcp_port: int) -> None:
    code, lines = await finished("eventbus", "--url", f"ws://127.0.0.1:{unused_tcp_port}/ws", "add", "Buy milk")
    assert code == 0
    assert [line.partition(":")[0] for line in lines] == ["nobody was told"]
