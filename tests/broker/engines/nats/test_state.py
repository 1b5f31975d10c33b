"""The state on real servers: answers that are lost, servers and brokers that are killed, several that write."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from swarmwire_broker.engines.base import PageLimit, Put, Stored
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.nats.engine import EngineMismatch, NatsEngine
from swarmwire_broker.natslink import JetStream
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ....history.proxy import Proxy
from ....nats.cluster import NatsCluster
from ....nats.servers import VERSIONS, NatsServer, Version, needs, new_space
from .opening import make_engine, nats_engine, remove_streams
from .stateprocess import change

WHOLE = PageLimit(1_000_000, 1 << 30, 1_000_000)
ROOT = Path(__file__).parents[4]
MEGABYTE = 1024 * 1024


@pytest_asyncio.fixture(params=VERSIONS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[NatsServer]:
    """A server of the test's own, of each version."""
    async with NatsServer(request.param) as server:
        yield server


@asynccontextmanager
async def pair(server: NatsServer) -> AsyncIterator[tuple[NatsEngine, NatsEngine]]:
    """Two brokers of one space."""
    space = new_space()
    async with nats_engine(server.url, space=space) as one, nats_engine(server.url, space=space) as other:
        yield one, other
        await remove_streams(one, space)


async def events_of(engine: NatsEngine) -> dict[str, list[bytes]]:
    """The events that changes of `stateprocess` have left in the log, by the name of the change."""
    await engine.refresh()
    page = await engine.fetch(Matcher(["tx.*"]), 0, WHOLE)
    found: dict[str, list[bytes]] = {}
    for entry in page.entries:
        found.setdefault(entry.topic.removeprefix("tx."), []).append(entry.payload[-2:-1])
    return found


async def marks_of(engine: NatsEngine) -> set[str]:
    return {key.removeprefix("mark.") for key, _ in await engine.scan("mark.")}


async def check(engine: NatsEngine, done: set[str], not_done: set[str]) -> None:
    """What was said to be done is there, once, with its events in order; what was said not to be is not."""
    marks, events = await marks_of(engine), await events_of(engine)
    assert done <= marks
    assert not not_done & marks
    assert events.keys() == marks
    assert all(found == [b"0", b"1"] for found in events.values())


async def outcome(engine: NatsEngine, *puts: Put) -> SwarmwireError | int:
    try:
        return await engine.transact(puts)
    except SwarmwireError as error:
        return error


async def deafen(proxy: Proxy, engine: NatsEngine) -> None:
    """Nothing that the server says reaches the engine from now on, and all that the engine says the server."""
    proxy.down.stall()
    # The proxy carries on what it was waiting for already: this is it.
    await engine.get("a")


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - servers do it by themselves, and say nothing
            await asyncio.sleep(0.01)


# ---- one after the other, and together


async def test_what_one_broker_has_written_another_reads_at_once(nats_server: NatsServer) -> None:
    async with pair(nats_server) as (one, other):
        assert await other.get("a") is None
        for number in range(20):
            revision = await one.transact([Put("a", b"%d" % number)])
            assert await other.get("a") == Stored(b"%d" % number, revision)


async def test_two_brokers_that_write_at_once_both_get_on(nats_server: NatsServer) -> None:
    async with pair(nats_server) as engines:

        async def count(engine: NatsEngine, times: int) -> None:
            while times:
                stored = await engine.get("count")
                number, revision = (int(stored.value), stored.revision) if stored is not None else (0, 0)
                told = await outcome(engine, Put("count", b"%d" % (number + 1), revision))
                times -= isinstance(told, int)

        async with asyncio.timeout(30):
            await asyncio.gather(*(count(engine, 50) for engine in engines))
        stored = await engines[0].get("count")
        assert stored is not None
        assert stored.value == b"100"


async def test_a_seizure_fences_whoever_wrote_before(nats_server: NatsServer) -> None:
    async with pair(nats_server) as (one, other):
        await one.state.seize()
        assert isinstance(await outcome(one, Put("a", b"1")), int)
        await other.state.seize()
        told = await outcome(one, Put("a", b"2"))
        assert isinstance(told, SwarmwireError)
        assert (told.code, one.state.is_deposed) == (ErrorCode.UNAVAILABLE, True)
        assert isinstance(await outcome(other, Put("a", b"3")), int)


async def test_a_watcher_hears_of_changes_without_asking(nats_server: NatsServer) -> None:
    async with pair(nats_server) as (writer, watcher):
        heard: list[tuple[str, bytes | None]] = []
        await writer.transact([Put("a.1", b"1"), Put("b", b"")])
        await watcher.state.watch("a.", lambda key, stored: heard.append((key, stored and stored.value)))
        for number in range(50):
            await writer.transact([Put("a.2", b"%d" % number), Put("b", b"")])
        await writer.transact([Put("a.1", None)])
        await until(lambda: len(heard) == 52)
        assert heard == [("a.1", b"1"), *(("a.2", b"%d" % number) for number in range(50)), ("a.1", None)]


