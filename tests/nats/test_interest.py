"""What a broker has the stream send it: one consumer, and of the events those that its clients can want."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from swarmwire import Client, connect

from ..system.journal import watch
from .ground import Clustered
from .servers import VERSIONS, NatsServer, Version, needs

FEW, MANY = 20, 2000


@pytest_asyncio.fixture
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Clustered]:
    ground = Clustered(tmp_path, [], {}, draw=random.Random(1), version=getattr(request, "param", Version.NEWEST))
    try:
        await ground.start()
        yield ground
    finally:
        await ground.close()


def server_of(ground: Clustered) -> NatsServer:
    assert ground.server is not None
    return ground.server


async def consumers(ground: Clustered) -> list[dict[str, Any]]:
    """Those of the log, as the server tells of them."""
    answer = await server_of(ground).ask("/jsz?accounts=true&streams=true&consumers=true&config=true")
    streams = [stream for account in answer["account_details"] for stream in account["stream_detail"]]
    (log,) = [stream for stream in streams if stream["name"] == ground.stream]
    found: list[dict[str, Any]] = log.get("consumer_detail") or []
    return [each for each in found if each["config"].get("deliver_subject")]


async def received(ground: Clustered) -> list[int]:
    """How many messages the server has sent to each broker on the connection for its log, the fewest first."""
    connections = await server_of(ground).connections()
    found = [each["out_msgs"] for each in connections if (each.get("name") or "").endswith(" log")]
    assert len(found) == len(ground.brokers)
    return sorted(found)


@pytest.mark.parametrize("ground", VERSIONS, indirect=True)
async def test_a_broker_has_one_consumer_however_many_clients_and_patterns_it_has(ground: Clustered) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(ground.brokers[0].url)) for _ in range(20)]
        journals = []
        for number, client in enumerate(clients):
            for pattern in ("a.#", f"a.{number}", "*.x", "#"):
                journal = await watch(client, pattern)
                stack.push_async_callback(journal.close)
                journals.append((pattern, journal))
        await clients[0].publish("a.x", "once")
        for pattern, journal in journals:
            if pattern in ("a.#", "*.x", "#"):
                await journal.saw("once")
        await clients[0].publish("a.x", "and no more")
        for pattern, journal in journals:
            if pattern in ("a.#", "*.x", "#"):
                await journal.saw("and no more")
                assert journal.story == ["once", "and no more"]
        assert len(await consumers(ground)) == len(ground.brokers)


@needs(Version.NEWEST)
async def test_a_broker_is_sent_what_its_clients_can_want(ground: Clustered) -> None:
    async with connect(ground.brokers[0].url) as near, connect(ground.brokers[1].url) as far:
        journal = await watch(far, "few.#")
        await publish(near, "few.before", 1)
        await journal.saw("few.before 0")
        before = await received(ground)
        await publish(near, "many.x", MANY)
        await publish(near, "few.x", FEW)
        await journal.saw(f"few.x {FEW - 1}")
        assert len(journal.story) == FEW + 1
        fewest, most = (now - then for now, then in zip(await received(ground), before, strict=True))
        assert most > MANY  # an acknowledgement each
        assert FEW <= fewest < FEW + MANY / 10  # heartbeats are some too
        await journal.close()


async def publish(client: Client, topic: str, count: int) -> None:
    for number in range(count - 1):
        await client.publish(topic, f"{topic} {number}", ack=False)
    await client.publish(topic, f"{topic} {count - 1}")
