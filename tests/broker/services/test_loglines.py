"""logs.tail: the last lines of the broker's log, and those that come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from swarmwire import Client, connect
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

log = logging.getLogger("swarmwire.broker.tested")


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    before = logging.getLogger("swarmwire").level
    logging.getLogger("swarmwire").setLevel(logging.INFO)
    yield
    logging.getLogger("swarmwire").setLevel(before)


def said(answer: Any) -> list[str]:
    return [line["message"] for line in answer["lines"] if line["logger"] == log.name]


async def follow(client: Client) -> AsyncGenerator[Any, None]:
    """Follow the log, as soon as there is room: who left is gone a turn or two later."""
    async with asyncio.timeout(10):
        while True:
            replies = client.stream("logs.tail", {"follow": True})
            try:
                await anext(replies)
            except SwarmwireError as error:
                if error.code is not ErrorCode.LIMIT_EXCEEDED:
                    raise
            else:
                return replies


async def test_it_shows_the_last_lines_of_a_level(broker: Server) -> None:
    async with connect(broker.url) as client:
        for number in range(150):
            log.info("line %d", number)
        log.error("it broke")
        assert said(await client.call("logs.tail"))[-2:] == ["line 149", "it broke"]
        assert len((await client.call("logs.tail"))["lines"]) == 100
        assert said(await client.call("logs.tail", {"lines": 3})) == ["line 148", "line 149", "it broke"]
        assert said(await client.call("logs.tail", {"level": "error"})) == ["it broke"]
        assert said(await client.call("logs.tail", {"lines": 0})) == []


@pytest.mark.parametrize("params", [{"lines": -1}, {"lines": 1e9}, {"level": "loud"}, {"level": 20}, {"follow": 1}])
async def test_what_it_is_asked_for_is_checked_by_name(broker: Server, params: dict[str, Any]) -> None:
    async with connect(broker.url) as client:
        with pytest.raises(SwarmwireError) as refused:
            await client.call("logs.tail", params)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, f"params.{next(iter(params))}")


async def test_a_level_that_there_is_not_is_refused_with_those_there_are(broker: Server) -> None:
    async with connect(broker.url) as client:
        with pytest.raises(SwarmwireError, match="one of debug, info, warning, error, critical"):
            await client.call("logs.tail", {"level": "loud"})


async def test_following_it_shows_what_is_there_and_then_each_line_as_it_comes(broker: Server) -> None:
    async with connect(broker.url) as client:
        log.info("before")
        log.info("just before")
        async with aclosing(client.stream("logs.tail", {"follow": True, "lines": 1})) as replies, asyncio.timeout(10):
            assert said(await anext(replies)) == ["just before"]
            for number in range(3):
                log.info("line %d", number)
                assert said(await anext(replies)) == [f"line {number}"]


async def test_following_a_level_shows_no_other(broker: Server) -> None:
    async with connect(broker.url) as client:
        params = {"follow": True, "lines": 0, "level": "warning"}
        async with aclosing(client.stream("logs.tail", params)) as replies, asyncio.timeout(10):
            assert said(await anext(replies)) == []
            log.info("chatter")
            log.warning("look")
            assert said(await anext(replies)) == ["look"]


async def test_who_has_enough_makes_room_for_another(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_tails=1))
    async with connect(server.url) as client:
        async with aclosing(client.stream("logs.tail", {"follow": True})) as replies:
            await anext(replies)
            with pytest.raises(SwarmwireError) as full:
                await client.call("logs.tail", {"follow": True})
            assert full.value.code is ErrorCode.LIMIT_EXCEEDED
        await (await follow(client)).aclose()


async def test_a_follower_that_vanishes_makes_room_too(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_tails=1))
    gone = await connect(server.url)
    replies = gone.stream("logs.tail", {"follow": True})
    await anext(replies)
    await gone.disconnect()
    await replies.aclose()
    async with connect(server.url) as client:
        await (await follow(client)).aclose()


async def test_a_flood_of_lines_says_how_many_were_missed(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(tail_lines=10))
    async with connect(server.url) as client:
        params = {"follow": True, "lines": 0}
        async with aclosing(client.stream("logs.tail", params)) as replies, asyncio.timeout(10):
            await anext(replies)
            for number in range(100):  # without a turn of the loop between them
                log.info("line %d", number)
            answer = await anext(replies)
            assert answer["missed"] == 90
            assert said(answer) == [f"line {number}" for number in range(90, 100)]


async def test_a_broker_that_stopped_keeps_no_handler() -> None:
    before = list(logging.getLogger("swarmwire").handlers)
    server = Server()
    await server.broker.start()
    assert len(logging.getLogger("swarmwire").handlers) == len(before) + 1
    await server.broker.stop()
    assert logging.getLogger("swarmwire").handlers == before
