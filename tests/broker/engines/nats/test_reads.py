"""Pages of the log from a real server, and finding a place to begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.engines.base import PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.natslink import LinkState
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ....nats.pool import shared
from ....nats.servers import VERSIONS, NatsServer, Version
from ...natslink.linking import become
from ..models import BROAD, naive_read, page_limits
from .rules import patterns, topics
from .stream import Stream, streaming

OpenStream = Callable[[], AbstractAsyncContextManager[Stream]]

with_examples = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def stream(nats_server: NatsServer) -> AsyncIterator[Stream]:
    async with streaming(nats_server.url) as opened:
        yield opened


# ---- pages


@with_examples
@given(
    st.lists(topics, min_size=1, max_size=40),
    st.lists(st.lists(patterns | topics, min_size=1, max_size=3), min_size=1, max_size=3),
    page_limits,
    st.integers(0, 40),
)
async def test_reading_by_patterns_gives_exactly_what_matches(
    nats_server: NatsServer, published: list[str], asked: list[list[str]], limit: PageLimit, after: int
) -> None:
    async with streaming(nats_server.url) as stream:
        await stream.publish(*published)
        for wanted in asked:
            found = [entry.seq for entry in await stream.read_all(wanted, after, limit)]
            assert found == naive_read(stream.held, wanted, after)


async def test_an_entry_is_the_event_that_was_published(stream: Stream) -> None:
    await stream.publish("a.b", data=b'{"x":1}')
    await stream.publish("a.b", clear=True, data=b"null")
    first, second = await stream.read_all(["a.b"])
    assert first.payload == b'{"type":"event","topic":"a.b","seq":1,"ts":%d,"from":"alice","data":{"x":1}}' % first.ts
    assert (first.topic, first.clear, second.clear, second.hidden_from) == ("a.b", False, True, None)
    assert second.ts >= first.ts > 1_700_000_000_000


async def test_an_entry_larger_than_the_page_is_still_given(stream: Stream) -> None:
    await stream.publish("a", data=b"1" * 900_000)
    await stream.publish("a")
    page = await stream.fetch("a", 0, PageLimit(10, 1, 10))
    assert ([entry.seq for entry in page.entries], page.upto) == ([1], 1)


async def test_nothing_is_told_beyond_the_head_of_the_broker(stream: Stream) -> None:
    await stream.publish(*["a"] * 10)
    stream.head = 4
    page = await stream.fetch("a", 2)
    assert ([entry.seq for entry in page.entries], page.upto) == ([3, 4], 4)
    page = await stream.fetch("a", 4)
    assert (page.entries, page.upto) == ([], 4)
    page = await stream.fetch("b", 2)
    assert (page.entries, page.upto) == ([], 4)


async def test_a_page_begins_with_the_oldest_that_the_log_still_holds(stream: Stream) -> None:
    await stream.publish(*["a"] * 10)
    await stream.purge(7)
    assert [entry.seq for entry in await stream.read_all(["a"])] == [7, 8, 9, 10]
    await stream.purge(11)
    page = await stream.fetch("a", 3)
    assert (page.entries, page.upto) == ([], 10)


async def test_events_that_are_evicted_between_two_pages_are_passed_over(stream: Stream) -> None:
    await stream.publish(*["a"] * 20)
    page = await stream.fetch("a", 0, PageLimit(2, 10_000, 10))
    await stream.purge(15)
    rest = await stream.read_all(["a"], page.upto, PageLimit(2, 10_000, 10))
    assert [entry.seq for entry in rest if entry.seq > 4] == list(range(15, 21))


async def test_a_message_that_no_broker_has_stored_is_passed_over(stream: Stream) -> None:
    await stream.publish("a")
    await stream.link.request(stream.subjects.subject("a"), b"not an event", timeout=5.0)
    stream.held.append(stream.held[0])
    await stream.publish("a")
    assert [entry.seq for entry in await stream.read_all(["a"])] == [1, 3]


async def test_what_is_published_between_two_pages_is_read_too(stream: Stream) -> None:
    await stream.publish(*["a"] * 5)
    page = await stream.fetch("a", 0, PageLimit(5, 10_000, 10))
    await stream.publish(*["a"] * 5)
    assert [entry.seq for entry in await stream.read_all(["a"], page.upto)] == [6, 7, 8, 9, 10]


async def test_reading_a_narrow_pattern_costs_what_it_matches(stream: Stream) -> None:
    await stream.publish("agent.a1.status", *(f"task.t{number % 500}.progress" for number in range(20_000)))
    await stream.publish("agent.a1.status")
    for pattern in ("agent.a1.status", "agent.*.status"):
        page = await stream.fetch(pattern, 0, PageLimit(100, 100_000, 1_000))
        assert ([entry.seq for entry in page.entries], page.upto, page.scanned) == ([1, 20_002], 20_002, 2)


@pytest.mark.parametrize("version", VERSIONS)
async def test_several_patterns_are_filtered_by_a_server_that_can(version: Version) -> None:
    async with streaming(shared(version).url) as stream:
        await stream.publish(*["a", "b", *["c"] * 30])
        page = await stream.reads.fetch(Matcher(["a", "b"]), 0, BROAD)
        assert [entry.seq for entry in page.entries] == [1, 2]
        assert page.scanned == (32 if version is Version.OLD else 2)


# ---- snapshots


@with_examples
@given(st.lists(st.tuples(topics, st.booleans()), min_size=1, max_size=40), patterns | topics, page_limits)
async def test_a_snapshot_is_the_last_event_of_every_matching_topic_that_is_not_cleared(
    nats_server: NatsServer, changes: list[tuple[str, bool]], pattern: str, limit: PageLimit
) -> None:
    async with streaming(nats_server.url) as stream:
        for topic, clear in changes:
            await stream.publish(topic, clear=clear)
        last = {entry.topic: entry for entry in stream.held}
        wanted = naive_read((entry for entry in last.values() if not entry.clear), [pattern], 0)
        assert await stream.snapshot([pattern], limit) == sorted(wanted)


async def test_a_snapshot_ends_where_it_was_begun(stream: Stream) -> None:
    await stream.publish("a", "b", "c", "a")
    page = await stream.reads.latest(Matcher(["#"]), 0, 2, BROAD)
    assert ([entry.seq for entry in page.entries], page.upto) == ([2], 2)


async def test_a_topic_that_changes_during_a_snapshot_is_left_to_what_follows_or_given_as_it_was(
    stream: Stream,
) -> None:
    await stream.publish(*(f"t{number}" for number in range(10)))
    matcher, limit = Matcher(["*"]), PageLimit(3, 10_000, 100)
    page = await stream.reads.latest(matcher, 0, 10, limit)
    await stream.publish("t0", "t9", "new")
    seqs = [entry.seq for entry in page.entries]
    while page.upto < 10:
        page = await stream.reads.latest(matcher, page.upto, 10, limit)
        seqs += [entry.seq for entry in page.entries]
    assert seqs[:9] == list(range(1, 10))
    assert set(seqs) <= set(range(1, 11))


async def test_a_snapshot_goes_on_behind_a_place_without_the_consumer_that_began_it(stream: Stream) -> None:
    await stream.publish("a", "b", "c", "d", "a")
    assert await stream.snapshot(["#"], after=3) == [4, 5]


# ---- finding a place


@with_examples
@given(st.lists(topics, min_size=1, max_size=40), patterns | topics, st.integers(0, 45), st.integers(1, 30))
async def test_behind_the_place_found_stand_exactly_the_last_events(
    nats_server: NatsServer, published: list[str], pattern: str, count: int, oldest: int
) -> None:
    async with streaming(nats_server.url) as stream:
        await stream.publish(*published)
        await stream.purge(min(oldest, len(published)))
        place = await stream.reads.find_last(Matcher([pattern]), count)
        assert 0 <= place <= stream.head
        held = naive_read(stream.held, [pattern], 0)
        assert naive_read(stream.held, [pattern], place) == (held[-count:] if count else [])


@pytest.mark.parametrize(
    ("pattern", "count"), [("a", 3), ("a", 700), ("b.*", 900), ("#.rare", 2), ("#", 5), ("#", 100_000), ("no", 1)]
)
async def test_the_last_ones_are_found_in_a_long_log(stream: Stream, pattern: str, count: int) -> None:
    await stream.publish("x.rare", "y.rare", "z.rare", *["a"] * 1_000, *["b.c"] * 9_000, "d", *["a"] * 10)
    place = await stream.reads.find_last(Matcher([pattern]), count)
    held = naive_read(stream.held, [pattern], 0)
    assert naive_read(stream.held, [pattern], place) == held[-count:]


async def test_the_last_ones_up_to_the_head_of_the_broker_are_found(stream: Stream) -> None:
    await stream.publish(*["a"] * 5_000)
    stream.head = 2_000
    assert await stream.reads.find_last(Matcher(["a"]), 10) == 1_990


async def test_behind_the_place_found_stands_exactly_what_is_not_earlier(stream: Stream) -> None:
    for _ in range(12):
        await stream.publish("a")
        await asyncio.sleep(0.003)  # the server's clock is what this is about
    entries = await stream.read_all(["a"])
    for since in (entry.ts + shift for entry in entries for shift in (0, 1)):
        place = await stream.reads.find_since(since)
        assert [entry.seq for entry in entries if entry.seq > place] == [e.seq for e in entries if e.ts >= since]
    assert await stream.reads.find_since(-5) == 0
    assert await stream.reads.find_since(10**17) == 12


async def test_an_empty_log_has_no_last_ones() -> None:
    async with streaming(shared().url) as stream:
        assert await stream.reads.find_last(Matcher(["a"]), 3) == 0
        assert await stream.reads.find_since(5) == 0


# ---- consumers


async def test_a_reader_keeps_its_consumer_from_page_to_page_and_leaves_none(stream: Stream) -> None:
    await stream.publish(*["a"] * 10)
    page = await stream.fetch("a", 0, PageLimit(3, 10_000, 100))
    first = await stream.consumers()
    assert len(first) == 1
    page = await stream.fetch("a", page.upto, PageLimit(3, 10_000, 100))
    assert await stream.consumers() == first
    await stream.fetch("a", page.upto)
    await stream.no_consumers()


async def test_the_number_of_consumers_is_bounded_and_the_rest_wait(nats_server: NatsServer) -> None:
    async with streaming(nats_server.url, most=3) as stream:
        await stream.publish(*["a", "b"] * 50)
        limit = PageLimit(5, 10_000, 100)
        readers = [asyncio.create_task(stream.read_all([f"{'ab'[n % 2]}"], n, limit)) for n in range(20)]
        most = 0
        while not all(reader.done() for reader in readers):
            most = max(most, len(await stream.consumers()))
        assert 0 < most <= 3
        for number, reader in enumerate(readers):
            assert [entry.seq for entry in await reader] == naive_read(stream.held, ["ab"[number % 2]], number)


async def test_who_waits_for_a_consumer_gets_it_when_another_reader_has_its_page(nats_server: NatsServer) -> None:
    async with streaming(nats_server.url, most=1) as stream:
        await stream.publish(*["a", "b"] * 5)
        limit = PageLimit(2, 10_000, 100)
        async with asyncio.timeout(2.0):
            first, second = await asyncio.gather(stream.fetch("a", 0, limit), stream.fetch("b", 0, limit))
        assert [entry.seq for entry in first.entries + second.entries] == [1, 3, 2, 4]


async def test_the_consumer_of_a_reader_that_does_not_come_back_is_deleted(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmwire_broker.engines.nats.reads.consumers._IDLE", 0.02)
    await stream.publish(*["a"] * 10)
    page = await stream.fetch("a", 0, PageLimit(3, 10_000, 100))
    await stream.no_consumers()
    assert [entry.seq for entry in await stream.read_all(["a"], page.upto)] == [4, 5, 6, 7, 8, 9, 10]


async def test_a_reader_that_gives_up_leaves_no_consumer(stream: Stream) -> None:
    await stream.publish("a")
    stream.head = 2  # nobody has published it yet: the reader waits
    reading = asyncio.create_task(stream.fetch("a", 1))
    await asyncio.sleep(0.03)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    await stream.no_consumers()


async def test_a_reader_that_gives_up_before_its_consumer_is_made_leaves_none(stream: Stream) -> None:
    await stream.publish("a")
    stream.head = 2
    for turns in range(20):
        reading = asyncio.create_task(stream.fetch("a", 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
    await stream.no_consumers()


async def test_a_message_larger_than_may_be_published_by_now_is_read() -> None:
    async with NatsServer(settings="max_payload: 500000") as server, streaming(server.url) as stream:
        await stream.publish("a", data=b"1" * 400_000)
        server.settings = "max_payload: 20000"
        await server.restart()
        await become(stream.link, LinkState.CONNECTED)
        assert [entry.seq for entry in await stream.read_all(["a"], 0, PageLimit(5, 1, 5))] == [1]


async def test_a_consumer_that_was_deleted_is_made_anew(stream: Stream) -> None:
    await stream.publish(*["a"] * 10)
    page = await stream.fetch("a", 0, PageLimit(3, 1, 100))
    for name in await stream.consumers():
        await stream.js.ask(f"CONSUMER.DELETE.{stream.name}.{name}")
    assert [entry.seq for entry in await stream.read_all(["a"], page.upto, PageLimit(3, 10_000, 5))] == list(
        range(page.upto + 1, 11)
    )


async def test_a_log_that_cannot_be_read_is_an_error_in_time() -> None:
    async with streaming(shared().url, patience=0.3) as stream:
        await stream.publish("a")
        await stream.delete()
        with pytest.raises(SwarmwireError, match=r"could not be read for 0\.3 s: .*stream not found") as caught:
            await stream.fetch("a")
        assert caught.value.code is ErrorCode.UNAVAILABLE
        assert caught.value.retry_after_ms
        with pytest.raises(SwarmwireError):
            await stream.reads.find_last(Matcher(["a"]), 1)
        await stream.make()


async def test_a_server_that_is_behind_the_broker_is_asked_until_it_is_not(stream: Stream) -> None:
    await stream.publish("b")
    stream.head = 3
    reading = asyncio.create_task(stream.fetch("a"))
    page = await reading
    assert (page.entries, page.upto) == ([], 1)
    reading = asyncio.create_task(stream.fetch("a", 1))
    finding = asyncio.create_task(stream.reads.find_last(Matcher(["a"]), 1))
    await asyncio.sleep(0.05)
    assert not reading.done()
    assert not finding.done()
    await stream.publish("a", "b")
    page = await reading
    assert ([entry.seq for entry in page.entries], page.upto) == ([2], 3)
    assert await finding == 1


async def test_after_the_end_nothing_is_read_any_more(stream: Stream) -> None:
    await stream.publish("a")
    await stream.reads.close()
    await stream.reads.close()
    with pytest.raises(SwarmwireError, match="closed"):
        await stream.fetch("a")
