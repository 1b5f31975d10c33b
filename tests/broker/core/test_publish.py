"""Publishing: acks and errors with their ids, keys, echo, ephemeral events, what a topic may be."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Draft, Outcome
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .fakes import World


@pytest.mark.parametrize("request_id", [0, 1, -5, "1", "", "x" * 64, 2**53])
def test_an_ack_echoes_the_id_with_its_type_and_names_the_place(world: World, request_id: Any) -> None:
    client = world.client()
    [answer] = client.publish("a", {"n": 1}, id=request_id)
    if request_id == "":
        assert (answer["code"], answer["field"]) == ("INVALID_MESSAGE", "id")
    else:
        assert answer == {"type": "ack", "id": request_id, "seq": 1}
        assert type(answer["id"]) is type(request_id)


def test_without_an_id_nothing_is_answered_but_errors(world: World) -> None:
    client = world.client()
    assert client.publish("a") == []
    [error] = client.publish("a..b")
    assert (error["code"], error["field"]) == ("INVALID_TOPIC", "topic")
    assert "id" not in error
    assert world.engine.head == 1


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"topic": ""}, "INVALID_TOPIC", "topic"),
        ({"topic": "a.*"}, "INVALID_TOPIC", "topic"),
        ({"topic": "a b"}, "INVALID_TOPIC", "topic"),
        ({"topic": 7}, "INVALID_MESSAGE", "topic"),
        ({"topic": "$sys.daemon.started"}, "PERMISSION_DENIED", "topic"),
        ({"key": ""}, "INVALID_MESSAGE", "key"),
        ({"key": "k", "ephemeral": True}, "INVALID_MESSAGE", "key"),
        ({"clear": True, "ephemeral": True}, "INVALID_MESSAGE", "clear"),
        ({"key": "k" * 257}, "INVALID_MESSAGE", "key"),
        ({"key": "é" * 129}, "INVALID_MESSAGE", "key"),
        ({"headers": {f"h{n}": "" for n in range(33)}}, "INVALID_MESSAGE", "headers"),
        ({"headers": {"h": "x" * 8192}}, "INVALID_MESSAGE", "headers"),
        ({"headers": {"h": 1}}, "INVALID_MESSAGE", "headers[...]"),
        ({"from": "someone"}, "INVALID_MESSAGE", "from"),
        ({"client_id": "123456789012"}, "INVALID_MESSAGE", "client_id"),
        ({"echo": "yes"}, "INVALID_MESSAGE", "echo"),
    ],
)
def test_a_wrong_publish_gets_one_error_that_names_the_field_and_uses_no_place(
    world: World, fields: dict[str, Any], code: str, field: str
) -> None:
    client = world.client()
    [error] = client.say({"type": "publish", "topic": "a", "data": 1, "id": "p", **fields})
    assert (error["type"], error["id"], error["code"], error["field"]) == ("error", "p", code, field)
    assert world.engine.head == 0
    assert client.closed is None
    assert client.publish("a", id="q") == [{"type": "ack", "id": "q", "seq": 1}]


def test_data_is_required_and_null_is_a_value(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    [error] = client.say(type="publish", topic="a", id=1)
    assert (error["code"], error["field"], error["id"]) == ("INVALID_MESSAGE", "data", 1)
    [event] = client.publish("a", None)
    assert event["data"] is None


@pytest.mark.parametrize("data", [b"1e999", b"[" * 129 + b"]" * 129, b"[-1E+400]"])
def test_data_that_no_reader_could_hold_is_refused_by_its_id(world: World, data: bytes) -> None:
    client = world.client()
    [error] = client.say(b'{"type":"publish","topic":"a","id":3,"data":%b}' % data)
    assert (error["code"], error["field"], error["id"]) == ("INVALID_MESSAGE", "data", 3)
    assert world.engine.head == 0


def test_a_publishers_white_space_cannot_break_a_line(world: World) -> None:
    client = world.client()
    client.say(b'{"type":"publish","topic":"a","data":{"x":\r\n [1,\n2]}}')
    assert b"\n" not in world.log[0].payload
    assert b"\r" not in world.log[0].payload


def test_an_event_carries_what_was_published_and_who_the_broker_says_it_is_from(world: World) -> None:
    reader, writer = world.client(), world.client()
    reader.subscribe("a.#")
    writer.publish("a.b", {"x": [1, "é"]}, headers={"h": "v"})
    [event] = reader.take()
    assert event == {
        "type": "event",
        "topic": "a.b",
        "seq": 1,
        "ts": world.clock.now_ms(),
        "data": {"x": [1, "é"]},
        "from": f"anonymous:{writer.session.client_id}",
        "headers": {"h": "v"},
    }


def test_the_events_of_a_publisher_keep_its_order(world: World) -> None:
    reader, writer = world.client(), world.client()
    reader.subscribe("#")
    for n in range(50):
        writer.post({"type": "publish", "topic": f"t{n % 3}", "data": n})
    world.clock.settle()
    events = reader.took("event")
    assert [event["data"] for event in events] == list(range(50))
    assert [event["seq"] for event in events] == list(range(1, 51))


# ---- keys


def test_a_repeated_key_is_acked_with_the_first_place_and_reaches_nobody(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    client.publish("a", 1, id=1, key="k")
    assert client.publish("a", 2, id=2, key="k") == [{"type": "ack", "id": 2, "seq": 1, "duplicate": True}]
    assert world.engine.head == 1
    assert world.hub.stats.duplicates == 1


def test_a_key_belongs_to_the_instance_and_the_topic(world: World) -> None:
    client = world.client(instance="a" * 32)
    client.publish("a", key="k")
    assert "duplicate" not in client.publish("b", id=1, key="k")[0]
    assert "duplicate" not in world.client(instance="b" * 32).publish("a", id=1, key="k")[0]
    again = world.client(instance="a" * 32)
    assert again.publish("a", id=1, key="k")[0]["duplicate"] is True


def test_a_key_is_remembered_for_its_time_and_no_longer(world: World) -> None:
    world.client(instance="1" * 32).publish("a", key="k")
    world.clock.advance(world.hub.limits.dedupe_ms / 1000 - 0.1)
    client = world.client(instance="1" * 32)
    assert client.publish("a", id=1, key="k")[0]["duplicate"] is True
    world.clock.advance(0.2)
    assert "duplicate" not in client.publish("a", id=2, key="k")[0]


@pytest.mark.parametrize("limits", [Limits(dedupe_keys=1), Limits(dedupe_keys_per_subject=1)])
def test_a_full_table_of_keys_refuses_and_says_when_there_is_room(limits: Limits) -> None:
    world = World(limits)
    client = world.client()
    client.publish("a", key="k1")
    [error] = client.publish("a", id=9, key="k2")
    assert (error["code"], error["id"], error["field"]) == ("UNAVAILABLE", 9, "key")
    assert 0 < error["retry_after_ms"] <= limits.dedupe_ms
    assert client.publish("a", id=10, key="k1")[0]["duplicate"] is True
    [error] = client.publish("a", key="k3")
    assert error["code"] == "UNAVAILABLE"
    assert "id" not in error


# ---- echo


def test_a_publisher_without_echo_never_sees_its_own_events(world: World) -> None:
    own, other = world.client(instance="1" * 32), world.client(instance="2" * 32)
    for client in (own, other):
        client.subscribe("a")
    own.publish("a", 1, echo=False)
    own.publish("a", 2)
    assert [event["data"] for event in own.ever("event")] == [2]
    assert [event["data"] for event in other.ever("event")] == [1, 2]


@pytest.mark.parametrize("start", ["start", {"last": 9}, {"since_ms": 0}])
def test_nor_in_a_replay_nor_after_a_reconnect_of_the_same_instance(world: World, start: Any) -> None:
    own = world.client(instance="1" * 32)
    own.publish("a", 1, echo=False)
    own.publish("a", 2)
    own.session.lost()
    again = world.client(instance="1" * 32)
    again.subscribe({"pattern": "a", "from": start})
    assert [event["data"] for event in again.ever("event")] == [2]
    other = world.client()
    other.subscribe({"pattern": "a", "from": start})
    assert [event["data"] for event in other.ever("event")] == [1, 2]


@pytest.mark.parametrize("mode", ["drop_oldest", {"conflate_ms": 0}])
def test_nor_in_a_mode_with_a_position_of_its_own(world: World, mode: Any) -> None:
    own = world.client(instance="1" * 32)
    own.subscribe({"pattern": "#", "mode": mode})
    own.publish("a", 1, echo=False)
    own.publish("a", 2, echo=False, ephemeral=True)
    own.publish("b", 3)
    assert [event["data"] for event in own.ever("event")] == [3]


# ---- ephemeral


def test_an_ephemeral_event_has_no_place_and_is_not_kept(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    answers = client.publish("a", 1, id=5, ephemeral=True)
    assert answers[0] == {"type": "ack", "id": 5}
    assert answers[1]["data"] == 1
    assert "seq" not in answers[1]
    assert world.engine.head == 0
    for start in ("start", "latest"):
        client.subscribe({"pattern": "a", "from": start, "sub": start})
    assert client.ever("event") == [answers[1]]


@pytest.mark.parametrize("mode", ["all", "drop_oldest", {"conflate_ms": 0}])
def test_an_ephemeral_event_reaches_every_mode(world: World, mode: Any) -> None:
    client = world.client()
    client.subscribe({"pattern": "a", "mode": mode, "sub": "s"})
    client.publish("a", 1, ephemeral=True)
    [event] = client.ever("event")
    assert event["data"] == 1
    assert event.get("sub") == (None if mode == "all" else "s")


def test_an_ephemeral_event_is_skipped_for_a_lagging_client_and_counted() -> None:
    world = World(Limits(outbox_bytes=1_000))
    slow, writer = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    for n in range(20):
        writer.publish("a", n)
    assert slow.session.outbox.is_behind
    before = world.hub.stats.ephemeral_skipped
    writer.publish("a", "gone", ephemeral=True)
    assert world.hub.stats.ephemeral_skipped == before + 1
    slow.sink.drain()
    world.clock.settle()
    writer.publish("a", "seen", ephemeral=True)
    assert [event["data"] for event in slow.ever("event")] == [*range(20), "seen"]


# ---- a store that takes its time


class SlowEngine(MemoryEngine):
    """Decides an append only when a test says so."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.waiting: list[Draft] = []

    def append(self, draft: Draft) -> None:
        self.waiting.append(draft)

    def decide(self, outcome: Outcome | None = None) -> None:
        draft = self.waiting.pop(0)
        if outcome is None:
            super().append(draft)
        elif draft.done is not None:
            draft.done(outcome)


