"""The promises hold while the broker's clock is set back and forth under it."""

from __future__ import annotations

import random

import pytest

from swarmwire_broker.core.settings import Limits

from ..broker.core import fakes
from ..broker.core.fakes import Client, FakeClock, Message, World
from .checker import check
from .history import History
from .records import (
    Acked,
    Complete,
    Connected,
    Missed,
    Mode,
    Publishing,
    Seen,
    Settled,
    Setup,
    Start,
    Subscribed,
    Subscribing,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TOPICS = ("a.x", "a.y", "b.x", "c")
PATTERNS = ("#", "a.*", "*.x")
MODES: tuple[Mode, ...] = ("all", "all", "drop_oldest", "conflate")
STARTS: tuple[Start, ...] = ("now", "start", "latest", "last", "since", "since")


class JumpingClock(FakeClock):
    """Its time of day can be set; the time that timers run by goes on as it does."""

    offset_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.offset_ms


class Reader:
    """A client with one subscription."""

    def __init__(self, client: Client, asked: Subscribing) -> None:
        self.client = client
        self.asked = asked


class Rush:
    """A hub, publishers that repeat themselves, readers of every kind, and a clock that jumps."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._at = 0.0
        limits = Limits(heartbeat_ms=DAY_MS, outbox_bytes=400, page_bytes=400, page_scan=5)
        self.world = World(limits)
        assert isinstance(self.world.clock, JumpingClock)
        self.clock = self.world.clock
        self.history = History()
        self._epoch = self.world.engine.epoch
        self.history.add(Setup(at=0, engine="memory", latest_topics=limits.latest_topics))
        self._publishers = [self.world.client(instance=f"{number:032}") for number in range(2)]
        self._published: list[tuple[int, str, int]] = []
        self._readers: list[Reader] = []

    def _now(self) -> float:
        self._at += 1
        return self._at

    def publish(self) -> None:
        """Publish something new."""
        who, topic = self._draw.randrange(2), self._draw.choice(TOPICS)
        number = len(self._published) + 1
        self._published.append((who, topic, number))
        self.history.add(Publishing(at=self._now(), client=f"p{who}", number=number, topic=topic, digest=number))
        self._send(who, topic, number)

    def repeat(self) -> None:
        """Publish again what was published before, as after a lost acknowledgement."""
        if self._published:
            self._send(*self._draw.choice(self._published))

    def _send(self, who: int, topic: str, number: int) -> None:
        told = self._publishers[who].publish(topic, {"number": number}, id=number, key=f"k{number}")
        (ack,) = (message for message in told if message["type"] == "ack")
        place = Acked(at=self._now(), client=f"p{who}", number=number, epoch=self._epoch, seq=ack["seq"])
        self.history.add(place)

    def jump(self) -> None:
        """Set the clock by up to an hour, back or forth."""
        self.clock.offset_ms += self._draw.randint(-HOUR_MS, HOUR_MS)

    def subscribe(self) -> None:
        start, mode = self._draw.choice(STARTS), self._draw.choice(MODES)
        value = {"last": self._draw.randint(0, 9), "since": self.clock.now_ms() - self._draw.randint(0, 2 * HOUR_MS)}
        name = f"r{len(self._readers)}"
        asked = Subscribing(
            at=self._now(),
            client=name,
            sub="s",
            pattern=self._draw.choice(PATTERNS),
            mode=mode,
            start=start,
            value=value.get(start),
        )
        reader = Reader(self.world.client(instance=f"{name:0>32}"), asked)
        self.history.add(Connected(at=asked.at, client=name, epoch=self._epoch))
        self.history.add(asked)
        self._readers.append(reader)
        self._note(reader, reader.client.subscribe(_wanted(asked)))

    def read(self) -> None:
        """Some readers stop reading, some take a little, some take all there is."""
        for reader in self._readers:
            match self._draw.randrange(4):
                case 0:
                    reader.client.sink.stall()
                case 1:
                    reader.client.sink.drain(self._draw.randint(1, 500))
                case 2:
                    reader.client.sink.drain()
        self.clock.advance(self._draw.choice((0.0, 0.001, 0.1)))
        self._collect()

    def settle(self) -> None:
        for reader in self._readers:
            reader.client.sink.drain()
        self.clock.advance(1.0)
        self._collect()
        self.history.add(Settled(at=self._now()))

    def _collect(self) -> None:
        for reader in self._readers:
            self._note(reader, reader.client.take())

    def _note(self, reader: Reader, messages: list[Message]) -> None:
        for message in messages:
            self._note_one(reader.asked, message)

    def _note_one(self, asked: Subscribing, message: Message) -> None:
        at, client, sub, add = self._now(), asked.client, asked.sub, self.history.add
        match message["type"]:
            case "ack":
                cursor = None if asked.start == "latest" else message["results"][0]["cursor"]
                add(Subscribed(at=at, client=client, sub=sub, cursor=cursor))
            case "live":
                add(Complete(at=at, client=client, sub=sub))
            case "gap":
                ends = {"start": message["from"], "end": message["to"]}
                add(Missed(at=at, client=client, sub=sub, **ends, reason=message["reason"], dropped=message["dropped"]))
            case "event":
                number = message["data"]["number"]
                add(
                    Seen(
                        at=at,
                        client=client,
                        sub=sub,
                        topic=message["topic"],
                        epoch=self._epoch,
                        seq=message["seq"],
                        number=number,
                        digest=number,
                        ts=message["ts"],
                        skipped=message.get("skipped"),
                    )
                )


def _wanted(asked: Subscribing) -> Message:
    start = {"last": {"last": asked.value}, "since": {"since_ms": asked.value}}.get(asked.start, asked.start)
    mode = {"conflate_ms": 20} if asked.mode == "conflate" else asked.mode
    return {"pattern": asked.pattern, "sub": asked.sub, "from": start, "mode": mode, "queue_size": 3}


@pytest.mark.parametrize("seed", range(15))
def test_every_promise_is_kept_while_the_clock_jumps(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes, "FakeClock", JumpingClock)
    draw = random.Random(seed)
    rush = Rush(draw)
    steps = (rush.publish, rush.publish, rush.publish, rush.repeat, rush.jump, rush.read, rush.read)
    for _ in range(6):
        rush.subscribe()
        for _ in range(40):
            draw.choice(steps)()
    rush.settle()
    assert [str(violation) for violation in check(rush.history.records)] == []
