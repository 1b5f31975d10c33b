"""Promises that no other test shows from where their users stand: at a client, over a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Call, ErrorCode, Event, SwarmwireError, connect
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory

from ..broker.transports.wire import eventually


async def test_the_client_lists_and_starts_projects(broker: Server) -> None:
    async with connect(broker.url) as client:
        assert await client.projects.list() == []
        await client.projects.add("/srv/one", id="one")
        await client.projects.add("/srv/two", id="two")
        started = await client.projects.start("two")
        assert (started.id, started.path, started.state) == ("two", "/srv/two", "running")
        assert {each.id: each.state for each in await client.projects.list()} == {"one": "stopped", "two": "running"}
        assert [each.id for each in await client.projects.list(state="running")] == ["two"]


@pytest.mark.parametrize(("options", "seconds"), [({}, 30.0), ({"request_timeout": 7.0}, 7.0)])
async def test_a_request_has_thirty_seconds_unless_told_otherwise(
    broker: Server, options: dict[str, Any], seconds: float
) -> None:
    def left(params: None, call: Call) -> float:
        return call.seconds_left

    async with connect(broker.url) as server, connect(broker.url, **options) as client:
        await server.handler("left", left)
        assert seconds - 2 < await client.call("left") <= seconds
        assert 9 < await client.call("left", timeout=11.0) <= 11


async def test_events_of_the_daemon_arrive_under_their_names_with_what_happened(broker: Server) -> None:
    heard: asyncio.Queue[Event] = asyncio.Queue()
    async with connect(broker.url) as watcher, connect(broker.url) as client:
        for pattern in ("queue.builds.*", "project.*.*", "task.*.completed"):
            await watcher.on(pattern, heard.put_nowait)
        await client.call("queue.pause", {"queue": "builds"})
        await client.projects.add("/srv/one", id="one")
        await client.tasks.submit("build", id="t1")
        async with client.tasks.claim(wait=10) as task:
            assert task is not None
            task.result = 42
        async with asyncio.timeout(10):
            told = {event.topic: event for event in [await heard.get() for _ in range(3)]}
    assert told.keys() == {"queue.builds.status-changed", "project.one.added", "task.t1.completed"}
    assert told["queue.builds.status-changed"].data["status"] == "paused"
    assert told["project.one.added"].data["path"] == "/srv/one"
    assert told["task.t1.completed"].data["result"] == 42


async def test_clients_that_come_and_go_quickly_leave_nothing_behind(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    for _ in range(5):
        async with connect(broker.url) as client:
            assert client.is_ready
    await eventually(lambda: not broker.broker.hub.sessions)


ZEROS: dict[str, dict[str, Any]] = {
    "queue.status": {"total": 0, "pending": 0, "running": 0, "completed": 0, "failed": 0, "queues": []},
    "worker.status": {"total": 0, "active": 0, "idle": 0, "workers": []},
    "task.list": {"count": 0, "tasks": []},
    "project.list": {"count": 0, "projects": []},
}


@pytest.mark.parametrize("method", ZEROS)
async def test_where_there_is_nothing_yet_the_answer_is_empty_and_no_error(broker: Server, method: str) -> None:
    async with connect(broker.url) as client:
        answer = await client.call(method)
    assert {name: answer[name] for name in ZEROS[method]} == ZEROS[method]


async def test_periods_and_lengths_that_are_not_given_have_their_usual_size(broker: Server) -> None:
    async with connect(broker.url) as client:
        assert (await client.call("queue.stats"))["period"] == "1h"
        assert (await client.call("metrics.get"))["period"] == "5m"
        for number in range(101):
            await client.tasks.submit("build", number)
        tasks = await client.call("task.list")
        assert (tasks["count"], len(tasks["tasks"])) == (101, 100)
        later = await client.call("task.list", {"offset": 100})
        assert [each["id"] for each in later["tasks"]] == [(await client.tasks.list(offset=100))[0].id]


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("project.add", "path"),
        *((f"project.{name}", "id") for name in ("remove", "status", "start", "stop", "restart", "update")),
        *((f"task.{name}", "id") for name in ("status", "cancel", "retry")),
        ("worker.scale", "count"),
    ],
)
async def test_what_must_be_given_is_named_where_it_is_missing(broker: Server, method: str, field: str) -> None:
    async with connect(broker.url) as client:
        with pytest.raises(SwarmwireError) as caught:
            await client.call(method, {})
    assert caught.value.code is ErrorCode.INVALID_MESSAGE
    assert field in f"{caught.value.field} {caught.value.message}"
