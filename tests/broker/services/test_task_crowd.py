"""A crowd of workers that die, give up and come back, with a log on disk: each task has one holder and one end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.engines.base import Draft, Put
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .taskrig import Worker, advance, running

TASKS = 30
LONG = 80_000.0
"""Seconds of the broker's clock, which runs ahead of ours: no answer of a call is missed."""

ENDS = ("completed", "failed", "cancelled")


async def work(broker: Broker, chance: random.Random, done: list[str]) -> None:
    """One worker after the other, until it is cancelled."""
    while True:
        worker = Worker(broker)
        with suppress(SwarmwireError):
            while await one(worker, chance, done):
                pass
        worker.vanish()


async def one(worker: Worker, chance: random.Random, done: list[str]) -> bool:
    """One claim and what comes of it; False when the worker is gone."""
    claim = worker.begin("task.claim", wait=60_000, timeout=LONG)
    if chance.random() < 0.3:
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            return False
        worker.cancel(claim)
    task = (await claim)["task"]
    if task is None:
        return True
    match chance.choice(["complete", "complete", "fail", "release", "vanish", "late"]):
        case "complete":
            await worker.about("task.complete", task, timeout=LONG)
            done.append(task["id"])
        case "fail":
            await worker.fail(task)
        case "release":
            await worker.about("task.release", task)
        case "vanish":
            return False
        case _:
            await asyncio.sleep(0.01)
            await worker.about("task.complete", task, timeout=LONG)
            done.append(task["id"])
    return True


async def pass_time() -> None:
    while True:
        await advance(0.1)
        await asyncio.sleep(0)


def check(events: list[Any]) -> None:
    """Each story: a claim only while nobody has it, rising tokens, one end and nothing behind it."""
    state: dict[str, str] = {}
    tokens: dict[str, int] = {}
    for event in events:
        _, id, name = event.topic.split(".")
        before = state.get(id, "new")
        assert before not in ENDS, (id, before, name)
        match name:
            case "created":
                assert before == "new"
            case "assigned":
                assert before in ("created", "retrying"), (id, before)
                assert event.data["token"] > tokens.get(id, 0)
                tokens[id] = event.data["token"]
            case "started":
                assert before == "assigned"
            case _:
                assert before == "started", (id, before, name)
        state[id] = name
    assert len(state) == TASKS
    assert set(state.values()) <= set(ENDS)


def make_fail(broker: Broker, chance: random.Random, patch: pytest.MonkeyPatch) -> None:
    """Have some writes of the log fail, and of some nobody say whether they did."""
    engine = broker.hub.engine
    transact = engine.transact

    async def sometimes(puts: Sequence[Put], events: Sequence[Draft] = ()) -> int:
        what = chance.random()
        if what < 0.05:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "The disk is full.")
        if what < 0.1:
            raise SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "It was not written.")
        revision = await transact(puts, events)
        if what < 0.15:
            raise SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "It was written.")
        return revision

    patch.setattr(engine, "transact", sometimes)


async def submit(boss: Worker, id: str) -> None:
    """Submit until it is known to be there."""
    for _ in range(100):
        with suppress(SwarmwireError):
            await boss.submit(id=id, lease=1_000, backoff=100, max_attempts=6)
            return
    raise AssertionError("no write went well")


@pytest.mark.parametrize("failing", [False, True], ids=["all goes well", "the log fails now and then"])
@pytest.mark.parametrize("seed", range(3))
async def test_each_task_has_one_holder_at_a_time_and_one_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int, failing: bool
) -> None:
    chance, done = random.Random(seed), list[str]()
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        boss = Worker(broker)
        trouble = pytest.MonkeyPatch()
        if failing:
            make_fail(broker, chance, trouble)
        crowd = [asyncio.ensure_future(work(broker, chance, done)) for _ in range(6)]
        ids = [f"t{number}" for number in range(TASKS)]
        await asyncio.gather(*(submit(boss, id) for id in ids))
        crowd.append(asyncio.ensure_future(pass_time()))
        waits = [boss.begin("task.wait", id=id, timeout=LONG) for id in ids]
        ended = [(await asyncio.wait_for(wait, 30))["task"] for wait in waits]
        for each in crowd:
            each.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

        trouble.undo()
        events: list[Any] = []
        await broker.publish("the.end", None)
        async with broker.subscribe("#", from_="start") as log:
            event: Any
            async for event in log:
                if event.topic == "the.end":
                    break
                if event.topic.startswith("task."):
                    events.append(event)
    check(events)
    completed = sorted(task["id"] for task in ended if task["state"] == "completed")
    assert len(done) == len(set(done))
    # Of a completion that was written, though nobody could say so, the worker does not know.
    assert set(done) <= set(completed)
    assert failing or sorted(done) == completed
