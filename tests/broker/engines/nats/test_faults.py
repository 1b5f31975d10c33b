"""What the engine does when servers die, stall, forget and come back: with real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.nats import interest
from swarmwire_broker.engines.nats.engine import NatsEngine
from swarmwire_broker.natslink import LinkState
from swarmwire_protocol.errors import ErrorCode

from ....nats.servers import VERSIONS, NatsServer, Version, needs
from .load import Load, publish, published
from .opening import make_engine, nats_engine

WHOLE = PageLimit(1_000_000, 1 << 30, 1_000_000)


@pytest_asyncio.fixture(params=VERSIONS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[NatsServer]:
    """A server of the test's own, of each version."""
    async with NatsServer(request.param) as server:
        yield server


async def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - servers do it by themselves, and say nothing
            await asyncio.sleep(0.01)


def listening(engine: NatsEngine, *patterns: str) -> list[Entry]:
    """What the engine's listener hears from now on."""
    heard: list[Entry] = []
    engine.listener = heard.append
    for pattern in patterns:
        engine.interest(pattern, True)
    return heard


async def whole_log(engine: NatsEngine) -> list[Entry]:
    """All that the log holds at this moment, from the servers and not from memory."""
    await engine.refresh()
    found: list[Entry] = []
    after, until = 0, engine.head
    while after < until:
        page = await engine.fetch(Matcher(["#"]), after, WHOLE)
        found += page.entries
        after = page.upto
    return [entry for entry in found if entry.seq <= until]


async def caught_up(engine: NatsEngine, heard: list[Entry]) -> None:
    """Everything that was stored was heard, too."""
    await engine.refresh()
    last = (await engine._tending.look()).last
    await engine.refresh(last)
    assert engine.head >= last


async def test_a_server_that_is_killed_under_load_loses_and_doubles_nothing(server: NatsServer) -> None:
    async with nats_engine(server.url, space="kill") as engine:
        heard = listening(engine, "#")
        load = Load(engine)
        for _ in range(2):
            await load.more(300)
            await server.kill()
            await server.start()
        await load.more(300)
        await load.stop()
        await caught_up(engine, heard)
        load.check(heard)
        load.check(await whole_log(engine))
        assert [entry.payload for entry in heard] == [entry.payload for entry in await whole_log(engine)]


async def test_a_server_that_stalls_for_seconds_loses_and_doubles_nothing(server: NatsServer) -> None:
    async with nats_engine(server.url, space="stall") as engine:
        heard = listening(engine, "#")
        load = Load(engine)
        await load.more(300)
        server.pause()
        await eventually(lambda: engine.trouble is not None)
        server.go_on()
        await eventually(lambda: engine.trouble is None)
        await load.more(300)
        await load.stop()
        await caught_up(engine, heard)
        load.check(heard)
        load.check(await whole_log(engine))


async def test_without_a_server_publishes_are_refused_at_once_and_it_heals_by_itself(server: NatsServer) -> None:
    async with nats_engine(server.url, space="away") as engine:
        heard = listening(engine, "#")
        assert (await publish(engine, "a", b"1", key="k")).seq == 1
        await server.kill()
        waiting = asyncio.ensure_future(publish(engine, "a", b"2", key="k2"))
        await eventually(lambda: engine.trouble is not None)
        error = (await publish(engine, "a", b"3")).error
        assert error is not None
        assert (error.code, error.retry_after_ms) == (ErrorCode.UNAVAILABLE, 1_000)
        assert (await publish(engine, "a", b"1", key="k")).duplicate
        page = engine.read(Matcher(["#"]), 0, WHOLE)
        assert page is not None
        assert [entry.seq for entry in page.entries] == [1]
        await server.start()
        assert (await waiting).seq == 2
        await eventually(lambda: engine.trouble is None)
        assert (await publish(engine, "a", b"4")).seq == 3
        assert [published(entry) for entry in heard] == [1, 2, 4]


