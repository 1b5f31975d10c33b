"""Whatever is published, and wherever a subscription begins: the bus in memory hands out what a broker does."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire import Client, Event, Gap, Live, MemoryBus, connect
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server

KEPT = 6
TOPICS = ("a", "a.b", "a.c", "a.b.c", "b", "b.c")
PATTERNS = ("#", "a", "a.#", "*", "*.c", "a.*", "#.c", "b.c")


class Publish(NamedTuple):
    """A publish, and its options."""

    topic: str
    clear: bool
    echo: bool
    key: str | None


class Play(NamedTuple):
    """Publishes, a subscription, and more publishes."""

    before: list[Publish]
    pattern: str
    start: str | tuple[str, int]
    after: list[Publish]


publishes = st.lists(
    st.builds(Publish, st.sampled_from(TOPICS), st.booleans(), st.booleans(), st.sampled_from([None, None, "k", "l"])),
    max_size=10,
)
starts = st.one_of(
    st.sampled_from(["now", "start", "latest"]),
    st.tuples(st.just("last"), st.integers(0, 8)),
    st.tuples(st.just("cursor"), st.integers(0, 12)),
)


async def publish(client: Client, wanted: list[Publish], first: int) -> list[tuple[int | None, bool]]:
    answers = []
    for number, each in enumerate(wanted, first):
        options: dict[str, Any] = {"clear": each.clear, "echo": each.echo, "key": each.key}
        published = await client.publish(each.topic, number, **options)
        answers.append((published.seq, published.duplicate))
    return answers


def seq(cursor: str | None) -> int | None:
    return None if cursor is None else int(cursor.partition(":")[2])


def shown(item: Event | Gap | Live) -> tuple[object, ...]:
    """What two brokers must agree on: all but times, and the names of logs and clients."""
    match item:
        case Event():
            return (item.topic, item.data, item.seq, seq(item.cursor), item.clear, item.headers, item.skipped)
        case Gap():
            return ("gap", seq(item.start), seq(item.end), item.reason, item.dropped)
        case Live():
            return ("live", seq(item.cursor))


async def played(client: Client, play: Play) -> tuple[object, ...]:
    """Everything that the one who plays and subscribes is told, up to an event that every pattern matches."""
    head = await client.publish("begin", None)
    first = await publish(client, play.before, 0)
    start: Any = play.start
    if isinstance(start, tuple):
        start = {"last": start[1]} if start[0] == "last" else {"cursor": f"{await epoch_of(client)}:{start[1]}"}
    async with client.subscribe(play.pattern, from_=start, gaps=True, live=True) as stream:
        second = await publish(client, play.after, 100)
        last = play.pattern.replace("*", "end").replace("#", "end")
        await client.publish(last, "the end")
        items: list[tuple[object, ...]] = []
        async with asyncio.timeout(10):
            async for item in stream:
                items.append(shown(item))
                if isinstance(item, Event) and item.data == "the end":
                    return (head.seq, first, second, items)
    raise AssertionError("the subscription ended")


async def epoch_of(client: Client) -> str:
    async with client.subscribe("#") as stream:
        assert stream.cursor is not None
        return stream.cursor.partition(":")[0]


async def compare(play: Play) -> None:
    async with MemoryBus(max_events=KEPT) as bus:
        told = await played(bus, play)
    config = Config(port=0, unix="off", limits=Limits(log_events=KEPT))
    async with Server(config) as server, connect(server.url) as client:
        assert told == await played(client, play)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.builds(Play, publishes, st.sampled_from(PATTERNS), starts, publishes))
def test_a_subscription_is_told_what_a_broker_would_tell_it(play: Play) -> None:
    asyncio.run(compare(play))
