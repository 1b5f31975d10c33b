"""What is published about tasks that the broker manages, and by whom alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from swarmwire_broker.broker import Broker
from swarmwire_broker.engines.sqlitestore import Store
from swarmwire_channels import TASK_EVENTS, from_data, parse_topic, task_topic
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Publish

from .callers import a_moment
from .taskrig import Worker, advance, running


async def history(broker: Broker) -> list[Any]:
    """All events of tasks so far."""
    found: list[Any] = []
    event: Any
    await broker.publish("the.end", None)
    async with broker.subscribe("#", from_="start") as events:
        async for event in events:
            if event.topic == "the.end":
                return [each for each in found if each.topic.startswith("task.")]
            found.append(event)
    return found


def story(events: list[Any]) -> list[str]:
    return [event.topic.rpartition(".")[2] for event in events]


async def test_a_task_tells_its_life_in_records_of_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        await boss.submit("resize", id="gpt-4.1", priority=2, queue="images", max_attempts=3, backoff=1_000)
        await worker.fail(await worker.claim("images", worker="w1"), "no disk")
        await advance(2)
        task = await worker.claim("images", worker="w2")
        await worker.about("task.progress", task, progress=30, message="on")
        await boss.call("task.close", id="gpt-4.1", reason="lunch")
        await boss.call("task.resume", id="gpt-4.1")
        await worker.complete(await worker.claim("images", worker="w3"), {"n": 1})
        events = await history(broker)

    attempt = ["assigned", "started"]
    assert story(events) == [
        "created", *attempt, "retrying", *attempt, "progress", "closed", "resumed", *attempt, "completed"
    ]  # fmt: skip
    records: list[Any] = []
    for event in events:
        parsed = parse_topic(event.topic)
        assert parsed is not None
        assert parsed[0] == "gpt-4.1"
        records.append(from_data(event.data, TASK_EVENTS[parsed.event], event.ts))
    assert all(record.task_id == "gpt-4.1" for record in records)
    assert (records[0].type, records[0].priority, records[0].queue) == ("resize", 2, "images")
    assert [record.agent_id for record in records if type(record).__name__ == "TaskAssigned"] == ["w1", "w2", "w3"]
    tokens = [record.token for record in records if type(record).__name__ == "TaskAssigned"]
    assert tokens == sorted(set(tokens))
    assert (records[3].attempt, records[3].error.message) == (1, "no disk")
    assert 500 <= records[3].delay <= 1_000
    assert (records[6].progress, records[6].message) == (30, "on")
    assert (records[-1].result, records[-1].status) == ({"n": 1}, "completed")
    assert records[-1].duration >= 1_000


async def test_events_say_on_whose_behalf_they_are_and_the_brokers_own_say_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        await boss.submit(id="t1", max_attempts=1, lease=1_000)
        await worker.claim()
        await advance(1.1)
        events = await history(broker)

    assert story(events) == ["created", "assigned", "started", "failed"]
    name = worker.session.author.sender
    assert [event.sender for event in events] == [boss.session.author.sender, name, name, None]
    assert events[-1].data["dead"] is True
    assert events[-1].data["error"] == {"message": "The worker's lease has lapsed.", "code": "LEASE_LOST"}


async def tried_again(client: Worker) -> Any:
    """A task, once the disk can be written again: the engine looks every second."""
    for _ in range(500):
        try:
            return await client.claim()
        except SwarmwireError:
            await asyncio.sleep(0.01)
    raise AssertionError("the disk was never written again")


async def publish(client: Worker, topic: str) -> str | None:
    """What a publish is answered with: None or the code of an error."""
    before = len(client.sink.received)
    client.session.receive(encode(Publish(id="p", topic=topic, data=Raw(b"{}"))))
    await a_moment()
    answer = client.sink.received[before:][0]
    return None if answer["type"] == "ack" else answer["code"]


@pytest.mark.parametrize(
    "event",
    ["created", "assigned", "started", "progress", "retrying", "completed", "failed", "cancelled", "closed", "resumed"],
)
async def test_nobody_can_forge_the_life_of_a_task_that_the_broker_manages(
    monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        await client.submit(id="gpt-4.1")
        await client.complete(await client.claim())

        assert await publish(client, task_topic("gpt-4.1", event)) == ErrorCode.PERMISSION_DENIED


async def test_other_tasks_and_other_topics_are_free_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        client = Worker(broker)
        await client.submit(id="t1")
        await a_moment()
        for topic in ("task.t2.completed", "task.t1.error", "task.t1.message", "task.t1", "task.t1.completed.now"):
            assert await publish(client, topic) is None, topic
        assert await publish(client, "task.%zz.completed") is None


async def test_state_and_events_never_part_when_the_disk_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        client = Worker(broker)
        await client.submit(id="t1")
        commit = Store.commit

        def fail(store: Store, latest_floor: int) -> None:
            raise OSError("no space")

        monkeypatch.setattr(Store, "commit", fail)
        with pytest.raises(SwarmwireError):
            await client.claim()
        assert await client.state("t1") == "pending"
        with pytest.raises(SwarmwireError):
            await client.submit(id="t2")
        monkeypatch.setattr(Store, "commit", commit)
        assert (await tried_again(client))["id"] == "t1"
        assert story(await history(broker)) == ["created", "assigned", "started"]