async def test_closing_while_the_server_is_away_takes_no_longer_than_it_may(server: NatsServer) -> None:
    engine = make_engine(server.url, space="close", close_timeout=0.5)
    await engine.start()
    assert (await publish(engine, "a", b"1")).seq == 1
    server.pause()
    await eventually(lambda: engine._follower._silent >= 2)  # now it has stopped
    waiting = asyncio.ensure_future(publish(engine, "a", b"2"))
    await asyncio.sleep(0)
    async with asyncio.timeout(4):
        await engine.close()
    error = (await waiting).error
    assert error is not None
    assert error.code is ErrorCode.OUTCOME_UNKNOWN
    error = (await publish(engine, "a", b"3")).error
    assert error is not None
    assert error.code is ErrorCode.SHUTTING_DOWN
    server.go_on()


async def test_a_stream_that_is_deleted_is_made_anew_and_is_another_log(server: NatsServer) -> None:
    async with nats_engine(server.url, space="gone") as engine:
        heard = listening(engine, "#")
        for number in range(5):
            assert (await publish(engine, "a", b"%d" % number, key=str(number))).seq == number + 1
        epochs: list[tuple[str, int]] = []
        engine.renewed = lambda: epochs.append((engine.epoch, engine.head))
        former = engine.epoch
        await engine._js.ask("STREAM.DELETE.swarmwire_gone_log")
        assert (await publish(engine, "a", b"7")).seq == 1
        again = await publish(engine, "a", b"8", key="1")
        assert (again.seq, again.duplicate) == (2, False)
        assert epochs == [(engine.epoch, 0)]
        assert engine.epoch != former
        assert (engine.head, engine.oldest) == (2, 1)
        assert [published(entry) for entry in heard] == [0, 1, 2, 3, 4, 7, 8]
        assert [published(entry) for entry in await whole_log(engine)] == [7, 8]
        page = engine.read(Matcher(["#"]), 0, WHOLE)
        assert page is not None
        assert [published(entry) for entry in page.entries] == [7, 8]


async def test_a_stream_that_somebody_else_makes_anew_is_noticed(server: NatsServer) -> None:
    async with nats_engine(server.url, space="other") as engine, nats_engine(server.url, space="other") as another:
        listening(engine, "#")
        listening(another, "#")
        for _ in range(5):
            await publish(engine, "a", b"1")
        renewed: list[str] = []
        engine.renewed = lambda: renewed.append("engine")
        another.renewed = lambda: renewed.append("another")
        await engine._js.ask("STREAM.DELETE.swarmwire_other_log")
        await eventually(lambda: len(renewed) == 2)
        assert sorted(renewed) == ["another", "engine"]
        assert engine.epoch == another.epoch
        assert (await publish(engine, "a", b"1")).seq == 1
        await another.refresh(1)
        assert another.head == 1


async def test_a_log_that_has_lost_what_it_had_acknowledged_is_another_log(server: NatsServer) -> None:
    async with nats_engine(server.url, space="lost") as engine:
        listening(engine, "#")
        await publish(engine, "a", b"1")
        former = engine.epoch
        engine.window.acked = 10  # as if there had been more
        renewed: list[bool] = []
        engine.renewed = lambda: renewed.append(True)
        await engine.refresh()
        assert renewed == [True]
        assert engine.epoch != former
        async with nats_engine(server.url, space="lost") as another:
            assert another.epoch == engine.epoch
        await engine.refresh()
        assert renewed == [True]


async def test_two_engines_hear_the_same_in_the_same_order(server: NatsServer) -> None:
    async with nats_engine(server.url, space="two") as one, nats_engine(server.url, space="two") as two:
        heard, also = listening(one, "#"), listening(two, "#")
        assert one.epoch == two.epoch
        loads = [Load(one, name="one"), Load(two, name="two")]
        await asyncio.gather(*(load.more(500) for load in loads))
        await asyncio.gather(*(load.stop() for load in loads))
        await caught_up(one, heard)
        await caught_up(two, also)
        parts = [(entry.seq, entry.ts, entry.topic, entry.payload) for entry in heard]
        assert parts == [(entry.seq, entry.ts, entry.topic, entry.payload) for entry in also]
        for load in loads:
            load.check([entry for entry in heard if entry.topic in load.stored])


