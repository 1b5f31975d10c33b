"""A broker under Windows: the server on TCP, the SDK, the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from swarmwire import connect
from swarmwire_broker.config import Config
from swarmwire_broker.server import Server

from .children import PATIENCE, Children, url_of


async def test_events_go_through_a_server_on_tcp() -> None:
    async with (
        Server(Config(port=0)) as server,
        connect(server.url) as reader,
        connect(server.url) as publisher,
    ):
        events = await reader.subscribe("agent.*")
        for number in range(1_000):
            await publisher.publish("agent.a", number)
        taken = aiter(events)
        assert [(await anext(taken)).data for _ in range(1_000)] == list(range(1_000))


async def test_what_is_large_comes_whole() -> None:
    async with Server(Config(port=0)) as server, connect(server.url) as client:
        events = await client.subscribe("a")
        await client.publish("a", "x" * 3_000_000)
        assert (await anext(aiter(events))).data == "x" * 3_000_000


async def test_a_log_on_disk_is_there_after_a_restart(tmp_path: Path) -> None:
    config = Config(port=0, data=str(tmp_path / "log.sqlite"))
    for number in range(3):
        async with Server(config) as server, connect(server.url) as client:
            assert (await client.publish("a", number)).seq == number + 1


async def test_a_broker_of_its_own_process_is_killed_and_comes_back(children: Children) -> None:
    broker = children.python("-m", "swarmwire_broker", "serve", "--port", "0", "--log-format", "json")
    url = url_of(await broker.says('"listening"'))
    port = url.rpartition(":")[2].partition("/")[0]
    async with connect(url, base_delay=0.05, max_delay=0.1) as client:
        assert (await client.publish("a", 1)).seq == 1
        lost = asyncio.Event()
        client.listen("disconnected", lambda *_: lost.set())
        broker.kill()
        await asyncio.wait_for(lost.wait(), PATIENCE)
        await broker.ended()
        await children.broker("--port", port)
        assert (await client.publish("a", 2)).seq == 1
