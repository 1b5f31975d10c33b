"""The bus in memory: what a program sees of it is what it sees of a broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import (
    Event,
    Gap,
    Live,
    SwarmwireError,
    connect,
    connect_sync,
)
from swarmwire_channels import AgentChannel, AgentStatus, TaskChannel, TaskCompleted
from swarmwire_protocol.errors import ErrorCode

from ..broker.transports.wire import eventually
from .houses import KEPT, PATIENCE, House, data, take


async def test_a_handler_gets_exactly_what_was_published(house: House) -> None:
    got: list[Event] = []
    await house.client.on("task:created", got.append)
    sent = {"id": "42", "title": "Buy milk", "tags": ["a", None, 1.5, {"deep": True}]}
    published = await house.client.publish("task:created", sent, headers={"by": "test"})
    await eventually(lambda: bool(got))
    event = got[0]
    assert (event.topic, event.data, event.seq, event.headers) == ("task:created", sent, published.seq, {"by": "test"})
    assert event.sender == f"anonymous:{house.client.id}"
    assert event.cursor is not None
    assert event.cursor.endswith(f":{event.seq}")


async def test_a_pattern_gets_what_it_matches_in_order(house: House) -> None:
    async with connect(house.url) as other:
        agents = await house.client.subscribe("agent.*.status")
        everything = await house.client.subscribe("#")
        for topic in ("agent.a.status", "agent.status", "agent.b.status", "agent.a.status.x", "x"):
            await other.publish(topic, topic)
        assert await data(agents, 2) == ["agent.a.status", "agent.b.status"]
        assert [event.seq for event in await take(everything, 5)] == [1, 2, 3, 4, 5]


async def test_once_is_called_once_and_an_ended_handler_no_more(house: House) -> None:
    first: list[Any] = []
    ended: list[Any] = []
    rest: list[Any] = []
    await house.client.once("a", lambda event: first.append(event.data))
    end = house.client.on("a", lambda event: ended.append(event.data))
    await end
    await house.client.on("a", lambda event: rest.append(event.data))
    await house.client.publish("a", 1)
    await eventually(lambda: rest == [1] and ended == [1])
    end()
    await house.client.publish("a", 2)
    await eventually(lambda: rest == [1, 2])
    assert (first, ended) == ([1], [1])


async def test_a_failing_handler_stops_nobody(house: House) -> None:
    got: list[Any] = []
    errors: list[BaseException] = []

    def fail(event: Event) -> None:
        raise ValueError(event.data)

    house.client.listen("error", errors.append)
    await house.client.on("a", fail)
    await house.client.on("a", lambda event: got.append(event.data))
    await house.client.publish("a", 1)
    await house.client.publish("a", 2)
    await eventually(lambda: got == [1, 2] and len(errors) == 2)


async def test_a_publisher_can_keep_an_event_from_itself(house: House) -> None:
    async with connect(house.url) as other:
        mine, theirs = await house.client.subscribe("a"), await other.subscribe("a")
        await house.client.publish("a", "quiet", echo=False)
        await house.client.publish("a", "loud")
        assert await data(mine, 1) == ["loud"]
        assert await data(theirs, 2) == ["quiet", "loud"]


async def test_latest_is_the_last_event_of_each_topic_then_what_is_new(house: House) -> None:
    for topic, value in (("s.a", 1), ("s.b", 2), ("s.a", 3), ("s.c", 4), ("other", 5)):
        await house.client.publish(topic, value)
    await house.client.publish("s.c", None, clear=True)
    stream = house.client.subscribe("s.*", from_="latest", live=True)
    found = await take(stream, 3)
    assert [getattr(each, "data", each.__class__) for each in found] == [2, 3, Live]
    await house.client.publish("s.b", 6)
    assert await data(stream, 1) == [6]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("start", [0, 1, 2, 3, 4]),
        ({"last": 2}, [3, 4]),
        ({"last": 0}, []),
        ({"last": 99}, [0, 1, 2, 3, 4]),
        ({"since_ms": 0}, [0, 1, 2, 3, 4]),
        ({"since_ms": 2**45}, []),
        ("now", []),
    ],
)
async def test_a_subscription_begins_where_it_says(house: House, start: Any, expected: list[int]) -> None:
    for number in range(5):
        await house.client.publish("a" if number % 2 else "a.b", number)
    stream = await house.client.subscribe("a.#", from_=start, live=True)
    await house.client.publish("a", "new")
    found = await take(stream, len(expected) + 2)
    assert [each.data for each in found if isinstance(each, Event)] == [*expected, "new"]
    assert [each for each in found if not isinstance(each, Event)] == [
        Live(each.cursor, "a.#") for each in found if isinstance(each, Live)
    ]


async def test_a_cursor_goes_on_behind_its_event(house: House) -> None:
    for number in range(5):
        await house.client.publish("a", number)
    stream = house.client.subscribe("a", from_="start")
    third = (await take(stream, 3))[2]
    again = house.client.subscribe("a", from_={"cursor": third.cursor})
    assert await data(again, 2) == [3, 4]


async def test_what_the_log_has_let_go_of_is_a_gap(house: House) -> None:
    first = await house.client.subscribe("a")
    await house.client.publish("a", 0)
    (event,) = await take(first, 1)
    for number in range(1, KEPT + 11):
        await house.client.publish("a", number)
    stream = house.client.subscribe("a", from_={"cursor": event.cursor}, gaps=True)
    gap, following = await take(stream, 2)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.start) == ("evicted", event.cursor)
    assert gap.end.endswith(f":{following.seq - 1}")
    assert following.data == following.seq - 1 >= 11


async def test_a_cursor_of_another_log_is_a_gap_and_the_log_from_its_start(house: House) -> None:
    await house.client.publish("a", 1)
    stream = house.client.subscribe("a", from_={"cursor": "another:7"}, gaps=True)
    gap, event = await take(stream, 2)
    assert (gap.reason, gap.start, event.data) == ("epoch", "another:7", 1)


async def test_a_key_makes_a_repeat_harmless(house: House) -> None:
    got: list[Any] = []
    await house.client.on("#", lambda event: got.append(event.data))
    first = await house.client.publish("a", 1, key="k")
    second = await house.client.publish("a", 2, key="k")
    other = await house.client.publish("b", 3, key="k")
    assert (first.duplicate, second.duplicate, second.seq, other.duplicate) == (False, True, first.seq, False)
    await eventually(lambda: got == [1, 3])


async def test_an_ephemeral_event_is_for_who_is_there(house: House) -> None:
    there = await house.client.subscribe("a")
    published = await house.client.publish("a", "now", ephemeral=True)
    (event,) = await take(there, 1)
    assert (published.seq, event.seq, event.cursor, event.data) == (None, None, None, "now")
    await house.client.publish("a", "kept")
    later = house.client.subscribe("a", from_="start")
    assert await data(later, 1) == ["kept"]


async def test_conflating_skips_to_the_latest_of_each_topic(house: House) -> None:
    stream = await house.client.subscribe("p.*", conflate_ms=30)
    for number in range(20):
        await house.client.publish(f"p.{number % 2}", number)
    last: dict[str, int] = {}
    seen = 0
    while last != {"p.0": 18, "p.1": 19}:
        (event,) = await take(stream, 1)
        last[event.topic] = event.data
        seen += 1 + (event.skipped or 0)
    assert seen == 20


async def test_a_slow_reader_misses_nothing_that_is_kept(house: House) -> None:
    stream = await house.client.subscribe("a", buffer=2)
    for number in range(KEPT):
        await house.client.publish("a", number)
    assert await data(stream, KEPT) == list(range(KEPT))


async def test_an_unsubscribed_stream_ends_and_its_twin_goes_on(house: House) -> None:
    one, two = await house.client.subscribe("a"), await house.client.subscribe("a")
    await one.unsubscribe()
    await house.client.publish("a", 1)
    assert await data(two, 1) == [1]
    assert [event async for event in one] == []


async def test_a_publish_without_ack_arrives(house: House) -> None:
    stream = await house.client.subscribe("a")
    for number in range(1000):
        await house.client.publish("a", number, ack=False)
        if number % KEPT == KEPT - 1:  # nobody waits for so many that one is let go of
            await data(stream, KEPT)
    assert (await house.client.publish("a", 1000)).seq == 1001


@pytest.mark.parametrize(
    ("topic", "options", "code", "field"),
    [
        ("a..b", {}, ErrorCode.INVALID_TOPIC, None),
        ("$sys.x", {}, ErrorCode.PERMISSION_DENIED, "topic"),
        ("a", {"ephemeral": True, "key": "k"}, ErrorCode.INVALID_MESSAGE, "key"),
        ("a", {"ephemeral": True, "clear": True}, ErrorCode.INVALID_MESSAGE, "clear"),
        ("a", {"key": ""}, ErrorCode.INVALID_MESSAGE, "key"),
        ("a", {"key": "ü" * 129}, ErrorCode.INVALID_MESSAGE, "key"),
        ("a", {"headers": {str(number): "" for number in range(33)}}, ErrorCode.INVALID_MESSAGE, "headers"),
        ("a", {"headers": {"x": "y" * 8192}}, ErrorCode.INVALID_MESSAGE, "headers"),
    ],
)
async def test_a_bad_publish_is_refused(
    house: House, topic: str, options: dict[str, Any], code: ErrorCode, field: str | None
) -> None:
    with pytest.raises(SwarmwireError) as caught:
        await house.client.publish(topic, 1, **options)
    assert caught.value.code is code
    assert field is None or caught.value.field == field


async def test_a_method_that_nobody_handles_is_not_found(house: House) -> None:
    with pytest.raises(SwarmwireError) as caught:
        await house.client.call("nobody.is.there")
    assert caught.value.code is ErrorCode.METHOD_NOT_FOUND


async def test_a_ping_comes_back(house: House) -> None:
    assert await house.client.ping() >= 0


async def test_the_synchronous_twin_takes_part_from_a_thread_of_its_own(house: House) -> None:
    stream = await house.client.subscribe("from.thread")

    def script() -> list[Any]:
        with connect_sync(house.url) as client, client.subscribe("to.thread") as wanted:
            client.publish("from.thread", "ready")
            return [wanted.next(PATIENCE).data]  # type: ignore[union-attr]

    running = asyncio.create_task(asyncio.to_thread(script))
    assert await data(stream, 1) == ["ready"]
    await house.client.publish("to.thread", "go")
    assert await running == ["go"]


async def test_channels_stand_on_it(house: House) -> None:
    agents, tasks = AgentChannel(house.client), TaskChannel(house.client)
    async with agents.watch(events=["status"]) as changes:
        await agents.status("gpt-4.1", "busy", "reading")
        change = await anext(changes)
    assert change.id == "gpt-4.1"
    assert isinstance(change.record, AgentStatus)
    await tasks.completed("t1", result=7)
    outcome = await tasks.wait_for_completion("t1", timeout=PATIENCE)
    assert isinstance(outcome, TaskCompleted)
    assert outcome.result == 7


async def test_a_place_in_a_file_is_where_the_next_run_goes_on(house: House, tmp_path: Any) -> None:
    for number in range(4):
        await house.client.publish("a", number)
    place = tmp_path / "place"
    async with house.client.subscribe("a", from_="start", resume_file=place) as run:
        assert await data(run, 2) == [0, 1]
    async with house.client.subscribe("a", from_="start", resume_file=place) as run:
        assert await data(run, 2) == [2, 3]


async def test_what_was_disconnected_is_over(house: House) -> None:
    stream = await house.client.subscribe("a")
    await house.client.disconnect()
    await house.client.disconnect()
    assert [event async for event in stream] == []
    with pytest.raises(SwarmwireError):
        await house.client.publish("a", 1)
