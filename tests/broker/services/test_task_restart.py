"""Tasks over a restart of the broker, with a log on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from swarmwire_protocol.errors import ErrorCode

from .taskrig import Worker, advance, refused, running


async def test_everything_about_tasks_survives_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        boss = Worker(broker)
        await boss.submit("resize", id="pending", payload={"n": 1}, metadata={"m": 2}, priority=1)
        await boss.submit(id="low")
        await boss.submit(id="late", delay=100_000)
        await boss.submit(id="closed")
        await boss.submit(id="done", priority=9)
        await boss.submit(id="paused", queue="q")
        await boss.complete(await boss.claim(), {"answer": 42})
        await boss.call("task.close", id="closed", reason="later")
        await boss.call("queue.pause", queue="q")

    async with running(monkeypatch, data=str(tmp_path)) as broker:
        boss = Worker(broker)
        done = await boss.status("done")
        assert (done["state"], done["result"]) == ("completed", {"answer": 42})
        assert (await boss.status("closed"))["reason"] == "later"
        counts = await boss.call("queue.status")
        assert (counts["total"], counts["pending"], counts["completed"], counts["closed"]) == (6, 4, 1, 1)
        assert await boss.claim("q") is None

        first, second = await boss.claim(), await boss.claim()
        assert (first["id"], first["payload"], first["metadata"]) == ("pending", {"n": 1}, {"m": 2})
        assert second["id"] == "low"
        await boss.complete(first)
        await boss.complete(second)
        assert await boss.claim() is None
        await advance(41)
        assert (await boss.claim())["id"] == "late"


async def test_a_claim_goes_on_after_a_restart_with_a_full_lease(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        worker = Worker(broker, "w" * 32)
        await worker.submit(id="t1", lease=10_000)
        task = await worker.claim()
        await advance(9)

    async with running(monkeypatch, data=str(tmp_path)) as broker:
        worker = Worker(broker, "w" * 32)
        await advance(9)
        assert await worker.state("t1") == "in-progress"
        await worker.about("task.renew", task)
        await advance(9)
        assert (await worker.complete(task))["task"]["state"] == "completed"


async def test_a_claim_that_nobody_renews_after_a_restart_lapses_and_tokens_still_rise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", lease=10_000)
        stale = await worker.claim()

    async with running(monkeypatch, data=str(tmp_path)) as broker:
        worker = Worker(broker)
        waiting = worker.begin("task.claim", wait=20_000)
        await advance(10.1)
        task = (await waiting)["task"]
        assert (task["id"], task["attempts"]) == ("t1", 2)
        assert task["token"] > stale["token"]
        await refused(worker.complete(stale), ErrorCode.FENCED, "params.token")


async def test_an_attempt_that_is_out_of_time_ends_after_a_restart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", lease=3_600_000, timeout=30_000, max_attempts=1)
        await worker.claim()

    async with running(monkeypatch, data=str(tmp_path)) as broker:
        waiting = Worker(broker).begin("task.wait", id="t1")
        await advance(0.1)
        status = (await waiting)["task"]
        assert (status["state"], status["error"]["code"]) == ("failed", "TIMEOUT")


async def test_claims_of_different_tasks_are_committed_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        workers = [Worker(broker) for _ in range(20)]
        for number in range(20):
            await workers[0].submit(id=f"t{number:02}")
        await workers[0].submit(id="first")
        await workers[0].claim()  # the block of tokens is taken by now
        commits = 0
        counted = broker.hub.engine.on_commit  # type: ignore[attr-defined]

        def count(*figures: object) -> None:
            nonlocal commits
            commits += 1
            counted(*figures)

        broker.hub.engine.on_commit = count  # type: ignore[attr-defined]
        claimed = await asyncio.gather(*(worker.claim() for worker in workers))

        assert len({task["id"] for task in claimed}) == 20
        assert commits < 8
