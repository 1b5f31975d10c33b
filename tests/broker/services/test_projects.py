"""Projects: records that hold and release a queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode

from .callers import a_moment
from .taskrig import Worker, refused, running


async def test_where_there_is_no_project_the_list_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        assert await Worker(broker).call("project.list") == {"count": 0, "projects": []}


async def test_a_project_is_added_looked_at_updated_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        added = (await client.call("project.add", path="/srv/site", config={"priority": 3}))["project"]
        assert (added["path"], added["state"], added["queue"]) == ("/srv/site", "stopped", added["id"])

        updated = await client.call("project.update", id=added["id"], path="/srv/new", config={"a": [1]}, queue="q")
        status = await client.call("project.status", id=added["id"])
        assert status["project"] == updated["project"]
        assert (status["project"]["path"], status["project"]["config"]) == ("/srv/new", {"a": [1]})
        assert (status["queue"]["name"], status["queue"]["held_by"]) == ("q", [added["id"]])
        listed = await client.call("project.list")
        assert (listed["count"], listed["projects"]) == (1, [status["project"]])

        await client.call("project.remove", id=added["id"])
        assert (await client.call("project.list"))["count"] == 0
        assert (await client.call("queue.status"))["queues"] == []


async def test_what_is_missing_or_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_projects=1, max_project_bytes=50)) as broker:
        client = Worker(broker)
        assert (
            await refused(client.call("project.add"), ErrorCode.INVALID_MESSAGE, "params.path")
            == "Project path required."
        )
        for name in ("remove", "status", "start", "stop", "restart", "update"):
            sentence = await refused(client.call(f"project.{name}"), ErrorCode.INVALID_MESSAGE, "params.id")
            assert sentence == "Project ID required."
            await refused(client.call(f"project.{name}", id="none"), ErrorCode.NOT_FOUND, "params.id")
        await refused(
            client.call("project.add", path="p", config={"x": "y" * 50}), ErrorCode.MESSAGE_TOO_LARGE, "params.config"
        )
        await client.call("project.add", path="p", id="p1")
        await refused(client.call("project.add", path="p", id="p1"), ErrorCode.CONFLICT, "params.id")
        await refused(client.call("project.add", path="p", id="p2"), ErrorCode.LIMIT_EXCEEDED)
        await refused(client.call("project.update", id="p1", path=""), ErrorCode.INVALID_MESSAGE, "params.path")
        await refused(client.call("project.list", state="idle"), ErrorCode.INVALID_MESSAGE, "params.state")


async def test_starting_a_project_releases_its_queue_and_stopping_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client, worker = Worker(broker), Worker(broker)
        await client.call("project.add", path="/p", id="p1")
        task = await client.submit(project="p1")
        assert task["queue"] == "p1"
        waiting = worker.begin("task.claim", queues=["p1"], wait=10_000)
        await a_moment()
        assert not waiting.done()

        await client.call("project.start", id="p1")
        assert (await waiting)["task"]["project"] == "p1"
        await client.submit(project="p1")
        await client.call("project.stop", id="p1")
        assert await worker.claim("p1") is None
        row = (await client.call("queue.status", queue="p1"))["queues"][0]
        assert (row["status"], row["held_by"], row["pending"]) == ("held", ["p1"], 1)
        await client.call("project.remove", id="p1")
        assert (await worker.claim("p1"))["project"] == "p1"


async def test_a_queue_of_two_projects_is_open_when_both_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        for id in ("a", "b"):
            await client.call("project.add", path="/p", id=id, queue="q")
        await client.submit(queue="q")
        await client.call("project.start", id="a")
        assert await client.claim("q") is None
        await client.call("project.start", id="b")
        assert await client.claim("q") is not None


async def test_the_life_of_a_project_is_told_with_that_of_its_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        async with broker.subscribe("#") as events:
            await client.call("project.add", path="/p", id="a.b", queue="q")
            for name in ("start", "start", "restart", "stop", "remove"):
                await client.call(f"project.{name}", id="a.b")
            await broker.publish("end", None)
            told: list[Any] = []
            event: Any
            async for event in events:
                if event.topic == "end":
                    break
                told.append((event.topic, event.data["status"]))
        assert told == [
            ("project.a%2Eb.added", "stopped"),
            ("queue.q.status-changed", "held"),
            ("project.a%2Eb.status-changed", "running"),
            ("queue.q.status-changed", "open"),
            ("project.a%2Eb.status-changed", "running"),
            ("project.a%2Eb.status-changed", "stopped"),
            ("queue.q.status-changed", "held"),
            ("project.a%2Eb.removed", "stopped"),
            ("queue.q.status-changed", "open"),
        ]


async def test_projects_and_their_holds_survive_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        client = Worker(broker)
        await client.call("project.add", path="/a", id="a", config={"x": 1})
        await client.call("project.add", path="/b", id="b")
        await client.call("project.start", id="b")
        for project in ("a", "b"):
            await client.submit(project=project)

    async with running(monkeypatch, data=str(tmp_path)) as broker:
        client = Worker(broker)
        assert (await client.call("project.status", id="a"))["project"]["config"] == {"x": 1}
        assert [row["id"] for row in (await client.call("project.list", state="running"))["projects"]] == ["b"]
        assert await client.claim("a") is None
        assert await client.claim("b") is not None
