"""Looking for events in the log by their ids, and reading a stretch of a stream, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from swarmwire_broker.engines.base import Outcome
from swarmwire_broker.engines.entry import Draft
from swarmwire_broker.engines.nats.engine import NatsEngine
from swarmwire_broker.engines.nats.state import logsearch
from swarmwire_broker.engines.nats.state.journal import Place
from swarmwire_broker.engines.nats.state.logsearch import NatsEventLog
from swarmwire_broker.engines.nats.state.storage import StorageAway
from swarmwire_broker.engines.nats.state.stretch import pull
from swarmwire_broker.engines.nats.streams import topic_prefix
from swarmwire_broker.natslink import JetStream, LinkError
from swarmwire_protocol.codec import event_head, event_origin

from ....nats.servers import NatsServer, new_space
from .opening import nats_engine


class Rig:
    def __init__(self, engine: NatsEngine, space: str) -> None:
        self.engine = engine
        self.stream = f"swarmwire_{space}_log"
        self.prefix = topic_prefix(space)
        self.js = JetStream(engine.link)
        self.events = NatsEventLog(
            engine.link,
            self.js,
            publish=engine.window.publish,
            position=lambda: (engine.epoch, engine.head),
            stream=self.stream,
            prefix=self.prefix,
        )

    async def publish(self, topic: str, message_id: bytes) -> int:
        """Where the event stands."""
        decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        head, origin = event_head(topic), event_origin("alice")
        self.events.publish(Draft(topic, head, origin, b"1", done=decided.set_result), message_id)
        outcome = await decided
        assert outcome.error is None
        return outcome.seq

    def place(self, seq: int) -> Place:
        return Place(self.engine.epoch, seq)


@asynccontextmanager
async def rig(server: NatsServer) -> AsyncIterator[Rig]:
    space = new_space()
    async with nats_engine(server.url, space=space) as engine:
        yield Rig(engine, space)


async def test_events_are_found_by_their_ids_where_they_stand(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        places = {name: await log.publish(topic, name) for name, topic in ((b"1", "a"), (b"2", "b.>"), (b"3", "a"))}
        assert await log.events.find([b"1", b"2", b"3", b"4"], ["a", "b.>"], log.place(0)) == places
        assert await log.events.find([b"1", b"3"], ["a"], log.place(places[b"1"])) == {b"3": places[b"3"]}
        assert await log.events.find([b"1"], ["b.>"], log.place(0)) == {}
        assert await log.events.find([b"9"], ["nobody"], log.place(0)) == {}
        assert await log.events.find([], ["a"], log.place(0)) == {}
        assert await log.events.find([b"9"], ["a"], log.place(100)) == {}


async def test_a_place_in_another_log_says_nothing(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        place = await log.publish("a", b"1")
        assert await log.events.find([b"1"], ["a"], Place("another", 500)) == {b"1": place}


async def test_where_there_is_much_to_look_at_all_of_it_is_read_at_once(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logsearch, "_STEPS", 3)
    async with rig(nats_server) as log:
        places = [await log.publish("a", b"%d" % number) for number in range(20)]
        assert await log.events.find([b"15", b"99"], ["a"], log.place(0)) == {b"15": places[15]}
        assert await log.events.find([b"99"], ["a"], log.place(places[2])) == {}
        await log.js.ask(f"STREAM.PURGE.{log.stream}")
        assert await log.events.find([b"15"], ["a"], log.place(0)) == {}


async def test_a_log_that_is_gone_is_away(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        away = NatsEventLog(
            log.engine.link,
            log.js,
            publish=log.engine.window.publish,
            position=lambda: ("", 0),
            stream="swarmwire_nobody_log",
            prefix=log.prefix,
        )
        with pytest.raises(StorageAway):
            await away.find([b"1"], ["a"], Place("", 0))


async def test_a_stretch_is_read_from_its_beginning_to_its_end(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        places = [await log.publish(topic, b"%d" % n) for n, topic in enumerate(["a", "b", "a", "c"] * 5)]
        link, js, stream, prefix = log.engine.link, log.js, log.stream, log.prefix.decode()

        async def seqs(*topics: str, first: int = 1, batch: int = 3, headers_only: bool = False) -> list[int]:
            subjects = [prefix + topic for topic in topics]
            found = await pull(link, js, stream, subjects, first, batch=batch, headers_only=headers_only)
            assert all((each.payload == b"") is headers_only for each in found)
            return [each.seq for each in found]

        assert await seqs() == places
        assert await seqs(headers_only=True, batch=100) == places
        assert await seqs("a", first=places[2]) == places[2::2]
        assert await seqs("nobody") == []
        assert await seqs(first=places[-1] + 1) == []
        assert set(places[1::4]) <= set(await seqs("b", "c"))


async def test_a_stretch_ends_where_it_is_enough(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        places = [await log.publish("a", b"%d" % number) for number in range(10)]
        link, js = log.engine.link, log.js
        found = await pull(link, js, log.stream, [], 1, batch=4, is_enough=lambda each: each.seq >= places[5])
        assert [each.seq for each in found] == places[:6]


async def test_a_stretch_of_a_stream_that_is_not_there_is_an_error(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        with pytest.raises(LinkError):
            await pull(log.engine.link, log.js, "nobody", [], 1, batch=3)


async def test_an_event_that_is_published_again_under_its_id_is_there_once(nats_server: NatsServer) -> None:
    async with rig(nats_server) as log:
        first = await log.publish("a", b"1")
        assert await log.publish("a", b"1") == first
