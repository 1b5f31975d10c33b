"""Publishes that one read brings are taken together, and each becomes what it would have become by itself."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.identity import Author
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_protocol.accelerators import PlainPublish
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions, Publish

from ..core.fakes import Client
from .durable import SQLITE
from .engines import MEMORY
from .world import Disk, Kind

_LIMITS = Limits(log_events=12, latest_topics=2, latest_bytes=400, outbox_bytes=800, control_messages=12)
_GRANTED = Permissions(publish=["a", "b.#"], subscribe=["#"])
_RATES = (
    None,
    Rates(client_messages=RateLimit(rate=1, burst=8), client_bytes=RateLimit(rate=100, burst=900)),
    Rates(topics={"b.#": RateLimit(rate=1, burst=2)}),
)
_OTHERS = (b'{"type":"ping","ts":1}', b"nonsense", b'{"type":"publish","topic":"a","data":[0],"echo":false}')
_BYE = b'{"type":"bye","code":1000,"reason":"done"}'
_MODES = ("all", "drop_oldest", {"conflate_ms": 100})


class Said(NamedTuple):
    """Publishes of one kind, one behind the other."""

    topic: str
    times: int = 1
    size: int = 0
    id: int | None = None
    key: str | None = None


class Scene(NamedTuple):
    """What there is beside a publisher, and whose eye is on each publish."""

    rates: Rates | None
    is_guarded: bool = False
    is_hooked: bool = False
    is_told: bool = False
    echoes: bool = False


_seldom = st.sampled_from([False, False, False, True])
_scenes = st.builds(Scene, st.sampled_from(_RATES), _seldom, _seldom, _seldom, _seldom)
_topics = st.sampled_from(["a", "a", "b", "b", "b.c", "b.c", "denied", "no..topic"])
_bare = st.builds(Said, _topics, st.integers(1, 6), st.integers(0, 150), st.none(), st.none())
_marked = st.builds(Said, _topics, st.just(1), st.just(0), st.sampled_from([None, 1, 2]), st.sampled_from([None, "k"]))
_others = st.sampled_from([*_OTHERS, *_OTHERS, _BYE])
_read = st.lists(_bare | _bare | _bare | _marked, min_size=1, max_size=6) | st.lists(_bare | _others, max_size=6)
_reads = st.lists(_read, min_size=1, max_size=3)


class House:
    """A broker with a publisher, one who reads and one who does not, and what is seen there."""

    def __init__(self, disk: Disk, scene: Scene) -> None:
        self.engine, self.clock = disk.open(), disk.clock
        self.hub = Hub(self.engine, self.clock, limits=_LIMITS, rates=scene.rates)
        self.seen: list[Any] = []
        self._deliver = self.engine.listener
        self._own = Author()
        self._own.permit(EVERYTHING)
        self.engine.listener = self._echo if scene.echoes else self._note
        if scene.is_guarded:
            self.hub.publishing.guard("b", self._guard)
        if scene.is_hooked:
            self.hub.publishing.hooks.route("b.c", self._hook)
        if scene.is_told:
            self.hub.signals.on("publish", lambda facts: self.seen.append(("told", facts["topic"], facts["data"])))
        self.clients = [self._client(number) for number in range(3)]
        self.publisher, reader, self.sleeper = self.clients
        for client in (reader, self.sleeper):
            client.subscribe(*({"sub": str(mode), "pattern": "#", "mode": mode} for mode in _MODES))
        self.sleeper.sink.stall()
        for topic in ("a", "b", "b.c", "denied"):  # they are known: nothing is taken together on a topic that is new
            self.hub.publishing.publish_plain(topic, b"[0]", self._own, None)
        self.clock.settle()

    def _client(self, number: int) -> Client:
        client = Client(self, Peer(transport="test"))  # type: ignore[arg-type]  # of a world, it needs what is here
        client.hello(instance=f"{number:032}")
        client.session.author.permit(_GRANTED)
        client.take()
        return client

    def _note(self, entry: Entry) -> None:
        self.seen.append(("event", entry.seq, entry.payload))
        self._deliver(entry)

    def _echo(self, entry: Entry) -> None:
        """Publish on the same topic while others are published there."""
        self._note(entry)
        if entry.topic == "a" and b"echo" not in entry.payload:
            self.hub.publishing.publish(Publish(topic="a", data=Raw(b'[0,"echo"]')), self._own, None)

    def _guard(self, topic: str, author: Author) -> None:
        self.seen.append(("guarded", topic))
        if author is not self._own and len(self.seen) % 3 == 0:
            raise SwarmwireError(ErrorCode.FENCED)

    def _hook(self, offered: Offered) -> None:
        self.seen.append(("hooked", offered.topic, offered.data))

    def outcome(self) -> str:
        """All that anybody has seen, and what is kept; names that are chosen by lot are made equal."""
        self.sleeper.sink.drain()
        self.clock.advance(1)
        engine, stats = self.engine, self.hub.stats
        page = engine.latest(Matcher(["#"]), 0, engine.head, PageLimit(1_000, 1_000_000, 1_000))
        counted = [getattr(stats, name) for name in ("publishes", "publish_bytes", "deliveries", "drops", "errors")]
        last = [entry.seq for entry in page.entries] if page is not None else None
        text = repr([self.seen, [client.take() for client in self.clients], counted])
        text += repr([engine.head, engine.oldest, engine.latest_floor, last])
        for client in self.clients:
            text = text.replace(client.session.client_id, "client")
        return text.replace(engine.epoch, "epoch")


def scanned(number: int, said: Said) -> tuple[bytes, PlainPublish]:
    """A publish, and how a transport hands it over that has scanned it."""
    data = json.dumps([number, "x" * said.size], separators=(",", ":")).encode()
    raw = b'{"type":"publish","topic":"%s","data":%s' % (said.topic.encode(), data)
    raw += b"" if said.id is None else b',"id":%d' % said.id
    raw += b"}" if said.key is None else b',"key":"%s"}' % said.key.encode()
    return raw, (len(raw), said.topic, data, said.id, said.key)


def read_of(said: list[Said | bytes]) -> list[tuple[bytes, bytes | PlainPublish]]:
    """Each message of a read, as it came and as a transport hands it over."""
    read: list[tuple[bytes, bytes | PlainPublish]] = []
    for each in said:
        if isinstance(each, bytes):
            read.append((each, each))
        else:
            read += [scanned(len(read), each) for _ in range(each.times)]
    return read


def outcome(kind: Kind, scene: Scene, reads: list[list[Said | bytes]], *, at_once: bool) -> str:
    """What becomes of some reads, each taken together or message by message."""
    disk = kind.disk(_LIMITS)
    try:
        house = House(disk, scene)
        session = house.publisher.session
        for read in map(read_of, reads):
            if at_once:
                session.receive_all([message for _, message in read])
            else:
                for raw, _ in read:
                    session.receive(raw)
            house.clock.settle()
        return house.outcome()
    finally:
        disk.close()


_READS = {
    "free": [[Said("a", 3, 20), Said("b", 2, 30)]],
    "concerned": [[Said("b", 2), Said("b.c", 3), Said("b", 2)]],
    "refused": [[Said("denied", 3), Said("no..topic", 2), Said("a", 2)]],
    "marked": [[Said("a", 2), Said("a", id=1), Said("a", key="k"), Said("a", key="k"), Said("a", 2)]],
    "waiting": [[Said("a", 2), Said("denied", 20), Said("a", 3), Said("b", 3)]],
    "too fast": [[Said("a", 20)], [Said("a", 6), _OTHERS[0]]],
    "ended": [[Said("a", 2), _BYE, Said("a", 3)]],
}
_SCENES = {
    "nobody": Scene(None),
    "limited": Scene(_RATES[1]),
    "limited by topic": Scene(_RATES[2]),
    "guarded": Scene(None, is_guarded=True),
    "hooked": Scene(None, is_hooked=True),
    "told": Scene(None, is_told=True),
    "echoed": Scene(None, echoes=True),
}


@pytest.mark.parametrize("kind", [MEMORY, SQLITE], ids=lambda kind: kind.name)
@pytest.mark.parametrize("scene", _SCENES)
@pytest.mark.parametrize("reads", _READS)
def test_a_read_of_publishes_is_what_they_are_one_by_one(kind: Kind, scene: str, reads: str) -> None:
    said: Any = _READS[reads]
    assert outcome(kind, _SCENES[scene], said, at_once=True) == outcome(kind, _SCENES[scene], said, at_once=False)


@settings(max_examples=100, deadline=None)
@given(_scenes, _reads)
def test_in_memory_any_reads_of_publishes_are_what_they_are_one_by_one(scene: Scene, reads: Any) -> None:
    assert outcome(MEMORY, scene, reads, at_once=True) == outcome(MEMORY, scene, reads, at_once=False)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_scenes, _reads)
def test_on_disk_any_reads_of_publishes_are_what_they_are_one_by_one(scene: Scene, reads: Any) -> None:
    assert outcome(SQLITE, scene, reads, at_once=True) == outcome(SQLITE, scene, reads, at_once=False)
