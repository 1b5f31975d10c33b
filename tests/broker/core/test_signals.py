"""The broker's own events: callbacks for embedders, `$sys` topics for operators."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from swarmwire_broker.core.signals import SIGNALS

from .fakes import World


def listen(world: World) -> list[tuple[str, dict[str, Any]]]:
    """What every signal says from here on."""
    heard: list[tuple[str, dict[str, Any]]] = []

    def on(signal: Any) -> None:
        world.hub.on(signal, lambda facts: heard.append((signal, dict(facts))))

    for signal in SIGNALS:
        on(signal)
    return heard


def test_a_clients_life_is_told_step_by_step(world: World) -> None:
    heard = listen(world)
    client = world.client()
    client.subscribe({"pattern": "a.*", "sub": "s"})
    client.publish("a.b", 1)
    client.publish("a..b")
    client.say(type="unsubscribe", id=1, subs=["s"])
    client.session.lost()
    me = client.session.client_id
    sender = f"anonymous:{me}"
    assert heard == [
        ("connection", {"client_id": me, "transport": "test"}),
        ("authenticated", {"client_id": me, "subject": sender}),
        ("subscribe", {"client_id": me, "pattern": "a.*", "sub": "s"}),
        ("publish", {"topic": "a.b", "data": b"1", "sender": sender}),
        ("error", {"client_id": me, "code": "INVALID_TOPIC", "message": heard[4][1]["message"]}),
        ("unsubscribe", {"client_id": me, "pattern": "a.*", "sub": "s"}),
        ("disconnect", {"client_id": me}),
    ]


def test_operators_see_the_same_on_sys_topics_and_live_only(world: World) -> None:
    operator = world.client()
    operator.subscribe("$sys.#", "#")
    operator.take()
    client = world.client()
    client.subscribe("a")
    client.say(type="unsubscribe", id=1, subs=["a"])
    client.session.lost()
    world.clock.settle()
    events = operator.took("event")
    names = ["connected", "authenticated", "subscribed", "unsubscribed", "disconnected"]
    assert [event["topic"] for event in events] == [f"$sys.client.{name}" for name in names]
    assert {event["data"]["client_id"] for event in events} == {client.session.client_id}
    assert all("seq" not in event and "from" not in event for event in events)
    assert world.engine.head == 0


def test_a_failing_callback_stops_neither_the_others_nor_the_broker(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fail(facts: Mapping[str, Any]) -> None:
        raise RuntimeError("broken")

    world.hub.on("publish", fail)
    world.hub.on("publish", lambda facts: heard.append(facts["topic"]))
    client = world.client()
    with caplog.at_level(logging.ERROR):
        assert client.publish("a", id=1)[0]["type"] == "ack"
    assert heard == ["a"]
    assert "broken" in caplog.text


def test_an_async_callback_runs_beside_the_broker_and_its_failure_is_reported() -> None:
    world = World()
    heard: list[str] = []

    async def note(facts: Mapping[str, Any]) -> None:
        heard.append(facts["topic"])
        raise RuntimeError("broken")

    world.hub.on("publish", note)
    client = world.client()
    assert client.publish("a", id=1)[0]["type"] == "ack"
    assert heard == ["a"]
    assert [str(failure) for failure in world.clock.failures] == ["broken"]


def test_a_callback_taken_away_hears_nothing_more(world: World) -> None:
    heard: list[Any] = []
    remove = world.hub.on("publish", heard.append)
    client = world.client()
    client.publish("a")
    remove()
    remove()
    client.publish("a")
    assert len(heard) == 1
    assert "publish" not in world.hub.signals


def test_the_same_callback_twice_is_taken_away_once_at_a_time(world: World) -> None:
    heard: list[Any] = []
    first = world.hub.on("publish", heard.append)
    world.hub.on("publish", heard.append)
    first()
    first()
    world.client().publish("a")
    assert len(heard) == 1


def test_an_unknown_signal_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="expected one of started"):
        world.hub.on("publishes", print)  # type: ignore[arg-type]


def test_a_refused_publish_is_no_publish(world: World) -> None:
    heard = listen(world)
    world.client().publish("$sys.x")
    assert "publish" not in [signal for signal, _ in heard]
