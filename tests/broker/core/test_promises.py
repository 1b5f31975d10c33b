"""The promises as properties: whatever publishers, readers and sockets do, order holds and no loss is silent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine

from .fakes import DeepEngine, EngineClass, RemoteEngine, World
from .observer import Observer

TOPICS = ["a", "a.b", "a.c", "b", "b.c.d", "c"]
PATTERNS = ["#", "a", "a.*", "a.#", "*", "#.c.#", "b.#", "nobody"]
NAMES = ["x", "y", "z"]
CLIENTS = 3

Step = tuple[Any, ...]

_who = st.integers(0, CLIENTS - 1)
_mode = st.sampled_from(["all", "all", "disconnect", "drop_oldest", {"conflate_ms": 0}, {"conflate_ms": 5}])
_place = st.integers(0, 40)
_start = st.one_of(
    st.sampled_from(["now", "start", "latest"]),
    st.tuples(st.sampled_from(["cursor", "last", "since_ms"]), _place),
)
_publish = st.tuples(
    st.just("publish"), _who, st.sampled_from(TOPICS), st.sampled_from(["", "", "", "hide", "clear", "ephemeral"])
)
_subscribe = st.tuples(
    st.just("subscribe"),
    *(_who, st.sampled_from(NAMES), st.sampled_from(PATTERNS), _start, _mode, st.integers(0, 4)),
)
_burst = st.tuples(st.just("burst"), _who, st.sampled_from(TOPICS), st.integers(2, 25))
_steps = st.one_of(
    *(_publish, _publish, _burst, _burst, _subscribe),
    *(st.tuples(st.just("stall"), _who),) * 2,
    st.tuples(st.just("drain"), _who, st.one_of(st.none(), st.integers(50, 1500))),
    st.tuples(st.sampled_from(["turn", "turn", "settle"])),
    st.tuples(st.just("wait"), st.sampled_from([0.002, 0.06, 0.6])),
    st.tuples(st.just("unsubscribe"), _who, st.sampled_from(NAMES)),
    st.tuples(st.just("reconnect"), _who),
)
_plays = st.tuples(
    st.lists(_subscribe, min_size=3, max_size=6),
    st.lists(_steps, min_size=15, max_size=60),
).map(lambda parts: parts[0] + parts[1])


class Play:
    """Plays steps in a small world, where everything that can overflow does."""

    def __init__(self, engine_class: EngineClass, *, log_events: int, latest_topics: int) -> None:
        limits = Limits(
            log_events=log_events,
            latest_topics=latest_topics,
            outbox_bytes=800,
            outbox_total_bytes=2_000,
            page_bytes=300,
            page_scan=7,
            max_replays=2,
            heartbeat_ms=400,
            queue_size=3,
        )
        self.world = World(limits, engine_class=engine_class)
        self.numbers = 0
        self.observers = [self._observer(f"{who:032}") for who in range(CLIENTS)]

    def _observer(self, instance: str) -> Observer:
        return Observer(self.world, self.world.client(instance=instance), instance)

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def play(self, steps: list[Step]) -> None:
        for verb, *args in steps:
            getattr(self, verb)(*args)
            for who, observer in enumerate(self.observers):
                observer.read()
                if observer.client.closed is not None:
                    self.reconnect(who)

    def publish(self, who: int, topic: str, how: str) -> None:
        extra = {"hide": {"echo": False}, "clear": {"clear": True}, "ephemeral": {"ephemeral": True}}.get(how, {})
        self.observers[who].client.post({"type": "publish", "topic": topic, "data": "x" * 20, **extra})

    def burst(self, who: int, topic: str, count: int) -> None:
        for _ in range(count):
            self.publish(who, topic, "")

    def subscribe(self, who: int, name: str, pattern: str, start: Any, mode: Any, queue_size: int) -> None:
        if isinstance(start, tuple):
            start = {start[0]: self._given(*start)}
        wanted = {"sub": name, "pattern": pattern, "from": start, "mode": mode, "queue_size": queue_size}
        self.observers[who].subscribe(self._number(), wanted)

    def _given(self, kind: str, number: int) -> Any:
        if kind == "cursor":
            return self.world.cursor(min(number, self.world.engine.head))
        return self.world.clock.now_ms() - number * 10 if kind == "since_ms" else number

    def unsubscribe(self, who: int, name: str) -> None:
        self.observers[who].unsubscribe(self._number(), name)

    def stall(self, who: int) -> None:
        self.observers[who].client.sink.stall()

    def drain(self, who: int, size: int | None) -> None:
        self.observers[who].client.sink.drain(size)

    def reconnect(self, who: int) -> None:
        """The connection is cut: what the socket held never arrives."""
        observer = self.observers[who]
        observer.read()
        observer.client.session.lost()
        observer.reconnect(self.world.client(instance=observer.instance), self._number())

    def turn(self) -> None:
        self.world.clock.turn()

    def settle(self) -> None:
        self.world.clock.settle()

    def wait(self, seconds: float) -> None:
        for observer in self.observers:
            observer.client.post(b'{"type":"pong"}')
        self.world.clock.advance(seconds)

    def finish(self) -> None:
        """Everyone reads again, and all that is on its way arrives."""
        for _ in range(4):
            for who, observer in enumerate(self.observers):
                observer.client.sink.drain()
                observer.read()
                if observer.client.closed is not None:
                    self.reconnect(who)
            self.wait(0.2)
        for observer in self.observers:
            observer.check_end()
            observer.client.session.lost()
        self.world.clock.settle()
        assert self.world.is_clean()
        assert self.world.clock.failures == []


@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
@settings(max_examples=100, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=_plays,
    log_events=st.sampled_from([0, 4, 12, 1000]),
    latest_topics=st.sampled_from([0, 2, 100]),
)
def test_every_subscription_gets_every_event_once_and_in_order_or_a_gap_in_its_place(
    engine_class: EngineClass, steps: list[Step], log_events: int, latest_topics: int
) -> None:
    play = Play(engine_class, log_events=log_events, latest_topics=latest_topics)
    play.play(steps)
    play.finish()
