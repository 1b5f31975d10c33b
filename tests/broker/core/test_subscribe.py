"""Subscribe and unsubscribe: what the answers say, in which order, and where a subscription stands."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from swarmwire_broker.core.permissions import EVERYTHING, NOTHING
from swarmwire_broker.core.settings import Limits

from .fakes import World


def test_the_results_stand_in_the_order_of_the_items_and_say_which_were_accepted(world: World) -> None:
    client = world.client()
    wanted = [{"pattern": "b"}, {"pattern": "b..c"}, {"pattern": "a.#", "sub": "mine"}, {"pattern": "a b", "sub": "no"}]
    [ack] = client.subscribe(*wanted, id=4)
    assert (ack["type"], ack["id"]) == ("ack", 4)
    assert [result["sub"] for result in ack["results"]] == ["b", "b..c", "mine", "no"]
    accepted = [result for result in ack["results"] if "error" not in result]
    assert [result["cursor"] for result in accepted] == [world.cursor(0)] * 2
    for index in (1, 3):
        error = ack["results"][index]["error"]
        assert (error["code"], error["field"]) == ("INVALID_TOPIC", f"subscriptions[{index}].pattern")
    assert sorted(client.session.subscriptions, key=lambda one: one.name)[0].name == "b"
    assert len(client.session.subscriptions) == 2


def test_if_none_is_accepted_the_answer_is_the_first_error_with_all_results(world: World) -> None:
    client = world.client()
    [error] = client.subscribe({"pattern": "a..b"}, {"pattern": "c", "mode": "fast"}, id="q")
    assert (error["type"], error["id"], error["code"]) == ("error", "q", "INVALID_TOPIC")
    assert error["field"] == "subscriptions[0].pattern"
    assert [result["error"]["code"] for result in error["results"]] == ["INVALID_TOPIC", "INVALID_MESSAGE"]
    assert world.hub.delivery.router.is_empty


@pytest.mark.parametrize(
    ("item", "code", "field"),
    [
        ({"pattern": ""}, "INVALID_TOPIC", "pattern"),
        ({"pattern": "a", "sub": ""}, "INVALID_MESSAGE", "sub"),
        ({"pattern": "a", "sub": "ü" * 257}, "INVALID_MESSAGE", "sub"),
        ({"pattern": "a", "mode": "slow"}, "INVALID_MESSAGE", "mode"),
        ({"pattern": "a", "mode": "drop_oldest", "queue_size": 100_001}, "INVALID_MESSAGE", "queue_size"),
        ({"pattern": "a", "from": "yesterday"}, "INVALID_MESSAGE", "from"),
        ({"pattern": "a", "from": {}}, "INVALID_MESSAGE", "from"),
        ({"pattern": "a", "from": {"last": 1, "since_ms": 2}}, "INVALID_MESSAGE", "from"),
        ({"pattern": "a", "from": {"cursor": "nonsense"}}, "INVALID_MESSAGE", "from.cursor"),
        ({"pattern": "a", "from": {"cursor": "e:9007199254740992"}}, "INVALID_MESSAGE", "from.cursor"),
    ],
)
def test_a_wrong_item_is_refused_by_the_path_of_its_field(
    world: World, item: dict[str, Any], code: str, field: str
) -> None:
    client = world.client()
    [ack] = client.subscribe("good", item)
    error = ack["results"][1]["error"]
    assert (error["code"], error["field"]) == (code, f"subscriptions[1].{field}")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"subscriptions": []}, "subscriptions"),
        ({}, "subscriptions"),
        ({"subscriptions": [{"pattern": 123}]}, "subscriptions[0].pattern"),
        ({"subscriptions": [{"pattern": "a"}, {"pattern": "b", "queue_size": -1}]}, "subscriptions[1].queue_size"),
        ({"subscriptions": [{"pattern": "a", "from": {"last": -1}}]}, "subscriptions[0].from.last"),
        ({"subscriptions": [{"pattern": "a", "mode": {"conflate_ms": -1}}]}, "subscriptions[0].mode.conflate_ms"),
    ],
)
def test_a_malformed_subscribe_subscribes_nothing(world: World, message: dict[str, Any], field: str) -> None:
    client = world.client()
    [error] = client.say({"type": "subscribe", "id": 8, **message})
    assert (error["code"], error["id"]) == ("INVALID_MESSAGE", 8)
    assert error["field"].replace("[...]", "[0]") in (field, field.replace("[1]", "[0]"))
    assert world.hub.delivery.router.is_empty
    assert client.closed is None


def test_two_items_of_one_name_are_a_conflict_of_the_second(world: World) -> None:
    client = world.client()
    [ack] = client.subscribe({"pattern": "a", "sub": "x"}, {"pattern": "b", "sub": "x"})
    assert "error" not in ack["results"][0]
    assert ack["results"][1]["error"]["code"] == "CONFLICT"
    client.publish("b")
    client.publish("a")
    assert [event["topic"] for event in client.ever("event")] == ["a"]


def test_the_same_name_again_replaces_the_subscription(world: World) -> None:
    client = world.client()
    client.subscribe({"pattern": "a", "sub": "x"})
    client.subscribe({"pattern": "b", "sub": "x"})
    client.publish("a")
    client.publish("b")
    assert [event["topic"] for event in client.ever("event")] == ["b"]
    assert world.hub.delivery.router.patterns == 1


def test_what_is_over_the_limit_of_subscriptions_is_refused_and_replacing_is_not() -> None:
    world = World(Limits(max_subscriptions=2))
    client = world.client()
    [ack] = client.subscribe("a", "b", "c")
    assert [result.get("error", {}).get("code") for result in ack["results"]] == [None, None, "LIMIT_EXCEEDED"]
    assert ack["results"][2]["error"]["field"] == "subscriptions[2]"
    assert client.subscribe({"pattern": "z", "sub": "a"})[0]["type"] == "ack"
    assert client.subscribe("d")[0]["code"] == "LIMIT_EXCEEDED"
    client.say(type="unsubscribe", id=1, subs=["a"])
    assert client.subscribe("d")[0]["type"] == "ack"


def test_what_a_subscription_over_the_limit_costs_does_not_grow_with_the_limit() -> None:
    few, many = _calls_for_twice_as_many_as(100), _calls_for_twice_as_many_as(1_000)
    assert many <= 20 * few


def _calls_for_twice_as_many_as(limit: int) -> int:
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    client = World(Limits(max_subscriptions=limit)).client()
    sys.setprofile(count)
    try:
        client.subscribe(*(f"a{number}" for number in range(2 * limit)))
    finally:
        sys.setprofile(None)
    return calls


def test_a_limit_of_no_subscriptions_refuses_the_first() -> None:
    [error] = World(Limits(max_subscriptions=0)).client().subscribe("a")
    assert error["code"] == "LIMIT_EXCEEDED"


# ---- order of answers and events


def test_the_ack_of_a_subscribe_comes_before_its_first_event(world: World) -> None:
    client = world.client()
    for n in range(3):
        client.publish("a", n)
    client.take()
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "start"}]})
    client.post({"type": "publish", "topic": "a", "data": 3})
    world.clock.settle()
    assert [message["type"] for message in client.take()] == ["ack", "event", "event", "event", "event", "live"]


def test_an_event_before_the_subscribe_in_the_same_turn_is_not_for_it(world: World) -> None:
    client, other = world.client(), world.client()
    client.subscribe({"pattern": "a", "sub": "x"})
    client.post({"type": "publish", "topic": "a", "data": 1})
    other.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a"}]})
    client.post({"type": "subscribe", "id": 2, "subscriptions": [{"pattern": "#", "sub": "x"}]})
    client.post({"type": "publish", "topic": "a", "data": 2})
    world.clock.settle()
    assert [event["data"] for event in other.ever("event")] == [2]
    kinds = [(message["type"], message.get("data")) for message in client.take() if message["type"] != "pong"]
    assert kinds == [("event", 1), ("ack", None), ("event", 2)]


def test_a_now_subscription_is_live_at_once_without_saying_so(world: World) -> None:
    client = world.client()
    client.publish("a", 0)
    assert [message["type"] for message in client.subscribe("a")] == ["ack"]
    assert client.publish("a", 1)[0]["data"] == 1
    assert client.ever("live") == []


def test_an_event_for_several_live_subscriptions_is_written_once_without_a_name(world: World) -> None:
    client = world.client()
    client.subscribe("a", "#", "*", {"pattern": "a", "sub": "twice"})
    [event] = client.publish("a")
    assert "sub" not in event


def test_an_ack_may_overtake_the_events_of_its_turn(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    for n in (1, 2):
        client.post({"type": "publish", "topic": "a", "data": n, "id": n})
    world.clock.settle()
    assert [message["type"] for message in client.take()] == ["ack", "ack", "event", "event"]


# ---- unsubscribe


def test_after_the_ack_of_an_unsubscribe_no_event_of_it_comes(world: World) -> None:
    client = world.client()
    client.subscribe("a", {"pattern": "a", "sub": "q", "mode": "drop_oldest"}, {"pattern": "b", "from": "start"})
    client.take()
    client.post({"type": "publish", "topic": "a", "data": 1})
    client.post({"type": "unsubscribe", "id": "u", "subs": ["a", "q", "b", "unknown"]})
    client.post({"type": "publish", "topic": "a", "data": 2})
    world.clock.settle()
    kinds = [message["type"] for message in client.take()]
    assert kinds[-1] == "ack"
    assert kinds.count("ack") == 1
    assert world.hub.delivery.router.is_empty


def test_unsubscribing_only_unknown_names_is_not_found(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    [error] = client.say(type="unsubscribe", id=2, subs=["b", "c"])
    assert (error["code"], error["id"], error["field"]) == ("NOT_FOUND", 2, "subs[0]")
    assert len(client.session.subscriptions) == 1


def test_closing_one_of_two_subscriptions_of_a_pattern_leaves_the_other(world: World) -> None:
    client = world.client()
    client.subscribe({"pattern": "a", "sub": "one"}, {"pattern": "a", "sub": "two"})
    client.say(type="unsubscribe", id=2, subs=["one"])
    assert [message["type"] for message in client.publish("a")] == ["event"]


def test_a_client_that_leaves_leaves_nothing_behind(world: World) -> None:
    client, other = world.client(), world.client()
    client.subscribe("a.#", {"pattern": "b", "mode": {"conflate_ms": 50}}, {"pattern": "c", "mode": "drop_oldest"})
    other.publish("b")
    client.session.lost()
    client.session.lost()
    other.session.lost()
    world.clock.advance(20)
    assert world.is_clean()
    assert world.clock.timers == 0


# ---- calls, answers and the goodbye


def test_a_call_that_nobody_handles_is_method_not_found(world: World) -> None:
    [error] = world.client().say(type="call", id=1, method="greet")
    assert (error["code"], error["id"], error["field"]) == ("METHOD_NOT_FOUND", 1, "method")


def test_answers_to_nothing_are_passed_over(world: World) -> None:
    client = world.client()
    for message in ({"type": "cancel", "id": 1}, {"type": "reply", "id": 1, "data": 2}, {"type": "pong"}):
        assert client.say(message) == []
    assert client.say(type="error", id=1, code="TIMEOUT", message="late") == []
    assert client.closed is None


def test_a_goodbye_is_answered_by_nothing_but_the_close(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    client.post({"type": "publish", "topic": "b", "data": 1, "id": 1})
    client.post({"type": "bye", "code": 1000})
    assert client.take() == [{"type": "ack", "id": 1, "seq": 1}]
    assert client.closed == 1000
    client.post({"type": "publish", "topic": "b", "data": 2})
    assert world.engine.head == 1
    client.session.lost()
    assert world.is_clean()


@pytest.mark.parametrize("is_full", [False, True])
def test_what_ended_a_name_is_told_before_the_answer_that_gives_it_anew(world: World, is_full: bool) -> None:
    client = world.client()
    client.subscribe("a")
    subject = client.session.author.sender or ""
    if is_full:
        client.session.paused()
    world.hub.permit(subject, NOTHING)
    world.hub.permit(subject, EVERYTHING)
    client.post({"type": "subscribe", "id": 7, "subscriptions": [{"pattern": "a"}]})
    client.post({"type": "publish", "id": 8, "topic": "a", "data": 1})
    world.clock.settle()
    if is_full:
        assert client.take() == [], "nothing is written to a full socket"
        client.session.resumed()
        world.clock.settle()
    told = [(message["type"], message.get("id")) for message in client.take()]
    assert told == [("gap", None), ("ack", 7), ("ack", 8), ("event", None)]
