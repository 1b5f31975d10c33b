"""Who holds a task that is taken away hears of it at once, by an event of the broker for that connection alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmwire_protocol.errors import ErrorCode

from .callers import a_moment, until
from .taskrig import Worker, advance, refused, running


def told(worker: Worker) -> list[dict[str, Any]]:
    """The direct events that a client got."""
    return [event for event in worker.events if event.get("direct")]


@pytest.mark.parametrize(("method", "event"), [("task.cancel", "cancelled"), ("task.close", "closed")])
@pytest.mark.parametrize("durable", [False, True], ids=["memory", "sqlite"])
async def test_the_holder_is_told_once_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str, event: str, durable: bool
) -> None:
    async with running(monkeypatch, **({"data": str(tmp_path)} if durable else {})) as broker:
        boss, worker, other = Worker(broker), Worker(broker), Worker(broker)
        boss.session.receive(
            b'{"type":"subscribe","id":900,"subscriptions":[{"pattern":"task.*.%b"}]}' % event.encode()
        )
        await boss.submit(id="t 1")
        await boss.submit(id="t2")
        task, others = await worker.claim(), await other.claim()
        await boss.call(method, id="t 1", reason="no need")
        await until(lambda: bool(boss.events and worker.events))
        await a_moment()

        (published,) = boss.events
        (direct,) = worker.events
        assert (direct["topic"], direct["data"]) == (published["topic"], published["data"])
        assert direct["data"]["reason"] == "no need"
        assert direct["headers"] == {"token": str(task["token"])}
        assert direct["direct"] is True
        assert not {"seq", "sub", "from"} & direct.keys()
        assert (other.events, others["id"]) == ([], "t2")


async def test_a_holder_that_follows_the_task_too_gets_both(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        worker.session.receive(b'{"type":"subscribe","id":900,"subscriptions":[{"pattern":"task.*.cancelled"}]}')
        await worker.submit(id="t1")
        await worker.claim()
        await worker.call("task.cancel", id="t1")
        await a_moment()
        assert sorted("direct" in event for event in worker.events) == [False, True]


@pytest.mark.parametrize(("attempts", "event"), [(1, "failed"), (2, "retrying")])
async def test_the_end_of_an_attempts_time_is_told(monkeypatch: pytest.MonkeyPatch, attempts: int, event: str) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", timeout=5_000, max_attempts=attempts)
        await worker.claim()
        await advance(5.1)
        (direct,) = worker.events
        assert (direct["topic"], direct["data"]["error"]["code"]) == (f"task.t1.{event}", "TIMEOUT")


async def test_who_ends_a_claim_itself_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", backoff=0)
        await worker.about("task.release", await worker.claim())
        await worker.fail(await worker.claim())
        await worker.complete(await worker.claim(wait=1_000))
        await worker.submit(id="t2")
        await worker.call("task.cancel", id="t2")  # nobody holds it
        await a_moment()
        assert worker.events == []


async def test_over_http_and_without_a_connection_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, brief, gone = Worker(broker), Worker(broker, brief=True), Worker(broker)
        for id in ("t1", "t2"):
            await boss.submit(id=id)
        task, _ = await brief.claim(), await gone.claim()
        gone.vanish()
        for id in ("t1", "t2"):
            await boss.call("task.cancel", id=id)
        await a_moment()
        assert boss.events == brief.events == gone.events == []
        await refused(brief.about("task.renew", task), ErrorCode.CANCELLED, "params.id")


async def test_the_connection_by_which_it_was_renewed_last_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, first = Worker(broker), Worker(broker, "w" * 32)
        await boss.submit(id="t1")
        task = await first.claim()
        first.vanish()
        second = Worker(broker, "w" * 32)
        await second.about("task.renew", task)
        await boss.call("task.cancel", id="t1")
        await a_moment()
        assert (len(told(second)), first.events) == (1, [])


@pytest.mark.parametrize("event", ["cancelled", "closed", "retrying", "failed"])
@pytest.mark.parametrize("method", ["client.send", "client.broadcast"])
async def test_a_client_cannot_cancel_the_task_of_another_by_a_message(
    monkeypatch: pytest.MonkeyPatch, method: str, event: str
) -> None:
    async with running(monkeypatch) as broker:
        worker, mallory = Worker(broker), Worker(broker)
        await mallory.submit(id="a.b")
        task = await worker.claim()
        params: dict[str, Any] = {"topic": f"task.a%2Eb.{event}", "data": {}, "headers": {"token": str(task["token"])}}
        if method == "client.send":
            params["client_id"] = worker.id
        await refused(mallory.call(method, **params), ErrorCode.PERMISSION_DENIED, "params.topic")
        await a_moment()
        assert worker.events == []


async def test_what_a_client_may_send_says_who_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker, other = Worker(broker), Worker(broker)
        await other.call("client.send", client_id=worker.id, topic="task.foreign.cancelled", data=1)
        await a_moment()
        assert [event["from"] for event in told(worker)] == [f"anonymous:{other.id}"]