# ---- limits


async def test_a_value_that_the_server_does_not_take_is_refused_and_names_the_limit(nats_server: NatsServer) -> None:
    async with nats_engine(nats_server.url) as engine:
        told = await outcome(engine, Put("a", b"x" * MEGABYTE))
        assert isinstance(told, SwarmwireError)
        assert told.code is ErrorCode.MESSAGE_TOO_LARGE
        assert str(MEGABYTE - 2_048) in told.message
        assert isinstance(await outcome(engine, Put("a", b"x" * (MEGABYTE - 3_000))), int)
        # As many as do not fit into one message wait for one another.
        together = await asyncio.gather(*(outcome(engine, Put(f"k{n}", b"x" * (MEGABYTE // 3))) for n in range(8)))
        assert all(isinstance(each, int) for each in together)


async def test_a_snapshot_takes_nothing_from_a_journal_that_begins_with_a_large_value(nats_server: NatsServer) -> None:
    space = new_space()
    async with nats_engine(nats_server.url, space=space) as engine:
        for number in range(5):
            await engine.transact([Put(f"k{number}", b"x" * (MEGABYTE - 3_000))])
        values = await engine.scan("")
    async with nats_engine(nats_server.url, space=space) as other:
        assert await other.scan("") == values
        assert len(values) == 5
        await remove_streams(other, space)


async def test_the_journal_is_bounded_by_snapshots(nats_server: NatsServer) -> None:
    space = new_space()
    async with nats_engine(nats_server.url, space=space) as engine:
        most = 0
        for _ in range(20):
            await asyncio.gather(*(engine.transact([Put(f"k{n}", b"x" * 1_000)]) for n in range(200)))
            most = max(most, await stored_bytes(engine, space))
        values = await engine.scan("")
        assert most < 2 * MEGABYTE, "of four that were written"
    async with nats_engine(nats_server.url, space=space) as other:
        assert await other.scan("") == values
        await remove_streams(other, space)


async def stored_bytes(engine: NatsEngine, space: str) -> int:
    info = await JetStream(engine.link).ask(f"STREAM.INFO.swarmwire_{space}_state")
    size: int = info["state"]["bytes"]
    return size


# ---- what is lost


async def test_an_answer_that_is_lost_is_found_in_the_journal(server: NatsServer) -> None:
    async with (
        Proxy(server.port, draw=Random(1)) as proxy,
        nats_engine(f"nats://127.0.0.1:{proxy.port}", space="lost") as engine,
        nats_engine(server.url, space="lost") as other,
    ):
        await engine.transact([Put("a", b"1")])
        await deafen(proxy, engine)
        work = asyncio.create_task(engine.transact([Put("a", b"2", 1)]))
        await value(other, Stored(b"2", 2))
        assert not work.done()
        proxy.reset()
        proxy.clear()
        async with asyncio.timeout(8):
            assert await work == 2
        assert await other.get("a") == Stored(b"2", 2)


async def test_what_is_lost_for_long_is_unknown_and_the_next_read_tells(server: NatsServer) -> None:
    async with (
        Proxy(server.port, draw=Random(1)) as proxy,
        nats_engine(f"nats://127.0.0.1:{proxy.port}", space="unknown") as engine,
    ):
        await engine.transact([Put("a", b"1")])
        await deafen(proxy, engine)
        engine.state._patience = 1.0
        told = await outcome(engine, Put("a", b"2", 1))
        assert isinstance(told, SwarmwireError)
        assert told.code is ErrorCode.OUTCOME_UNKNOWN
        engine.state._patience = 10.0
        proxy.reset()
        proxy.clear()
        await until(lambda: not engine.state._storage.is_away)
        assert await engine.get("a") == Stored(b"2", 2), "the server had it all the time"


async def value(engine: NatsEngine, wanted: Stored | None) -> None:
    """Wait until the key "a" has this value."""
    async with asyncio.timeout(10):
        while await engine.get("a") != wanted:  # noqa: ASYNC110 - the others say nothing
            await asyncio.sleep(0.01)


async def test_while_the_server_is_away_changes_are_refused_at_once_and_afterwards_made(server: NatsServer) -> None:
    async with nats_engine(server.url, space="away") as engine:
        await engine.transact([Put("a", b"1")])
        await server.kill()
        await until(lambda: engine.state._storage.is_away)
        began = time.monotonic()
        told = await outcome(engine, Put("a", b"2"))
        assert isinstance(told, SwarmwireError)
        assert (told.code, told.retry_after_ms) == (ErrorCode.UNAVAILABLE, 1_000)
        with pytest.raises(SwarmwireError, match="UNAVAILABLE"):
            await engine.get("a")
        assert time.monotonic() - began < 0.5
        await server.start()
        await until(lambda: not engine.state._storage.is_away)
        assert await engine.get("a") == Stored(b"1", 1)
        assert await engine.transact([Put("a", b"3", 1)]) == 2


class Load:
    """Changes with events, as many as can be made by sixteen at once, and what was said of each."""

    def __init__(self, engine: NatsEngine) -> None:
        self.done: set[str] = set()
        self.not_done: set[str] = set()
        self._engine = engine
        self._ends = False
        self._works = [asyncio.create_task(self._work(who)) for who in range(16)]

    async def _work(self, who: int) -> None:
        number = 0
        while not self._ends:
            number += 1
            name = f"{who}-{number}"
            try:
                await self._engine.transact(*change(name))
            except SwarmwireError as error:
                if error.code is not ErrorCode.OUTCOME_UNKNOWN:
                    self.not_done.add(name)
                await asyncio.sleep(0.05)
            else:
                self.done.add(name)

    async def more(self, count: int) -> None:
        """Wait until so many more are done."""
        goal = len(self.done) + count
        await until(lambda: len(self.done) >= goal, 30.0)

    async def stop(self) -> None:
        self._ends = True
        await asyncio.gather(*self._works)


async def test_a_server_that_is_killed_under_load_loses_and_doubles_no_change(server: NatsServer) -> None:
    async with nats_engine(server.url, space="load") as engine:
        load = Load(engine)
        for _ in range(2):
            await load.more(200)
            await server.kill()
            await server.start()
        await load.more(200)
        await load.stop()
        async with nats_engine(server.url, space="load") as other:
            await other.state.seize()
            await check(other, load.done, load.not_done)


@pytest.mark.parametrize("version", [pytest.param(version, marks=needs(version)) for version in Version])
async def test_a_leader_that_is_killed_under_load_loses_and_doubles_no_change(version: Version) -> None:
    async with NatsCluster(version) as cluster, nats_engine(*cluster.urls, space="leader") as engine:
        load = Load(engine)
        await load.more(500)
        leader = await cluster.leader_of("swarmwire_leader_state")
        await leader.kill()
        await load.more(500)
        await leader.start()
        await load.more(500)
        await load.stop()
        async with nats_engine(*cluster.urls, space="leader") as other:
            await other.state.seize()
            await check(other, load.done, load.not_done)


async def test_a_broker_that_is_killed_leaves_no_change_without_its_events(server: NatsServer) -> None:
    done: set[str] = set()
    for life in ("a", "b", "c"):
        command = [sys.executable, "-m", "tests.broker.engines.nats.stateprocess", server.url, "killed", life]
        broker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
        assert broker.stdout is not None
        told = [await broker.stdout.readline() for _ in range(150)]
        broker.kill()
        told += (await broker.stdout.read()).splitlines(keepends=True)
        await broker.wait()
        for line in told:
            if line.endswith(b"\n"):
                word, name = line.decode().split()
                assert word == "done"
                done.add(name)
        async with nats_engine(server.url, space="killed") as other:
            await other.state.seize()
            await check(other, done, set())
    assert len(done) >= 400


# ---- streams that are not as they should be


async def test_a_stream_that_is_another_is_named_with_what_differs(nats_server: NatsServer) -> None:
    space = new_space()
    async with nats_engine(nats_server.url, space=space) as engine:
        js = JetStream(engine.link)
        name = f"swarmwire_{space}_state"
        config = (await js.ask(f"STREAM.INFO.{name}"))["config"]
        await js.ask(f"STREAM.UPDATE.{name}", config | {"max_msgs": 7})
        other = make_engine(nats_server.url, space=space)
        with pytest.raises(EngineMismatch, match=f"{name} is not as .* max_msgs is 7 instead of -1"):
            await other.start()
        await js.ask(f"STREAM.UPDATE.{name}", config | {"description": "something else"})
        with pytest.raises(EngineMismatch, match=f"{name} is no state of swarmwire in format 1: 'something else'"):
            await make_engine(nats_server.url, space=space).start()
        await remove_streams(engine, space)


async def test_a_state_that_is_deleted_is_empty_and_goes_on(nats_server: NatsServer) -> None:
    space = new_space()
    async with nats_engine(nats_server.url, space=space) as engine:
        deposed: list[bool] = []
        engine.state.on_deposed = lambda: deposed.append(True)
        await engine.state.seize()
        last = await engine.transact([Put("a", b"1")])
        await JetStream(engine.link).ask(f"STREAM.DELETE.swarmwire_{space}_state")
        await value(engine, None)
        assert deposed == [True]
        assert isinstance(await outcome(engine, Put("a", b"2")), SwarmwireError)
        await engine.state.seize()
        assert await engine.transact([Put("a", b"2", 0)]) > last
        await remove_streams(engine, space)
