"""A broker whose log is elsewhere: what this process, HTTP and operators make of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.clock import LoopClock
from swarmwire_broker.config import Config
from swarmwire_broker.engines.base import Draft
from swarmwire_broker.local import LocalSubscription
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.messages import Gap

from .core.fakes import RemoteEngine
from .transports.wire import PATIENCE, eventually
from .web.browser import client, follow, publish, serving


@pytest.fixture(name="engines")
def _engines(monkeypatch: pytest.MonkeyPatch) -> list[RemoteEngine]:
    """The engines of the brokers that are started."""
    made: list[RemoteEngine] = []

    def make(config: Config, now_ms: Callable[[], int]) -> RemoteEngine:
        engine = RemoteEngine(now_ms=now_ms)
        engine.clock = LoopClock()
        made.append(engine)
        return engine

    monkeypatch.setattr("swarmwire_broker.broker.make_engine", make)
    monkeypatch.setattr("swarmwire_broker.broker.add_gauges", lambda *_: None)
    return made


def elsewhere(engine: RemoteEngine, *values: int, topic: str = "a") -> None:
    for value in values:
        engine.append_elsewhere(Draft(topic, event_head(topic), event_origin("other"), b"%d" % value))


@asynccontextmanager
async def started(broker: Broker | None = None) -> AsyncIterator[Broker]:
    broker = broker or Broker(Config())
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def some(events: LocalSubscription, count: int) -> list[Any]:
    """The next items: events by their data, gaps by their reason."""
    async with asyncio.timeout(PATIENCE):
        items = [await anext(events) for _ in range(count)]
    return [item.reason if isinstance(item, Gap) else item.data for item in items]


async def test_a_loop_of_this_process_begins_where_it_says(engines: list[RemoteEngine]) -> None:
    async with started() as broker:
        engines[0].is_stuck = True
        elsewhere(engines[0], 1, 2, 3)
        async with broker.subscribe("a", from_="start") as events:
            assert await some(events, 3) == [1, 2, 3]
        async with broker.subscribe("a", from_={"last": 1}) as events:
            assert await some(events, 1) == [3]


async def test_a_loop_of_this_process_goes_on_in_a_log_made_anew_behind_a_gap(engines: list[RemoteEngine]) -> None:
    async with started() as broker:
        engine = engines[0]
        async with broker.subscribe("a", gaps=True) as events, broker.subscribe("a", from_="start") as waiting:
            elsewhere(engine, 1)
            assert await some(events, 1) == [1]
            before, former = events.cursor, engine.epoch
            begun = asyncio.ensure_future(some(waiting, 2))
            await eventually(lambda: waiting.cursor is not None)
            engine.renew()
            elsewhere(engine, 10, 11)
            assert await some(events, 3) == ["epoch", 10, 11]
            assert before == f"{former}:1"
            assert events.cursor == f"{engine.epoch}:2"
            assert await begun in ([1, 10], [10, 11])
        await eventually(lambda: not broker.hub.sessions)
        assert broker.hub.delivery.router.is_empty


async def test_a_loop_that_is_closed_as_the_log_is_made_anew_leaves_nothing(engines: list[RemoteEngine]) -> None:
    async with started() as broker:
        events = await broker.subscribe("a")
        engines[0].renew()
        await events.aclose()
        await eventually(lambda: not broker.hub.sessions)
        assert broker.hub.delivery.router.is_empty
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_a_handler_of_this_process_stays_when_the_log_is_made_anew(engines: list[RemoteEngine]) -> None:
    broker = Broker(Config())
    broker.handler("echo", lambda params: params)
    async with started(broker):
        assert await broker.call("echo", {"x": 1}) == {"x": 1}
        engines[0].renew()
        assert await broker.call("echo", {"x": 2}) == {"x": 2}


async def test_an_event_stream_ends_when_the_log_is_made_anew_and_the_next_begins_with_a_gap(
    engines: list[RemoteEngine],
) -> None:
    async with serving() as server, client(server) as http:
        async with follow(http, "a") as stream:
            await publish(http, "a", 1)
            assert (await stream.event())["data"] == 1
            last_id = str(stream.last_id)
            engines[0].renew()
            bye = await stream.named("bye")
            assert (bye.data["code"], bye.retry) == (1012, bye.data["reconnect_after_ms"])
        await publish(http, "a", 2)
        async with follow(http, "a", headers={"Last-Event-ID": last_id}) as stream:
            gap = await stream.named("gap")
            assert (gap.data["from"], gap.data["reason"]) == (last_id, "epoch")
            assert (await stream.event())["data"] == 2


async def test_an_event_stream_goes_on_from_a_place_that_another_broker_gave(engines: list[RemoteEngine]) -> None:
    async with serving() as server, client(server) as http:
        engines[0].is_stuck = True
        elsewhere(engines[0], 1, 2, 3)
        place = f"{engines[0].epoch}:2"
        engines[0].is_stuck = False
        async with follow(http, "a", "b", headers={"Last-Event-ID": place}) as stream:
            assert (await stream.event())["data"] == 3


async def test_a_page_of_history_ends_at_what_was_there_when_it_was_asked_for(
    engines: list[RemoteEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started() as broker:
        engine = engines[0]
        engine.is_stuck = True
        elsewhere(engine, *range(1, 8))

        fetch = engine.fetch

        async def growing(*asked: Any) -> Any:
            elsewhere(engine, 99, topic="b")
            engine.bring(5)
            return await fetch(*asked)

        monkeypatch.setattr(engine, "fetch", growing)
        page = await broker.call("history.read", {"pattern": "b", "limit": 10})
        assert (page["events"], page["more"]) == ([], False)
        page = await broker.call("history.read", {"pattern": "a", "limit": 10})
        assert [event["data"] for event in page["events"]] == list(range(1, 8))


async def test_topics_are_listed_as_the_log_knows_them(engines: list[RemoteEngine]) -> None:
    async with started() as broker:
        engines[0].is_stuck = True
        elsewhere(engines[0], 1, 2)
        elsewhere(engines[0], 3, topic="b")
        listed = await broker.call("topic.list", {"pattern": "#"})
        assert [(one["topic"], one["seq"]) for one in listed["topics"]] == [("a", 2), ("b", 3)]


async def test_a_broker_whose_log_is_away_is_not_ready_and_says_why(engines: list[RemoteEngine]) -> None:
    async with serving() as server, client(server) as http:
        assert (await http.get("/readyz")).status_code == 200
        engines[0].is_away = True
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        facts = answer.json()
        assert (facts["ready"], facts["writable"]) == (False, False)
        assert facts["reason"] == "The log in NATS cannot be written just now."
        assert (await http.get("/healthz")).status_code == 200
        refused = await http.post("/v1/publish", json={"topic": "a", "data": 1})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "UNAVAILABLE")
        engines[0].is_away = False
        assert (await http.get("/readyz")).json()["ready"] is True


async def test_the_health_of_a_log_that_is_away_is_failing(engines: list[RemoteEngine]) -> None:
    async with started() as broker:
        engines[0].is_away = True
        told = await broker.call("health.check")
        assert told["checks"]["log"] == {
            "status": "failing",
            "detail": "The log in NATS cannot be written; the broker's log says why.",
        }
        status = await broker.call("daemon.status")
        assert status["engine"]["writable"] is False
