"""Clients that do not read, over real sockets: the broker's memory for them is bounded, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from .houses import KINDS, House, Open
from .wire import Wire, eventually, text

KIB = 1024
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

PAYLOAD = "x" * 20_000
MANY = 2_500
"""Events of `PAYLOAD`: 50 MB."""

READ = 512 * KIB
"""What one turn of the loop may read, and so publish, at once."""


@pytest.fixture(params=KINDS)
def open_house(request: pytest.FixtureRequest) -> Open:
    return KINDS[request.param]


@pytest_asyncio.fixture
async def house(open_house: Open) -> AsyncIterator[House]:
    async with open_house(close_timeout_ms=500, outbox_bytes=256 * KIB) as house:
        yield house
        await house.is_clean()


class Watch:
    """The most that ever waited for one client while events were published."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.most = 0

    async def publish(self, publisher: Wire, count: int, data: Any = PAYLOAD, topic: str = "a.b") -> None:
        """Publish so many events, the last with an answer, and wait for it."""
        for number in range(1, count):
            await publisher.send(type="publish", topic=topic, data=data)
            if number % 10 == 0:
                self.most = max(self.most, self.house.queued())
        ack = await publisher.ask(type="publish", topic=topic, data=data, id="last")
        assert ack["type"] == "ack"


async def seqs(wire: Wire, last: int) -> list[int]:
    """The `seq` of the next events, up to the last."""
    found: list[int] = []
    while not found or found[-1] < last:
        found.append((await wire.expect("event"))["seq"])
    return found


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_fifty_megabytes_for_a_client_that_does_not_read(house: House) -> None:
    limits = house.hub.limits
    async with await house.client() as stalled, await house.client() as reader, await house.client() as publisher:
        await stalled.subscribe("a.#")
        await reader.subscribe("a.b")
        watch = Watch(house)
        reading = asyncio.create_task(seqs(reader, MANY))

        await watch.publish(publisher, MANY)
        assert await reading == list(range(1, MANY + 1)), "the others got everything meanwhile"
        assert limits.outbox_bytes < watch.most <= limits.outbox_bytes + limits.page_bytes + READ
        assert house.hub.stats.gauges["catching_up"]() == 1

        assert await seqs(stalled, MANY) == list(range(1, MANY + 1)), "and the slow one when it read"
        await eventually(lambda: house.hub.stats.gauges["catching_up"]() == 0)
        await watch.publish(publisher, 1)
        assert (await stalled.expect("event"))["seq"] == MANY + 1
        assert house.hub.stats.gaps == {}


async def test_what_the_log_evicted_meanwhile_is_a_gap_and_nothing_else_is_missing(open_house: Open) -> None:
    async with open_house(log_events=100, outbox_bytes=64 * KIB) as house, await house.client() as stalled:
        await stalled.subscribe("a.#")
        async with await house.client() as publisher:
            await Watch(house).publish(publisher, 1_500)

        position, gaps = 0, []
        while position < 1_500:
            message = await stalled.expect("event", "gap")
            if message["type"] == "gap":
                assert (_seq(message["from"]), message["reason"]) == (position, "evicted")
                position = _seq(message["to"])
                gaps.append(message)
            else:
                assert message["seq"] == position + 1, "no event is missing but in a gap, and none comes twice"
                position = message["seq"]
        assert gaps
        assert _seq(gaps[-1]["to"]) == 1_400, "the log still held the last hundred"
        stalled.reset()


async def test_dropping_the_oldest_leaves_the_newest_and_counts_what_was_lost(house: House) -> None:
    async with await house.client() as stalled, await house.client() as reader, await house.client() as publisher:
        await stalled.subscribe("a.b", mode="drop_oldest", queue_size=5)
        await reader.subscribe("a.b")
        watch = Watch(house)
        reading = asyncio.create_task(seqs(reader, 1_000))
        await watch.publish(publisher, 1_000)
        assert len(await reading) == 1_000
        assert watch.most <= house.hub.limits.outbox_bytes + house.hub.limits.page_bytes + READ

        position, dropped = 0, 0
        while position < 1_000:
            message = await stalled.expect("event", "gap")
            if message["type"] == "gap":
                assert message["reason"] == "overflow"
                assert message["dropped"] == _seq(message["to"]) - position
                dropped += message["dropped"]
                position = _seq(message["to"])
            else:
                assert message["seq"] == position + 1
                position += 1
        assert dropped > 500
        assert house.hub.stats.drops == dropped


async def test_mode_disconnect_closes_a_client_that_falls_behind(house: House) -> None:
    async with await house.client() as stalled, await house.client() as reader, await house.client() as publisher:
        await stalled.subscribe("a.b", mode="disconnect")
        await reader.subscribe("a.b")
        reading = asyncio.create_task(seqs(reader, 1_000))
        await Watch(house).publish(publisher, 1_000)
        assert len(await reading) == 1_000

        await eventually(lambda: len(house.hub.sessions) == 2)
        messages, code = await stalled.ended()
        if house.kind == "fast":
            # The socket was full, and it did not read within close_timeout_ms: it was cut, maybe mid-frame.
            assert code in (None, 4408)
        assert [message["seq"] for message in messages if message["type"] == "event"] == sorted(
            message["seq"] for message in messages if message["type"] == "event"
        )


async def test_a_client_that_is_closed_as_too_slow_and_reads_in_time_learns_why(open_house: Open) -> None:
    async with open_house(outbox_bytes=64 * KIB, close_timeout_ms=10_000) as house, await house.client() as stalled:
        await stalled.subscribe("a.b", mode="disconnect")
        async with await house.client() as publisher:
            await Watch(house).publish(publisher, 1_000)
        messages, code = await stalled.ended()
        *events, error, bye = messages
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert (error["code"], bye["code"], code) == ("SLOW_CONSUMER", 4408, 4408)
        await house.is_clean()


async def test_a_client_that_asks_and_never_reads_the_answers_is_not_read_until_it_does(open_house: Open) -> None:
    limits = {"control_bytes": 128 * KIB, "outbox_bytes": 64 * KIB, "control_messages": 10**6}
    async with open_house(**limits) as house, await house.client() as asker, await house.client() as other:
        asking = asyncio.create_task(_ask(asker))
        await eventually(lambda: any(outbox.full for outbox in house.hub.delivery.outboxes))
        assert await other.is_alive()
        assert 64 * KIB < house.queued() <= 64 * KIB + 128 * KIB + READ
        assert not asking.done(), "the broker takes no more requests"

        for number in range(REQUESTS):
            assert (await asker.expect("error"))["id"] == number, "each is answered once, in order"
        await asking
        assert await asker.is_alive()


REQUESTS = 1_000


async def _ask(wire: Wire) -> None:
    """Requests with large answers: 20 MB of them, more than all buffers between a client and the broker hold."""
    for number in range(REQUESTS):
        refused = {"pattern": "a..b", "sub": "s" * 20_000}
        await wire.send_unhurried(text({"type": "subscribe", "id": number, "subscriptions": [refused]}))


def _seq(cursor: str) -> int:
    return int(cursor.rpartition(":")[2])
