"""Queues: counted, paused, cleared, measured."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode
from swarmwire_protocol.messages import Publish

from .callers import a_moment
from .taskrig import Worker, advance, refused, running

ZEROS = {"total": 0, "pending": 0, "running": 0, "completed": 0, "failed": 0, "cancelled": 0, "closed": 0, "dead": 0}


async def test_where_there_is_no_queue_everything_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        assert await client.call("queue.status") == {"queues": [], **ZEROS}
        row = {"name": "none", "status": "open", "paused": False, "held_by": [], **ZEROS}
        assert await client.call("queue.status", queue="none") == {"queues": [row], **ZEROS}
        assert (await client.call("queue.clear", queue="none"))["cleared"] == 0
        stats = await client.call("queue.stats")
        assert (stats["period"], stats["submitted"], stats["wait_ms"]) == ("1h", 0, {"count": 0, "mean": 0, "max": 0})
        await refused(client.call("queue.pause"), ErrorCode.INVALID_MESSAGE, "params.queue")


async def test_a_queue_counts_its_tasks_by_state(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        for number in range(6):
            await client.submit(id=f"t{number}", queue="q", max_attempts=1)
        await client.submit(queue="other")
        await client.complete(await client.claim("q"))
        await client.fail(await client.claim("q"))
        await client.claim("q")
        await client.call("task.cancel", id="t3")
        await client.call("task.close", id="t4")
        status = await client.call("queue.status", queue="q")

        counts = {"pending": 1, "running": 1, "completed": 1, "failed": 1, "cancelled": 1, "closed": 1, "dead": 1}
        assert status["queues"][0] == {
            "name": "q", "status": "open", "paused": False, "held_by": [], "total": 6, **counts
        }  # fmt: skip
        everything = await client.call("queue.status")
        assert [row["name"] for row in everything["queues"]] == ["other", "q"]
        assert (everything["total"], everything["pending"]) == (7, 2)


async def test_a_paused_queue_gives_out_nothing_until_it_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client, worker = Worker(broker), Worker(broker)
        await client.submit(id="in-hand", queue="q")
        task = await worker.claim("q")
        assert (await client.call("queue.pause", queue="q"))["status"] == "paused"
        assert (await client.call("queue.pause", queue="q"))["paused"] is True
        await client.submit(id="t1", queue="q")
        await worker.complete(task)
        assert await worker.claim("q") is None
        waiting = worker.begin("task.claim", queues=["q", "default"], wait=10_000)
        await a_moment()
        assert not waiting.done()

        assert (await client.call("queue.resume", queue="q"))["status"] == "open"
        assert (await waiting)["task"]["id"] == "t1"


async def test_pausing_and_resuming_are_told_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        async with broker.subscribe("queue.*.status-changed") as events:
            for method in ("queue.resume", "queue.pause", "queue.pause", "queue.resume"):
                await client.call(method, queue="a.b")
            told: list[Any] = [await anext(events) for _ in range(2)]
        assert [event.topic for event in told] == ["queue.a%2Eb.status-changed"] * 2
        assert [event.data["status"] for event in told] == ["paused", "open"]
        assert {event.sender for event in told} == {client.session.author.sender}


async def test_nobody_else_tells_the_status_of_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        for topic in ("queue.q.status-changed", "project.p.added", "project.p.removed", "project.p.status-changed"):
            client.session.receive(encode(Publish(id="p", topic=topic, data=Raw(b"{}"))))
            await a_moment()
            assert client.sink.received[-1]["code"] == ErrorCode.PERMISSION_DENIED, topic


async def test_clearing_cancels_what_is_pending_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        for number in range(5):
            await client.submit(id=f"t{number}", queue="q", delay=1_000 if number == 4 else 0)
        await client.submit(id="other")
        held = await client.claim("q")
        cleared = await client.call("queue.clear", queue="q")

        assert (cleared["cleared"], cleared["message"]) == (4, "Cleared 4 tasks from queue q")
        assert [await client.state(f"t{number}") for number in range(5)] == ["in-progress"] + ["cancelled"] * 4
        assert (await client.status("t1"))["reason"] == "The queue was cleared."
        await client.complete(held)
        await advance(2)
        assert await client.claim("q") is None
        assert (await client.claim())["id"] == "other"


async def test_a_queue_more_than_there_may_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_queues=2, max_ended_tasks=0)) as broker:
        client = Worker(broker)
        await client.submit(queue="a")
        await client.call("queue.pause", queue="b")
        await refused(client.submit(queue="c"), ErrorCode.LIMIT_EXCEEDED, "params.queue")
        await refused(client.call("queue.pause", queue="c"), ErrorCode.LIMIT_EXCEEDED, "params.queue")
        await client.submit(queue="b")

        await client.complete(await client.claim("a"))
        await a_moment()
        await client.submit(queue="c")


async def test_stats_count_what_happened_within_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)

        async def stats(period: str, queue: str | None = "q") -> dict[str, Any]:
            found: dict[str, Any] = await client.call("queue.stats", period=period, queue=queue)
            return found

        await client.submit(queue="q")
        await advance(30)
        task = await client.claim("q")
        await advance(10)
        await client.complete(task)
        early = await stats("1h")
        assert (early["submitted"], early["claimed"], early["completed"], early["covered_ms"]) == (1, 1, 1, 40_000)
        assert early["wait_ms"] == {"count": 1, "mean": 30_000, "max": 30_000}
        assert early["duration_ms"] == {"count": 1, "mean": 10_000, "max": 10_000}
        assert early["rates"]["completed"] == 0.025

        await advance(600)
        await client.submit(queue="other")
        late = await stats("5m")
        assert (late["submitted"], late["completed"], late["covered_ms"]) == (0, 0, 300_000)
        assert (await stats("5m", None))["submitted"] == 1
        assert (await stats("1h"))["submitted"] == 1
        await advance(3_700)
        assert (await stats("1d"))["submitted"] == 0
        for wrong in ("5", "0s", "-1m", "", "soon"):
            await refused(client.call("queue.stats", period=wrong), ErrorCode.INVALID_MESSAGE, "params.period")
