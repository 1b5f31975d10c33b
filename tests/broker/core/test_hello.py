"""The hello: versions, the welcome, and what a stranger may not do."""

from __future__ import annotations

import json

import pytest

from swarmwire_broker.core.settings import Limits

from .fakes import World


def test_a_hello_is_answered_by_a_welcome_that_names_broker_client_and_limits(world: World) -> None:
    client = world.connect()
    client.world.client().publish("a")
    [welcome] = client.hello()
    assert welcome["type"] == "welcome"
    assert welcome["version"] == "1"
    assert welcome["client_id"] == client.session.client_id
    assert len(welcome["client_id"]) == 12
    assert welcome["cursor"] == world.cursor(1)
    assert welcome["server"]["id"] == world.hub.info.id
    assert welcome["heartbeat_ms"] == world.hub.limits.heartbeat_ms
    assert welcome["durability"] == "accepted"
    assert welcome["identity"]["subject"] == f"anonymous:{client.session.client_id}"
    assert welcome["identity"]["permissions"]["admin"] is True
    assert set(welcome["features"]) == {"conflate", "dedupe", "disconnect", "drop_oldest", "ephemeral", "latest"}
    limits = world.hub.limits
    assert welcome["limits"]["max_message_bytes"] == limits.max_message_bytes == client.sink.max_message_bytes
    assert welcome["limits"]["max_subscriptions"] == limits.max_subscriptions
    assert welcome["limits"]["max_id_bytes"] == 64


@pytest.mark.parametrize(("offered", "chosen"), [(["1"], "1"), (["0.9", "1.0", "7"], "1"), (["7", "1"], "1")])
def test_the_highest_version_both_know_is_chosen(world: World, offered: list[str], chosen: str) -> None:
    [welcome] = world.connect().say(type="hello", versions=offered, client={"name": "t"})
    assert welcome["version"] == chosen


@pytest.mark.parametrize("offered", [[], ["2"], ["9.9.9", "0"]])
def test_without_a_common_version_the_broker_names_its_own_and_closes(world: World, offered: list[str]) -> None:
    client = world.connect()
    error, bye = client.say(type="hello", versions=offered, client={"name": "t"})
    assert error["code"] == "UNSUPPORTED_VERSION"
    assert error["versions"] == ["1"]
    assert bye == {"type": "bye", "code": 4406, "reason": error["message"]}
    assert client.closed == 4406


STRANGERS = [
    {"type": "publish", "topic": "a", "data": 1, "id": "x"},
    {"type": "subscribe", "id": 7, "subscriptions": [{"pattern": "#"}]},
    {"type": "auth", "id": 0, "token": "t"},
    {"type": "ping"},
    {"type": "bye", "code": 1000},
]


@pytest.mark.parametrize("message", STRANGERS, ids=lambda message: str(message["type"]))
def test_before_the_welcome_anything_else_is_refused_without_any_effect(
    world: World, message: dict[str, object]
) -> None:
    client = world.connect()
    [error] = client.say(message)
    assert error["code"] == "NOT_AUTHENTICATED"
    assert error.get("id") == message.get("id")
    assert client.closed is None
    assert world.engine.head == 0
    assert world.hub.delivery.router.is_empty
    assert [answer["type"] for answer in client.hello()] == ["welcome"]


def test_a_malformed_message_before_the_welcome_is_invalid_and_the_connection_stays(world: World) -> None:
    client = world.connect()
    [error] = client.say(b'{"type":"hello","versions":"1"}')
    assert (error["code"], error["field"]) == ("INVALID_MESSAGE", "versions")
    assert client.closed is None
    assert client.hello()[0]["type"] == "welcome"


def test_a_stranger_who_goes_on_is_closed_at_the_sixteenth_message(world: World) -> None:
    client = world.connect()
    for _ in range(15):
        client.say(type="ping")
    assert client.closed is None
    assert client.say(b"nonsense")[-1]["type"] == "bye"
    assert client.closed == 1008


def test_a_second_hello_is_a_conflict_and_changes_nothing(world: World) -> None:
    client = world.client(instance="1" * 32)
    [error] = client.hello(instance="2" * 32)
    assert error["code"] == "CONFLICT"
    assert client.session.outbox.instance == "1" * 32
    assert client.closed is None
    assert client.say(type="ping", ts=3) == [{"type": "pong", "ts": 3}]


def test_a_client_that_never_says_hello_is_closed(world: World) -> None:
    client = world.connect()
    world.clock.advance(world.hub.limits.auth_timeout_ms / 1000 - 0.01)
    assert client.closed is None
    world.clock.advance(0.02)
    error, bye = client.take()
    assert error["code"] == "NOT_AUTHENTICATED"
    assert bye["code"] == client.closed == 4402


def test_the_time_for_the_hello_ends_with_the_welcome(world: World) -> None:
    client = world.client()
    world.clock.advance(world.hub.limits.auth_timeout_ms / 1000 + 1)
    assert client.closed is None


def test_an_auth_timeout_of_zero_closes_at_once_instead_of_never() -> None:
    world = World(Limits(auth_timeout_ms=0))
    client = world.connect()
    world.clock.settle()
    assert client.closed == 4402


def test_nulls_in_optional_fields_of_a_hello_mean_absent(world: World) -> None:
    raw = {
        "type": "hello",
        "versions": ["1"],
        "client": {"name": "t", "version": None, "instance": None},
        "token": None,
    }
    [welcome] = world.connect().say(json.dumps(raw).encode())
    assert welcome["type"] == "welcome"


def test_the_identity_of_the_kernel_is_taken_where_nobody_logs_in(world: World) -> None:
    client = world.connect(subject="uid:1000")
    [welcome] = client.hello()
    assert welcome["identity"]["subject"] == "uid:1000"
    client.subscribe("a")
    [_, event] = sorted(client.publish("a", id=1), key=lambda message: message["type"])
    assert event["from"] == "uid:1000"


def test_a_full_broker_says_so_before_any_welcome_and_closes() -> None:
    world = World(Limits(max_connections=1))
    kept = world.client()
    turned_away = world.connect()
    error, bye = turned_away.take()
    assert error["code"] == "LIMIT_EXCEEDED"
    assert error["retry_after_ms"] > 0
    assert bye["code"] == turned_away.closed == 1013
    turned_away.session.lost()
    assert kept.closed is None
    kept.session.lost()
    assert world.client().closed is None


def test_logins_at_once_are_limited_by_themselves() -> None:
    world = World(Limits(max_unauthenticated=1))
    first = world.connect()
    assert world.connect().closed == 1013
    first.hello()
    assert world.connect().closed is None


def test_a_limit_of_no_connections_lets_nobody_in() -> None:
    assert World(Limits(max_connections=0)).connect().closed == 1013


@pytest.mark.parametrize(("field", "most"), [("name", 256), ("version", 256), ("kind", 256), ("instance", 128)])
def test_what_a_client_says_of_itself_is_short(world: World, field: str, most: int) -> None:
    client = world.connect()
    [error] = client.say(type="hello", versions=["1"], client={"name": "t", field: "x" * (most + 1)})
    assert (error["code"], error["field"]) == ("INVALID_MESSAGE", f"client.{field}")
    [welcome] = client.say(type="hello", versions=["1"], client={"name": "t", field: "x" * most})
    assert welcome["type"] == "welcome"