async def test_a_consumer_that_is_deleted_is_made_anew_and_misses_nothing(server: NatsServer) -> None:
    async with nats_engine(server.url, space="consumer") as engine:
        heard = listening(engine, "#")
        load = Load(engine)
        for _ in range(2):
            await load.more(200)
            await engine._js.ask(f"CONSUMER.DELETE.swarmwire_consumer_log.{engine._follower._name}")
        await load.more(200)
        await load.stop()
        await caught_up(engine, heard)
        load.check(heard)


async def test_interest_that_comes_and_goes_under_load_misses_and_doubles_nothing(server: NatsServer) -> None:
    async with nats_engine(server.url, space="interest") as engine:
        heard = listening(engine, "load.p0")
        load = Load(engine, publishers=4)
        for round_ in range(10):
            await load.more(50)
            for pattern in (f"other.t{round_}", "load.p1", f"load.*.{round_}"):
                engine.interest(pattern, True)
            await load.more(50)
            engine.interest("load.p1", False)
        await load.stop()
        await caught_up(engine, heard)
        log = [entry for entry in await whole_log(engine) if entry.topic == "load.p0"]
        assert [entry.seq for entry in heard if entry.topic == "load.p0"] == [entry.seq for entry in log]
        seqs = [entry.seq for entry in heard]
        assert seqs == sorted(set(seqs))


async def test_interest_hears_all_from_the_place_where_it_began(server: NatsServer) -> None:
    async with nats_engine(server.url, space="begin") as engine, nats_engine(server.url, space="begin") as another:
        heard = listening(engine)
        load = Load(another, publishers=2)
        for pattern in ("load.p0", "load.#"):
            await load.more(100)
            begun = engine.head
            engine.interest(pattern, True)
            await load.more(100)
            heard_since = [entry for entry in heard if entry.seq > begun]
            await engine.refresh((await engine._tending.look()).last)
            log = [
                entry.seq
                for entry in await whole_log(engine)
                if begun < entry.seq <= engine.head and (pattern == "load.#" or entry.topic == pattern)
            ]
            since = {entry.seq for entry in heard if entry.seq > begun}
            assert [seq for seq in log if seq not in since and seq <= heard[-1].seq] == []
            assert heard_since == sorted(heard_since, key=lambda entry: entry.seq)
        await load.stop()


async def test_the_position_moves_over_what_nobody_wants(server: NatsServer) -> None:
    async with nats_engine(server.url, space="position") as engine:
        heard = listening(engine, "wanted.#")
        for _ in range(3):
            await publish(engine, "other", b"1")
        await eventually(lambda: engine.head == 3)
        await publish(engine, "other", b"1")
        await engine.refresh()
        assert engine.head == 4
        await publish(engine, "wanted", b"1")
        assert (engine.head, heard[-1].topic) == (5, "wanted")


async def test_a_broker_that_was_overtaken_says_what_it_has_missed(server: NatsServer) -> None:
    limits = Limits(log_events=200)
    async with (
        nats_engine(server.url, space="overtaken", limits=limits) as engine,
        nats_engine(server.url, space="overtaken", limits=limits) as another,
    ):
        heard = listening(engine, "#")
        await publish(engine, "a", b"0")
        story: list[tuple[int, int]] = []
        engine.missed = lambda upto: story.append((engine.head, upto))
        connection = engine.link._connection
        assert connection is not None
        engine._follower.again()  # it stands still until the next consumer is made
        connection.transport.pause_reading()
        for number in range(1_000):
            await publish(another, "a", b"%d" % number)
        connection.transport.resume_reading()
        await engine.refresh(1_001)
        assert engine.head == 1_001
        heard_or_missed = {entry.seq for entry in heard}
        for head, upto in story:
            heard_or_missed |= set(range(head + 1, upto + 1))
        assert heard_or_missed == set(range(1, 1_002))
        assert story