def test_an_id_still_in_use_is_a_conflict_for_any_request() -> None:
    world = World(engine_class=SlowEngine)
    client = world.client()
    assert client.publish("a", id=1) == []
    for request in (
        {"type": "publish", "topic": "a", "data": 2},
        {"type": "subscribe", "subscriptions": [{"pattern": "a"}]},
        {"type": "unsubscribe", "subs": ["a"]},
        {"type": "call", "method": "m"},
        {"type": "auth", "token": "t"},
    ):
        [error] = client.say({**request, "id": 1})
        assert (error["code"], error["field"], error["id"]) == ("CONFLICT", "id", 1), request
    assert client.publish("a", id="1") == []
    assert isinstance(world.engine, SlowEngine)
    assert len(world.engine.waiting) == 2
    world.engine.decide()
    world.clock.settle()
    assert client.take() == [{"type": "ack", "id": 1, "seq": 1}]
    assert client.publish("a", id=1) == []


def test_an_error_of_the_store_answers_the_publish_it_belongs_to() -> None:
    world = World(engine_class=SlowEngine)
    client = world.client()
    client.publish("a", id="p")
    assert isinstance(world.engine, SlowEngine)
    world.engine.decide(Outcome(error=SwarmwireError(ErrorCode.UNAVAILABLE, "The store is away.")))
    world.clock.settle()
    [error] = client.take()
    assert (error["code"], error["id"]) == ("UNAVAILABLE", "p")


def test_what_is_stored_after_its_publisher_left_is_still_delivered() -> None:
    world = World(engine_class=SlowEngine)
    reader, writer = world.client(), world.client()
    reader.subscribe("a")
    writer.publish("a", 1, id=1)
    writer.session.lost()
    assert isinstance(world.engine, SlowEngine)
    world.engine.decide()
    world.clock.settle()
    assert [event["data"] for event in reader.took("event")] == [1]
