"""What is bounded on the way in: the control lane, malformed messages, rates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_protocol.accelerators import PlainPublish
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError

from .fakes import Client, World

# ---- the control lane


def fill_control(client: Client, count: int) -> None:
    for n in range(count):
        client.post({"type": "publish", "topic": "a", "data": n, "id": n})
        client.world.clock.settle()


@pytest.mark.parametrize(
    "limits", [Limits(outbox_bytes=100, control_messages=5), Limits(outbox_bytes=100, control_bytes=200)]
)
def test_a_full_control_lane_pauses_reading_and_keeps_the_order_of_what_came(limits: Limits) -> None:
    world = World(limits)
    client = world.client()
    client.sink.stall()
    fill_control(client, 40)
    assert not client.sink.is_reading
    assert len(client.session.outbox.control) < 10
    decided = world.engine.head
    assert decided < 15
    for _ in range(60):
        client.sink.drain(200)
        world.clock.settle()
    client.sink.drain()
    world.clock.settle()
    assert client.sink.is_reading
    assert [ack["id"] for ack in client.ever("ack")] == list(range(40))
    assert [entry.seq for entry in world.log] == list(range(1, 41))
    fill_control(client, 1)
    assert client.ever("ack")[-1]["id"] == 0


def test_a_full_control_lane_of_one_client_pauses_nobody_else() -> None:
    world = World(Limits(outbox_bytes=100, control_messages=2))
    stuck, other = world.client(), world.client()
    stuck.sink.stall()
    fill_control(stuck, 20)
    assert not stuck.sink.is_reading
    assert other.sink.is_reading
    assert other.publish("b", id=1)[0]["type"] == "ack"


def test_a_client_lost_while_its_reading_was_paused_leaves_nothing() -> None:
    world = World(Limits(outbox_bytes=100, control_messages=2))
    client = world.client()
    client.subscribe("a")
    client.sink.stall()
    fill_control(client, 20)
    client.session.lost()
    client.session.resumed()
    world.clock.settle()
    assert world.is_clean()


# ---- malformed messages


@pytest.mark.parametrize(
    ("raw", "request_id", "field"),
    [
        (b"", None, None),
        (b"nonsense", None, None),
        (b"[]", None, None),
        (b"null", None, None),
        (b'{"type":"fly","id":3}', 3, "type"),
        (b'{"id":"x"}', "x", "type"),
        (b'{"type":"welcome","id":1}', 1, "type"),
        (b'{"type":"unsubscribe","id":"u"}', "u", "subs"),
        (b'{"type":"unsubscribe","id":{"a":1},"subs":[]}', None, "id"),
        (b'{"type":"unsubscribe","subs":["a"]}', None, "id"),
        (b'{"type":"ping","ts":1e999}', None, "ts"),
        (b'{"type":"call","id":"b:1","method":"m"}', "b:1", "id"),
        (b"[" * 100_000, None, None),
    ],
)
def test_a_malformed_message_gets_one_error_and_the_connection_stays(
    world: World, raw: bytes, request_id: Any, field: str | None
) -> None:
    client = world.client()
    [error] = client.say(raw)
    assert (error["type"], error["code"]) == ("error", "INVALID_MESSAGE")
    assert error.get("id") == request_id
    assert error.get("field") == field
    assert client.closed is None
    assert client.say(type="ping", ts=1) == [{"type": "pong", "ts": 1}]


def test_what_the_transport_could_not_read_is_an_error_too(world: World) -> None:
    client = world.client()
    client.session.malformed("Expected a text message, got a binary one.", 10)
    world.clock.settle()
    [error] = client.take()
    assert error["code"] == "INVALID_MESSAGE"
    assert client.closed is None


def test_what_ends_a_connection_is_error_bye_and_close(world: World) -> None:
    client = world.client()
    client.session.fail(SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE), CloseCode.TOO_BIG)
    assert [(message["type"], message["code"]) for message in client.take()] == [
        ("error", "MESSAGE_TOO_LARGE"),
        ("bye", 1009),
    ]
    assert client.closed == 1009


MALFORMED = [
    b"nonsense",
    b'{"type":"publish","topic":"a","data":1e999}',
    b'{"type":"publish","topic":"a","data":1,"key":""}',
    b'{"type":"subscribe","id":1,"subscriptions":[]}',
    b'{"type":"subscribe","id":1,"subscriptions":[{"pattern":"a","mode":"x"}]}',
]


@pytest.mark.parametrize("raw", MALFORMED)
def test_a_flood_of_malformed_messages_closes(raw: bytes) -> None:
    world = World(Limits(max_malformed=10))
    client = world.client()
    for _ in range(10):
        client.say(raw)
    assert client.closed is None
    client.say(raw)
    assert client.closed == 1008
    assert client.ever("bye")[0]["code"] == 1008


def test_malformed_messages_now_and_then_are_borne_for_ever() -> None:
    world = World(Limits(max_malformed=2))
    client = world.client()
    for _ in range(50):
        client.say(b"nonsense")
        world.clock.advance(1)
    assert client.closed is None


# ---- rates


def limited(**limits: Any) -> World:
    return World(rates=Rates(**limits))


def test_over_the_rate_a_request_is_refused_by_its_id_with_the_time_to_wait() -> None:
    world = limited(client_messages=RateLimit(rate=2, burst=3))
    client = world.client()
    for n in range(3):
        assert client.publish("a", id=n)[0]["type"] == "ack"
    [error] = client.publish("a", id=3)
    assert (error["code"], error["id"], error["retry_after_ms"]) == ("RATE_LIMIT_EXCEEDED", 3, 500)
    assert client.closed is None
    assert world.engine.head == 3
    world.clock.advance(error["retry_after_ms"] / 1000)
    assert client.publish("a", id=4)[0]["type"] == "ack"


def test_pings_are_free_and_unsubscribing_is_charged_but_never_refused() -> None:
    world = limited(client_messages=RateLimit(rate=1, burst=2))
    client = world.client()
    client.subscribe("a", "b")
    for n in range(20):
        assert client.say(type="ping", ts=n) == [{"type": "pong", "ts": n}]
    for name in ("a", "b"):
        assert client.say(type="unsubscribe", id=1, subs=[name])[0]["type"] == "ack"
    [error] = client.publish("a", id=2)
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["retry_after_ms"] == 2_000
    assert client.say(type="auth", id=3, token="t")[0]["type"] == "ack"


def test_malformed_messages_are_charged() -> None:
    world = limited(client_messages=RateLimit(rate=1, burst=2))
    client = world.client()
    for _ in range(2):
        assert client.say(b"nonsense")[0]["code"] == "INVALID_MESSAGE"
    assert client.publish("a", id=1)[0]["code"] == "RATE_LIMIT_EXCEEDED"


def test_bytes_are_limited_as_well() -> None:
    world = limited(client_bytes=RateLimit(rate=100, burst=500))
    client = world.client()
    assert client.publish("a", "x" * 400, id=1)[0]["type"] == "ack"
    assert client.publish("a", "x" * 400, id=2)[0]["code"] == "RATE_LIMIT_EXCEEDED"


def test_a_topics_rate_is_shared_by_all_and_names_the_topic() -> None:
    world = limited(topics={"busy.#": RateLimit(rate=1, burst=2)})
    one, two = world.client(), world.client()
    assert one.publish("busy.a", id=1)[0]["type"] == "ack"
    assert two.publish("busy.b", id=1)[0]["type"] == "ack"
    [error] = two.publish("busy", id=2)
    assert (error["code"], error["field"]) == ("RATE_LIMIT_EXCEEDED", "topic")
    assert two.publish("calm", id=3)[0]["type"] == "ack"


def test_a_rate_of_nothing_lets_nothing_pass_and_promises_nothing() -> None:
    [error] = limited(client_messages=RateLimit(rate=0, burst=0)).client().publish("a", id=1)
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert "retry_after_ms" not in error


# ---- a read of many messages

_MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["a", "hooked.a", "b..c"]), st.integers(0, 60)),
        st.sampled_from(
            [b'{"type":"ping","ts":1}', b"nonsense", b'{"type":"publish","topic":"a","data":1,"echo":false}']
        ),
    ),
    max_size=12,
)


def look(offered: Offered) -> None:
    """A hook that lets everything pass."""


def publish_of(number: int, topic: str, size: int) -> tuple[bytes, PlainPublish]:
    """A publish, and how a transport hands it over that has scanned it."""
    data = json.dumps("x" * size)
    raw = b'{"type":"publish","id":%d,"topic":"%s","data":%s}' % (number, topic.encode(), data.encode())
    return raw, (len(raw), topic, data.encode(), number, None)


def told(messages: list[Any], *, at_once: bool) -> list[Any]:
    """What a client is answered to the messages, and to some more that show what is left of its rate."""
    world = limited(client_messages=RateLimit(rate=1, burst=6), client_bytes=RateLimit(rate=50, burst=400))
    world.hub.publishing.hooks.route("hooked.#", look)
    client = world.client()
    read: list[bytes | PlainPublish] = []
    for number, each in enumerate(messages):
        raw, plain = (each, each) if isinstance(each, bytes) else publish_of(number, *each)
        if at_once:
            read.append(plain)
        else:
            client.session.receive(raw)
    client.session.receive_all(read)
    world.clock.settle()
    answers = client.take()
    for number in range(100, 110):
        answers += client.publish("a", id=number)
        world.clock.advance(0.3)
    return [{name: value for name, value in answer.items() if name != "ts"} for answer in answers] + [world.engine.head]


@given(_MESSAGES)
def test_a_read_of_many_messages_is_answered_and_charged_as_one_after_the_other(messages: list[Any]) -> None:
    assert told(messages, at_once=True) == told(messages, at_once=False)
