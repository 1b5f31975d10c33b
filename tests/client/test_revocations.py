"""A task that is taken from its holder: the block is cancelled at once, not at the next renewal."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import Raw

from swarmwire import ClaimedTask, Client, ErrorCode, Event, TaskLost, connect
from swarmwire.tasks.revocations import Revocations
from swarmwire_broker.testing import BrokerFactory
from swarmwire_protocol import messages as wire

AT_ONCE = 5.0
"""Seconds: far less than the ten until a lease of thirty is renewed."""


class Work:
    """A block that holds the next task until it is cancelled."""

    def __init__(self, client: Client) -> None:
        self.begun = asyncio.Event()
        self.task: ClaimedTask | None = None
        self.cancelled = False
        self._task = asyncio.create_task(self._run(client))

    async def _run(self, client: Client) -> None:
        async with client.tasks.claim(wait=AT_ONCE) as self.task:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise

    async def lost(self) -> TaskLost:
        """Why it was lost; it is to be so by now, or within a moment."""
        with pytest.raises(TaskLost) as caught:
            await asyncio.wait_for(self._task, AT_ONCE)
        assert self._task.cancelling() == 0
        return caught.value

    async def stopped(self) -> bool:
        """End it from outside; whether it went on until then."""
        went_on = not self._task.done()
        self._task.cancel()
        await asyncio.wait([self._task])
        return went_on


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    assert session is not None
    session._connection.abort()


@pytest.mark.parametrize("end", ["cancel", "close"])
async def test_a_body_is_cancelled_long_before_its_lease_would_be_renewed(
    broker_factory: BrokerFactory, end: str
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, connect(server.url) as boss:
        task = await boss.tasks.submit("x", lease=30)
        work = Work(client)
        await work.begun.wait()
        await getattr(boss.tasks, end)(task.id, "no need")

        lost = await work.lost()
        assert (work.cancelled, lost.code) == (True, ErrorCode.CANCELLED)
        assert "no need" in lost.message


async def test_a_body_whose_attempt_takes_too_long_is_cancelled_when_the_time_is_over(
    broker_factory: BrokerFactory,
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        await client.tasks.submit("x", lease=30, timeout=0.05, max_attempts=1)
        lost = await Work(client).lost()
        assert lost.code is ErrorCode.FENCED
        assert "50 ms" in lost.message


async def test_it_is_told_over_the_next_connection_too(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.01) as client, connect(server.url) as boss:
        task = await boss.tasks.submit("x", lease=30)
        work = Work(client)
        await work.begun.wait()
        back = asyncio.Event()
        client.listen("connected", lambda _: back.set())
        cut(client)
        await asyncio.wait_for(back.wait(), AT_ONCE)
        await client.ping()  # by now the task is renewed over it
        await boss.tasks.cancel(task.id)
        assert (await work.lost()).code is ErrorCode.CANCELLED


async def test_what_was_cancelled_while_the_worker_was_away_is_told_when_it_is_back(
    broker_factory: BrokerFactory,
) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.3, max_delay=0.3) as client, connect(server.url) as boss:
        task = await boss.tasks.submit("x", lease=30)
        work = Work(client)
        await work.begun.wait()
        cut(client)
        await boss.tasks.cancel(task.id)
        assert (await work.lost()).code is ErrorCode.CANCELLED


async def test_no_listener_sees_it_other_tasks_go_on_and_nothing_stays_behind(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, connect(server.url) as boss:
        seen: list[str] = []
        said = asyncio.Event()

        @client.on_message
        def hear(event: Event) -> None:
            seen.append(event.topic)
            said.set()

        listeners = len(client._emitter._listeners["connected"])
        for _ in range(2):
            await boss.tasks.submit("x")
        taken, other = Work(client), Work(client)
        await asyncio.gather(taken.begun.wait(), other.begun.wait())
        assert taken.task is not None
        assert other.task is not None
        await boss.tasks.cancel(taken.task.id)
        await taken.lost()
        forged = {"topic": "task.foreign.cancelled", "data": {}, "headers": {"token": str(other.task.token)}}
        await boss.call("client.send", {"client_id": client.id, **forged})
        await asyncio.wait_for(said.wait(), AT_ONCE)

        assert seen == ["task.foreign.cancelled"]
        assert await other.stopped()
        assert (await boss.tasks.get(other.task.id)).state == "pending"
        revocations = client.tasks._revocations
        assert (revocations._held, revocations._early) == ({}, {})
        assert len(client._emitter._listeners["connected"]) == listeners


async def test_a_task_that_is_cancelled_the_moment_it_is_claimed_is_lost_at_once(
    broker_factory: BrokerFactory,
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, connect(server.url) as boss:
        boss.on("task.*.started", lambda event: boss.tasks.cancel(event.data["taskId"]))
        for _ in range(20):
            await boss.tasks.submit("x", lease=30)
            assert (await Work(client).lost()).code is ErrorCode.CANCELLED


# ---- the news itself


def news(
    topic: str = "task.t1.cancelled",
    token: str | None = "7",
    sender: str | None = None,
    data: bytes = b'{"reason":"no need"}',
) -> wire.Event:
    headers = None if token is None else {"token": token}
    return wire.Event(topic=topic, ts=0, data=Raw(data), from_=sender, headers=headers, direct=True)


@pytest.mark.parametrize(
    "message",
    [
        news(sender="mallory"),
        news("task.t1.message"),
        news("task.t1"),
        news("lock.t1.cancelled"),
        news(token=None),
        news(token="x"),
        news(token="²"),
    ],
)
async def test_what_the_broker_has_not_said_itself_takes_no_task(message: wire.Event) -> None:
    revocations = Revocations()
    lost: list[TaskLost] = []
    revocations.hold(7, lost.append)
    assert not revocations.take(message)
    await asyncio.sleep(0)
    assert lost == []


@pytest.mark.parametrize(
    ("message", "code", "sentence"),
    [
        (news(), ErrorCode.CANCELLED, "The task was cancelled: no need"),
        (news("task.t1.closed", data=b"{}"), ErrorCode.CANCELLED, "The task was closed."),
        (news("task.t1.failed", data=b'{"error":{"message":"Late."}}'), ErrorCode.FENCED, "Late."),
        (news("task.t1.retrying", data=b"[]"), ErrorCode.FENCED, "The task was taken away."),
    ],
)
async def test_the_holder_of_the_token_hears_it_once_with_the_reason(
    message: wire.Event, code: ErrorCode, sentence: str
) -> None:
    revocations = Revocations()
    lost: list[TaskLost] = []
    other: list[TaskLost] = []
    revocations.hold(7, lost.append)
    revocations.hold(8, other.append)
    assert revocations.take(message)
    assert revocations.take(message)
    await asyncio.sleep(0)
    assert [(error.code, error.message) for error in lost] == [(code, sentence)]
    assert other == []


async def test_news_that_come_before_the_block_has_begun_are_kept_while_somebody_claims() -> None:
    revocations = Revocations()
    lost: list[TaskLost] = []
    with revocations.claiming():
        assert revocations.take(news())
        revocations.hold(7, lost.append)
    await asyncio.sleep(0)
    assert len(lost) == 1

    assert revocations.take(news(token="9"))  # nobody claims: it is of a block that was left meanwhile
    with revocations.claiming():
        revocations.hold(9, lost.append)
        await asyncio.sleep(0)
    assert len(lost) == 1


async def test_news_that_nobody_asks_for_are_bounded() -> None:
    revocations = Revocations()
    with revocations.claiming():
        for token in range(1, 2_001):
            revocations.take(news(token=str(token)))
        assert len(revocations._early) == 1_024
        assert 2_000 in revocations._early
    assert not revocations._early
