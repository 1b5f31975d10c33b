"""The publisher that loads the dashboard says what it has really done."""

from __future__ import annotations

import asyncio

import pytest

from .brokers import Broker, token
from .loading import load
from .pages import PATIENCE


async def test_it_publishes_at_the_rate_that_was_asked_for_and_counts_what_the_broker_took(served: Broker) -> None:
    async with await served.client() as client:
        async with load(served, rate=1000, agents=50) as reached, asyncio.timeout(PATIENCE):
            marks = client.subscribe("load.mark", from_="start")
            await anext(marks)
            await anext(marks)
        topics = (await client.call("topic.list", {"pattern": "agent.#", "limit": 1000}))["count"]
        published = (await client.call("metrics.get"))["counters"]["publishes"]
    assert reached[-1].final
    assert topics == 2 * 50
    assert reached[-1].published == published - len(reached)
    assert reached[-1].rate == pytest.approx(1000, rel=0.25)  # a busy machine leaves out what is late
    assert reached[-1].refused == 0


async def test_what_is_refused_is_not_counted_as_published(guarded: Broker) -> None:
    may = token({"publish": ["load.mark", "agent.load-00001.#"]})
    async with (
        await guarded.client(token({"subscribe": ["#"]})) as client,
        load(guarded, rate=200, agents=2, seconds=0.5, token=may) as reached,
        asyncio.timeout(PATIENCE),
    ):
        await anext(client.subscribe("load.mark", from_="start"))
    assert reached[-1].published == pytest.approx(reached[-1].refused, abs=6)
    assert reached[-1].published > 0
