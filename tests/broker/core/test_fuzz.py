"""Whatever a client sends: one answer to each request, nothing raised, nothing left behind."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.engines.memory import MemoryEngine

from .fakes import DeepEngine, EngineClass, RemoteEngine, World

TOPICS = st.sampled_from(["a", "a.b", "hooked", "b.c", "", "a..b", "*", "#", "a.#", "$sys.#", "a b", "é"])
WORDS = st.sampled_from(["s", "t", "", "latest", "now", "start", "drop_oldest", "disconnect", "all", "1"])
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([2**53, 2**64, -(10**70), 1.5, "b:1", "x" * 65, [], {}, [[]], {"cursor": "e:1"}, {"last": 2}]),
)

SHAPES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "hello": {"versions": st.just(["1"]), "client": st.just({"name": "f"})},
    "auth": {"token": WORDS},
    "subscribe": {
        "subscriptions": st.lists(
            st.fixed_dictionaries(
                {"pattern": TOPICS},
                optional={
                    "sub": WORDS,
                    "mode": st.one_of(WORDS, st.just({"conflate_ms": 0}), ODD),
                    "from": st.one_of(WORDS, ODD),
                    "queue_size": ODD,
                },
            ),
            max_size=3,
        )
    },
    "unsubscribe": {"subs": st.lists(st.one_of(WORDS, TOPICS), max_size=3)},
    "publish": {"topic": TOPICS, "data": st.one_of(WORDS, ODD)},
    "call": {"method": TOPICS},
    "cancel": {},
    "reply": {"data": ODD},
    "error": {"code": WORDS, "message": WORDS},
    "ping": {},
    "pong": {},
    "welcome": {},
}
EXTRAS = {
    "key": WORDS,
    "headers": st.one_of(st.just({"h": "v"}), ODD),
    "echo": ODD,
    "ephemeral": st.booleans(),
    "clear": st.booleans(),
    "from": ODD,
    "client_id": ODD,
    "ts": ODD,
    "params": ODD,
    "unknown": ODD,
}
ANSWERED = ("auth", "subscribe", "unsubscribe", "call")


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of any type, most often a valid one, sometimes with a field too many, too few or odd."""
    kind = draw(st.sampled_from(list(SHAPES)))
    message: dict[str, Any] = {"type": kind}
    for name, values in SHAPES[kind].items():
        message[name] = draw(values)
    for name in draw(st.lists(st.sampled_from(list(EXTRAS)), max_size=2)):
        message[name] = draw(EXTRAS[name])
    match draw(st.integers(0, 9)):
        case 0:
            message.pop(draw(st.sampled_from(list(message))))
        case 1:
            message[draw(st.sampled_from(list(message)))] = draw(ODD)
    return message


JSON = st.recursive(ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
RAW = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b'{"type":"publish","topic":"a","data":1e999}',
            b'{"type":"call","id":1,"method":"\\ud800"}',
            b"[" * 5000,
            b'{"type":"ping"' + b" " * 99,
        ]
    ),
)
STEPS = st.lists(
    st.one_of(messages(), messages(), messages(), RAW, st.sampled_from(["turn", "stall", "drain"])),
    min_size=8,
    max_size=40,
)


def outcome(world: World, steps: list[Any]) -> None:
    clients = [world.connect(), world.client()]
    reader = world.client()
    reader.subscribe("#", {"pattern": "#", "sub": "d", "mode": "drop_oldest", "queue_size": 1})
    asked: list[list[Any]] = [[], []]
    for number, step in enumerate(steps):
        client = clients[number % 2]
        if isinstance(step, bytes):
            client.post(step)
        elif isinstance(step, dict):
            if step.get("type") in (*ANSWERED, "publish") and "id" not in step:
                step = {**step, "id": number if number % 3 else f"n{number}"}
                asked[number % 2].append(step["id"])
            client.post(json.dumps(step).encode())
        else:
            {"turn": world.clock.turn, "stall": client.sink.stall, "drain": client.sink.drain}[step]()
    for client in clients:
        client.sink.drain()
    world.clock.advance(0.2)
    for client, ids in zip(clients, asked, strict=True):
        answers = Counter(
            repr(m["id"]) for m in client.sink.received if m["type"] in ("ack", "reply", "error") and "id" in m
        )
        if client.closed is None:
            assert answers == Counter(map(repr, ids))
        else:
            assert all(count == 1 for count in answers.values())
    assert reader.closed is None
    reader.take()
    assert reader.publish("sound", id="after")[0]["type"] == "ack"
    for client in (*clients, reader):
        client.session.lost()
    world.clock.advance(1)
    assert world.is_clean()
    assert world.clock.failures == []
    assert "INTERNAL_ERROR" not in world.hub.stats.errors


async def check(offered: Offered) -> bool:
    return bool(offered.value() != "t")


@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
@settings(max_examples=150, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, limited=st.booleans())
def test_every_request_is_answered_once_and_nothing_is_left(
    engine_class: EngineClass, steps: list[Any], limited: bool
) -> None:
    limits = Limits(
        log_events=5, outbox_bytes=2_000, page_scan=3, max_replays=1, control_messages=4, max_malformed=1_000
    )
    rates = Rates(client_messages=RateLimit(rate=5, burst=10)) if limited else None
    world = World(limits, rates, engine_class=engine_class)
    world.hub.route("hooked", check)
    outcome(world, steps)
