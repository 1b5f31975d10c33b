"""Tasks, from the SDK, with a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, NoRetry, SwarmwireError, TaskLost, connect
from swarmwire_broker.testing import BrokerFactory
from swarmwire_channels import TaskChannel

PATIENCE = 20.0


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    assert session is not None
    session._connection.abort()


async def test_a_worker_does_a_task_and_who_waits_gets_the_result(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("resize", {"width": 20}, queue="images", metadata={"by": "me"})
        assert (task.state, task.duplicate) == ("pending", False)
        waiting = asyncio.ensure_future(client.tasks.wait(task.id, timeout=PATIENCE))

        async with client.tasks.claim("images", wait=PATIENCE, worker="w1") as claimed:
            assert claimed is not None
            assert (claimed.id, claimed.payload, claimed.metadata) == (task.id, {"width": 20}, {"by": "me"})
            assert claimed.attempt == 1
            await claimed.progress(40, "half")
            status = await client.tasks.get(task.id)
            assert (status.state, status.progress, status.message, status.worker) == ("in-progress", 40, "half", "w1")
            claimed.result = {"file": "a.png"}

        ended = await waiting
        assert (ended.state, ended.result, ended.has_ended) == ("completed", {"file": "a.png"}, True)
        assert (await client.tasks.wait(task.id, timeout=PATIENCE)).result == {"file": "a.png"}


async def test_a_block_that_raises_fails_the_task_and_a_loop_goes_on(
    broker_factory: BrokerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x", max_attempts=2, backoff=0)
        for attempt in (1, 2):
            async with client.tasks.claim(wait=PATIENCE) as claimed:
                assert claimed is not None
                assert claimed.attempt == attempt
                raise KeyError("no such thing")
        ended = await client.tasks.wait(task.id, timeout=PATIENCE)

    assert (ended.state, ended.dead, ended.attempts) == ("failed", True, 2)
    assert ended.error is not None
    assert (ended.error.code, ended.error.message) == ("KeyError", "'no such thing'")
    assert "KeyError" in caplog.text


async def test_no_retry_fails_a_task_for_good(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x", max_attempts=5)
        async with client.tasks.claim(wait=PATIENCE):
            raise NoRetry("it can never work")
        ended = await client.tasks.get(task.id)

    assert (ended.state, ended.dead, ended.attempts) == ("failed", False, 1)


async def test_a_result_that_json_cannot_hold_fails_the_task(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x")
        claim = client.tasks.claim(wait=PATIENCE)
        claimed = await claim.__aenter__()
        assert claimed is not None
        claimed.result = float("nan")
        with pytest.raises(SwarmwireError) as caught:
            await claim.__aexit__(None, None, None)
        assert caught.value.code is ErrorCode.INVALID_MESSAGE
        assert (await client.tasks.get(task.id)).state == "failed"


async def test_where_there_is_no_task_in_time_the_block_gets_none(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        async with client.tasks.claim(wait=0) as claimed:
            assert claimed is None
        async with client.tasks.claim("a", "b", types=["x"], wait=0.05) as claimed:
            assert claimed is None


async def test_a_lease_is_renewed_as_long_as_the_block_lasts(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x", lease=1)
        async with client.subscribe("task.*.*") as events:
            async with client.tasks.claim(wait=PATIENCE) as claimed:
                assert claimed is not None
                await asyncio.sleep(2.2)  # the lease would have lapsed twice
                claimed.result = 1
            assert (await client.tasks.get(task.id)).attempts == 1
            names = [(await anext(events)).topic.rpartition(".")[2] for _ in range(3)]
    assert names == ["assigned", "started", "completed"]


@pytest.mark.parametrize("end", ["cancel", "close"])
async def test_the_block_of_a_task_that_is_taken_away_is_cancelled(broker_factory: BrokerFactory, end: str) -> None:
    server = await broker_factory()
    url: Any = server.url.replace("ws://", "http://").removesuffix("/ws")
    async with connect(url) as client, connect(server.url) as boss:  # a renewal tells it, over HTTP
        task = await boss.tasks.submit("x", lease=1)
        cancelled = asyncio.Event()

        async def work() -> None:
            async with client.tasks.claim(wait=PATIENCE):
                await getattr(boss.tasks, end)(task.id)
                try:
                    await asyncio.sleep(PATIENCE)
                except asyncio.CancelledError:
                    cancelled.set()
                    raise

        with pytest.raises(TaskLost) as caught:
            await work()
        assert cancelled.is_set()
        assert caught.value.code is ErrorCode.CANCELLED
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0
        if end == "close":
            assert (await boss.tasks.resume(task.id)).state == "pending"


async def test_progress_of_a_task_that_is_not_ours_any_more_raises(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x")

        async def work() -> None:
            async with client.tasks.claim(wait=PATIENCE) as claimed:
                assert claimed is not None
                await client.tasks.cancel(task.id, "no need")
                await claimed.progress(50)

        with pytest.raises(TaskLost):
            await work()
        assert (await client.tasks.get(task.id)).reason == "no need"


async def test_a_worker_that_is_cancelled_gives_its_task_back(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x")
        begun = asyncio.Event()

        async def work() -> None:
            async with client.tasks.claim(wait=PATIENCE):
                begun.set()
                await asyncio.sleep(PATIENCE)

        working = asyncio.ensure_future(work())
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        status = await client.tasks.get(task.id)
        assert (status.state, status.attempts) == ("pending", 0)


async def test_a_claim_that_is_given_up_leaves_every_task_to_others(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, connect(server.url) as other:
        for number in range(20):
            waiting = asyncio.ensure_future(client.tasks.claim(wait=PATIENCE).__aenter__())
            submitting = asyncio.ensure_future(other.tasks.submit("x", id=f"t{number}", lease=3600))
            for _ in range(number):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await submitting
            if waiting.cancelled():
                async with other.tasks.claim(wait=PATIENCE) as claimed:
                    assert claimed is not None
                    assert (claimed.id, claimed.attempt) == (f"t{number}", 1)


async def test_work_goes_on_over_a_lost_connection(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.01) as client, connect(server.url) as boss:
        task = await boss.tasks.submit("x", lease=10)
        waiting = asyncio.ensure_future(boss.tasks.wait(task.id, timeout=PATIENCE))
        async with client.tasks.claim(wait=PATIENCE) as claimed:
            assert claimed is not None
            cut(client)
            await claimed.progress(10)
            cut(client)
            cut(boss) if boss.is_ready else None
            claimed.result = "done"
        ended = await waiting
    assert (ended.result, ended.attempts) == ("done", 1)


async def test_a_claim_waits_over_a_lost_connection(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.01) as client, connect(server.url) as boss:
        entering = asyncio.ensure_future(client.tasks.claim(wait=PATIENCE).__aenter__())
        await client.ping()
        cut(client)
        await boss.tasks.submit("x", id="t1")
        claimed = await asyncio.wait_for(entering, PATIENCE)
        assert claimed is not None
        assert claimed.id == "t1"


async def test_a_wait_ends_with_the_time_that_it_was_given(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x", id="slow one")
        with pytest.raises(TimeoutError, match="slow one"):
            await client.tasks.wait(task.id, timeout=0.05)
        with pytest.raises(TimeoutError):
            await client.tasks.wait(task.id, timeout=0)
        with pytest.raises(SwarmwireError) as caught:
            await client.tasks.wait("nobody", timeout=PATIENCE)
        assert caught.value.code is ErrorCode.NOT_FOUND


async def test_a_wait_fails_when_the_client_is_disconnected_for_good(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        task = await client.tasks.submit("x")
        waiting = asyncio.ensure_future(client.tasks.wait(task.id))
        await client.ping()
    with pytest.raises(SwarmwireError):
        await asyncio.wait_for(waiting, PATIENCE)


async def test_tasks_are_listed_retried_resumed_and_spoken_to(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        first = await client.tasks.submit("x", id="t1", queue="q", project="p", priority=3)
        again = await client.tasks.submit("x", id="t1", queue="q", project="p", priority=3)
        assert (first.duplicate, again.duplicate) == (False, True)
        async with client.subscribe("task.t1.message") as messages:
            await client.tasks.message("t1", "hurry", {"n": 1})
            assert (await anext(messages)).data["message"] == "hurry"
        await client.tasks.close("t1", "lunch")
        assert [task.reason for task in await client.tasks.list(state="closed")] == ["lunch"]
        await client.tasks.resume("t1")
        await client.tasks.cancel("t1")
        retried = await client.tasks.retry("t1")
        assert (retried.retried_from, retried.state, retried.priority) == ("t1", "pending", 3)
        assert [task.id for task in await client.tasks.list(queue="q")] == ["t1", retried.id]
        with pytest.raises(SwarmwireError) as caught:
            await client.tasks.resume("t1")
        assert caught.value.code is ErrorCode.CONFLICT


async def test_queues_and_projects_are_steered(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        project = await client.projects.add("/srv/site", id="site", config={"n": 1})
        assert (project.state, project.queue, project.config) == ("stopped", "site", {"n": 1})
        await client.tasks.submit("x", project="site")
        assert (await client.queues.get("site")).held_by == ["site"]
        assert (await client.projects.start("site")).state == "running"
        assert (await client.queues.pause("site")).status == "paused"
        assert [queue.name for queue in await client.queues.list()] == ["site"]
        assert (await client.queues.resume("site")).pending == 1
        assert await client.queues.clear("site") == 1
        assert (await client.queues.stats("site", "5m"))["cancelled"] == 1
        assert (await client.projects.update("site", path="/srv/new")).path == "/srv/new"
        assert (await client.projects.restart("site")).state == "running"
        assert (await client.projects.stop("site")).state == "stopped"
        assert [each.id for each in await client.projects.list(state="stopped")] == ["site"]
        assert (await client.projects.get("site")).path == "/srv/new"
        await client.projects.remove("site")
        assert await client.projects.list() == []


async def test_tasks_of_the_service_and_the_channel_of_tasks_are_one_story(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        channel = TaskChannel(client)
        task = await client.tasks.submit("x")
        waiting = asyncio.ensure_future(channel.wait_for_completion(task.id, PATIENCE))
        async with client.tasks.claim(wait=PATIENCE) as claimed:
            assert claimed is not None
            claimed.result = {"n": 1}
        assert (await waiting).result == {"n": 1}
        assert (await channel.wait_for_completion(task.id, PATIENCE)).status == "completed"
        with pytest.raises(SwarmwireError) as caught:
            await channel.completed(task.id, "forged")
        assert caught.value.code is ErrorCode.PERMISSION_DENIED
        await channel.completed("somebody-elses", 1)


async def test_a_worker_over_http_holds_a_task_by_its_token(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    url: Any = server.url.replace("ws://", "http://").removesuffix("/ws")
    async with connect(url) as client:
        task = await client.tasks.submit("x")
        async with client.tasks.claim(wait=PATIENCE) as claimed:
            assert claimed is not None
            await claimed.progress(10)
            claimed.result = 5
        assert (await client.tasks.get(task.id)).result == 5


async def test_a_submit_outlives_a_lost_connection_and_makes_one_task(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.01) as client:
        for _ in range(5):
            submitting = asyncio.ensure_future(client.tasks.submit("x"))
            await asyncio.sleep(0)
            cut(client)
            assert (await asyncio.wait_for(submitting, PATIENCE)).duplicate is False
        assert len(await client.tasks.list()) == 5
