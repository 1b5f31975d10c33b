"""A consumer on a real server, and what filters mean to that server."""

from __future__ import annotations

import itertools

import pytest

from swarmwire_broker.engines.nats.reads.pullconsumer import ConsumerGone, PullConsumer
from swarmwire_broker.engines.nats.subjects import filters_of, tokens_of
from swarmwire_broker.natslink import ApiError, LinkState

from ....nats.servers import NatsServer
from ...natslink.linking import become
from .rules import SEGMENTS, matches_filter
from .stream import Stream, streaming

ALL = {"deliver_policy": "all"}


async def opened(stream: Stream, **config: object) -> PullConsumer:
    consumer = PullConsumer(stream.link, stream.js, stream.name)
    await consumer.open({**ALL, **config}, timeout=5.0)
    return consumer


async def test_a_server_matches_filters_as_the_tests_take_it(nats_server: NatsServer) -> None:
    topics = [*SEGMENTS, "$sys.a", *map(".".join, itertools.product(SEGMENTS, SEGMENTS)), "a.b.>", "a.>>.b.>"]
    patterns = [
        *topics[::3],
        "*",
        "#",
        "a.*",
        "*.b",
        ">.*",
        ">.#",
        "*.*",
        "a.#.b",
        "#.>",
        "a*.*",
        "*.>",
        "a.*.>",
        "é.#",
    ]
    async with streaming(nats_server.url) as stream:
        await stream.publish(*topics)
        for one in {one for pattern in patterns for one in filters_of(pattern)}:
            consumer = await opened(stream, filter_subject=stream.subjects.filter(one).decode())
            await consumer.pull(1_000, 100_000)
            found = [stream.subjects.topic(message.subject) for message in consumer.messages]
            assert found == [topic for topic in topics if matches_filter(one, tokens_of(topic))]
            assert consumer.matching == len(found)
            await consumer.close()


async def test_no_subject_matches_the_filter_for_nothing(nats_server: NatsServer) -> None:
    async with streaming(nats_server.url) as stream:
        await stream.publish("a", "b.c")
        consumer = await opened(stream, filter_subject=stream.subjects.nothing.decode())
        assert not await consumer.pull(10, 1_000)
        assert await consumer.probe() == 2
        await consumer.close()


async def test_a_pull_brings_what_there_is_and_says_when_that_is_all(nats_server: NatsServer) -> None:
    async with streaming(nats_server.url) as stream:
        await stream.publish(*["a"] * 5)
        consumer = await opened(stream)
        assert await consumer.pull(3, 1_000)
        assert [message.seq for message in consumer.messages] == [1, 2, 3]
        assert not await consumer.pull(3, 1_000)
        assert [message.consumer_seq for message in consumer.messages] == [1, 2, 3, 4, 5]
        consumer.messages.clear()
        assert await consumer.probe() == 5
        await stream.publish("a")
        assert await consumer.probe() is None
        assert consumer.messages[0].seq == 6
        await consumer.close()


async def test_headers_alone_come_without_payload(nats_server: NatsServer) -> None:
    async with streaming(nats_server.url) as stream:
        await stream.publish("a")
        consumer = await opened(stream, headers_only=True)
        await consumer.pull(1, 1_000)
        assert (consumer.messages[0].payload, consumer.messages[0].seq) == (b"", 1)
        await consumer.close()


async def test_a_consumer_whose_link_was_lost_is_of_no_use_any_more() -> None:
    async with NatsServer() as server, streaming(server.url) as stream:
        await stream.publish("a", "b")
        consumer = await opened(stream)
        await consumer.pull(1, 1_000)
        await server.restart()
        with pytest.raises(ConsumerGone):
            await consumer.pull(1, 1_000)
        await become(stream.link, LinkState.CONNECTED)
        with pytest.raises(ConsumerGone, match="was lost"):
            await consumer.probe()
        await consumer.close()
        await consumer.close()


async def test_a_stream_that_is_not_there_is_an_error_of_the_server(nats_server: NatsServer) -> None:
    async with streaming(nats_server.url) as stream:
        consumer = PullConsumer(stream.link, stream.js, "no-such-stream")
        with pytest.raises(ApiError, match="stream not found"):
            await consumer.open(ALL, timeout=5.0)
        await consumer.close()