@pytest.mark.parametrize("pattern", ["burst.*", "#"])
async def test_what_a_short_log_lets_go_before_it_is_heard_is_told(server: NatsServer, pattern: str) -> None:
    limits = Limits(log_events=300)
    async with (
        nats_engine(server.url, space="short", limits=limits) as engine,
        nats_engine(server.url, space="short", limits=limits) as other,
    ):
        heard = listening(other, pattern)
        missed: list[range] = []
        other.missed = lambda upto: missed.append(range(other.head + 1, upto + 1))
        await publish(engine, "burst.0", b"1")
        await caught_up(other, heard)
        stored = await asyncio.gather(*(publish(engine, f"burst.{n % 10}", b"1") for n in range(10_000)))
        await caught_up(other, heard)
        seqs = [entry.seq for entry in heard]
        assert seqs == sorted(set(seqs))
        told = set(seqs).union(*missed)
        assert [outcome for outcome in stored if outcome.seq not in told] == []


@pytest.mark.parametrize("limits", [Limits(log_events=0), Limits(log_bytes=0)])
async def test_a_log_that_holds_nothing_is_heard_nevertheless(server: NatsServer, limits: Limits) -> None:
    async with (
        nats_engine(server.url, space="nothing", limits=limits) as engine,
        nats_engine(server.url, space="nothing", limits=limits) as other,
    ):
        heard = listening(other, "#")
        await publish(engine, "burst", b"1")
        await caught_up(other, heard)
        stored = await asyncio.gather(*(publish(engine, "burst", b"1") for _ in range(3_000)))
        await caught_up(other, heard)
        assert [entry.seq for entry in heard] == [1, *(outcome.seq for outcome in stored)]
        assert await whole_log(other) == []


async def test_a_broker_that_wanted_everything_once_is_not_sent_it_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interest, "_CALM_MS", 100)
    async with NatsServer() as server, nats_engine(server.url, space="once") as engine:
        heard = listening(engine, "few", "#")
        await publish(engine, "many", b"1")
        await caught_up(engine, heard)
        assert [entry.topic for entry in heard] == ["many"]
        restarts = engine.follower_restarts
        engine.interest("#", False)
        await eventually(lambda: engine.follower_restarts > restarts)
        await publish(engine, "many", b"1")
        await publish(engine, "few", b"1")
        await caught_up(engine, heard)
        assert [entry.topic for entry in heard] == ["many", "few"]


async def test_an_event_over_the_limit_of_the_server_is_refused_with_the_limit(server: NatsServer) -> None:
    async with nats_engine(server.url, space="large") as engine:
        error = (await publish(engine, "a", b"1" * (1 << 20))).error
        assert error is not None
        assert (error.code, error.field) == (ErrorCode.MESSAGE_TOO_LARGE, "data")
        assert str(1 << 20) in error.message
        assert (await publish(engine, "a", b"1")).seq == 1


async def test_a_link_that_is_cut_comes_back_and_nothing_is_missed(server: NatsServer) -> None:
    async with nats_engine(server.url, space="cut") as engine:
        heard = listening(engine, "#")
        load = Load(engine)
        for _ in range(3):
            await load.more(200)
            connection = engine.link._connection
            assert connection is not None
            connection.abort()
            await eventually(lambda: engine.link.state is LinkState.CONNECTED)
        await load.more(200)
        await load.stop()
        await caught_up(engine, heard)
        load.check(heard)
        load.check(await whole_log(engine))


@needs(Version.OLD, Version.NEWEST)
@pytest.mark.parametrize(("version", "whole"), [(Version.OLD, True), (Version.NEWEST, False)])
async def test_servers_that_can_filter_bring_only_what_is_wanted(version: Version, whole: bool) -> None:
    async with NatsServer(version) as server, nats_engine(server.url, space="filters") as engine:
        heard = listening(engine, "a.#")
        for topic in ("a", "b", "a.b", "c.d"):
            await publish(engine, topic, b"1")
        await engine.refresh(4)
        assert [entry.topic for entry in heard] == (["a", "b", "a.b", "c.d"] if whole else ["a", "a.b"])
        assert engine.head == 4
