"""Hooks before the log: order kept, refusals answered, nothing of a refused publish left."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .fakes import Gate, World

SECRET = "the text of an exception"


def refuse(offered: Offered) -> None:
    raise SwarmwireError(ErrorCode.CONFLICT, "Not twice.", field="data")


def break_down(offered: Offered) -> None:
    raise RuntimeError(SECRET)


async def break_down_later(offered: Offered) -> None:
    raise RuntimeError(SECRET)


def test_a_hook_sees_the_publish_as_it_will_stand_in_the_log(world: World) -> None:
    seen: list[Offered] = []
    world.hub.route("a.*", seen.append)
    client = world.client()
    client.publish("a.b", {"x": 1}, headers={"h": "v"}, id=1)
    client.publish("c", 2)
    [offered] = seen
    assert (offered.topic, offered.value(), offered.headers) == ("a.b", {"x": 1}, {"h": "v"})
    assert offered.sender == f"anonymous:{client.session.client_id}"
    assert client.ever("ack") == [{"type": "ack", "id": 1, "seq": 1}]
    assert [entry.topic for entry in world.log] == ["a.b", "c"]


@pytest.mark.parametrize("with_id", [True, False])
def test_a_refusal_is_the_publishers_error_and_uses_no_place(world: World, with_id: bool) -> None:
    world.hub.route("a", refuse)
    client = world.client()
    [error] = client.publish("a", **({"id": 7} if with_id else {}))
    assert (error["code"], error["message"], error["field"]) == ("CONFLICT", "Not twice.", "data")
    assert error.get("id") == (7 if with_id else None)
    assert world.engine.head == 0
    assert client.publish("b", id=8) == [{"type": "ack", "id": 8, "seq": 1}]


@pytest.mark.parametrize("hook", [break_down, break_down_later])
def test_an_exception_is_an_internal_error_without_its_text(
    world: World, hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.hub.route("a", hook)
    client = world.client()
    with caplog.at_level(logging.ERROR):
        [error] = client.publish("a", id=1)
    assert (error["code"], error["id"]) == ("INTERNAL_ERROR", 1)
    assert SECRET not in str(error)
    assert SECRET in caplog.text
    assert world.engine.head == 0


def test_middleware_is_asked_in_order_and_refuses_with_false(world: World) -> None:
    asked: list[str] = []

    def let_pass(offered: Offered) -> None:
        asked.append("first")

    async def stop(offered: Offered) -> bool:
        asked.append("second")
        return False

    world.hub.route("a", lambda offered: asked.append("handler"), middleware=[let_pass, stop])
    [error] = world.client().publish("a", id=1)
    assert (error["code"], error["field"]) == ("PERMISSION_DENIED", "topic")
    assert asked == ["first", "second"]


def test_the_order_of_a_publisher_is_kept_while_hooks_take_their_time(world: World) -> None:
    gates = [Gate(), Gate()]
    waiting = list(gates)

    async def wait(offered: Offered) -> None:
        await waiting.pop(0)

    world.hub.route("slow", wait)
    client, other = world.client(), world.client()
    for n, topic in enumerate(["slow", "quick", "slow", "quick"]):
        client.post({"type": "publish", "topic": topic, "data": n, "id": n})
    other.publish("quick", "not held up")
    assert [entry.topic for entry in world.log] == ["quick"]
    assert not client.sink.is_reading
    for gate in gates:
        gate.open()
        world.clock.settle()
    assert [ack["id"] for ack in client.ever("ack")] == [0, 1, 2, 3]
    assert [entry.topic for entry in world.log] == ["quick", "slow", "quick", "slow", "quick"]
    assert client.sink.is_reading


def test_a_client_lost_while_a_hook_is_asked_publishes_nothing(world: World) -> None:
    gate = Gate()

    async def wait(offered: Offered) -> None:
        await gate

    world.hub.route("a", wait)
    client = world.client()
    client.publish("a", id=1)
    client.session.lost()
    gate.open()
    world.clock.settle()
    assert world.engine.head == 0
    assert world.is_clean()


@pytest.mark.parametrize("fields", [{"topic": "a..b"}, {"data": "x", "key": ""}, {"topic": "$sys.a"}])
def test_a_hook_is_not_asked_about_what_is_wrong_anyway(world: World, fields: dict[str, Any]) -> None:
    seen: list[Offered] = []
    world.hub.route("#", seen.append)
    world.hub.route("$sys.#", seen.append)
    [error] = world.client().say({"type": "publish", "topic": "a", "data": 1, "id": 1, **fields})
    assert error["type"] == "error"
    assert seen == []


def test_a_hook_taken_away_is_not_asked(world: World) -> None:
    seen: list[Offered] = []
    world.hub.route("a", seen.append)
    assert world.hub.unroute("a")
    assert not world.hub.unroute("a")
    world.client().publish("a")
    assert seen == []
    assert world.engine.head == 1


def test_a_route_on_no_pattern_is_refused(world: World) -> None:
    with pytest.raises(SwarmwireError) as raised:
        world.hub.route("a..b", refuse)
    assert raised.value.code is ErrorCode.INVALID_TOPIC


def test_malformed_data_behind_hooks_counts_towards_a_flood() -> None:
    world = World(Limits(max_malformed=3))
    world.hub.route("#", lambda offered: None)
    client = world.client()
    for _ in range(4):
        client.say(b'{"type":"publish","topic":"a","data":1e999}')
    assert client.closed == 1008
