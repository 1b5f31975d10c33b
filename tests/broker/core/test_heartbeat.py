"""The heartbeat: a position or a ping, who counts as alive, and who does not."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits

from .fakes import Client, World

BEAT = 8.0
"""Seconds; a hub looks at an eighth of its clients every second."""


@pytest.fixture
def calm() -> World:
    return World(Limits(heartbeat_ms=round(BEAT * 1000), outbox_bytes=1_000))


def beats(world: World, count: int = 1, *alive: Client) -> None:
    """Let so many intervals pass; those alive say something in each."""
    for _ in range(count):
        for client in alive:
            client.post({"type": "pong"})
        world.clock.advance(BEAT)


def test_a_client_with_nothing_live_is_pinged(calm: World) -> None:
    client, writer = calm.client(), calm.client()
    writer.publish("a")
    beats(calm, 1, client, writer)
    assert [message["type"] for message in client.take()] == ["ping"]


def test_a_position_that_moved_without_the_client_knowing_is_told_instead(calm: World) -> None:
    client, writer = calm.client(), calm.client()
    client.subscribe("a")
    client.take()
    writer.publish("b")
    beats(calm, 1, client, writer)
    assert client.take() == [{"type": "position", "cursor": calm.cursor(1)}]
    beats(calm, 1, client, writer)
    assert [message["type"] for message in client.take()] == ["ping"]


def test_an_event_tells_the_position_itself(calm: World) -> None:
    client, writer = calm.client(), calm.client()
    client.subscribe("a")
    writer.publish("a")
    client.take()
    beats(calm, 1, client, writer)
    assert [message["type"] for message in client.take()] == ["ping"]


@pytest.mark.parametrize("mode", ["drop_oldest", {"conflate_ms": 1}])
def test_a_subscription_with_a_position_of_its_own_is_told_by_its_name(calm: World, mode: Any) -> None:
    client, writer = calm.client(), calm.client()
    client.subscribe({"pattern": "a", "sub": "own", "mode": mode})
    client.take()
    writer.publish("b")
    beats(calm, 1, client, writer)
    assert client.take() == [{"type": "position", "sub": "own", "cursor": calm.cursor(1)}]


def test_having_caught_up_past_what_did_not_match_is_told(calm: World) -> None:
    client, writer = calm.client(), calm.client()
    client.subscribe("a")
    client.sink.stall()
    for _ in range(20):
        writer.publish("a", "x" * 50)
    for _ in range(5):
        writer.publish("b")
    client.sink.drain()
    calm.clock.settle()
    assert client.session.outbox.live
    assert client.ever("event")[-1]["seq"] == 20
    beats(calm, 1, client, writer)
    assert client.ever("position") == [{"type": "position", "cursor": calm.cursor(25)}]


def test_a_lagging_client_is_told_no_position(calm: World) -> None:
    client, writer = calm.client(), calm.client()
    client.subscribe("a")
    client.sink.stall()
    for _ in range(20):
        writer.publish("a", "x" * 50)
    beats(calm, 1, client, writer)
    assert client.session.outbox.is_behind
    client.sink.drain(200)
    assert client.ever("position") == []


def test_a_client_silent_for_two_intervals_is_closed(calm: World) -> None:
    client = calm.client()
    beats(calm, 2)
    assert client.closed is None
    beats(calm, 1)
    assert client.closed == 4409
    assert [message["type"] for message in client.take()] == ["ping", "ping", "error", "bye"]
    assert client.ever("error")[0]["code"] == "HEARTBEAT_TIMEOUT"
    assert client.ever("bye")[0]["code"] == 4409


def test_a_client_that_answers_pings_stays(calm: World) -> None:
    client = calm.client()
    for _ in range(10):
        beats(calm)
        for message in client.take():
            assert message["type"] == "ping"
            client.post({"type": "pong", "ts": message["ts"]})
    assert client.closed is None


def test_a_silent_reader_of_a_busy_broker_is_pinged_too_so_that_it_can_answer(calm: World) -> None:
    reader, writer = calm.client(), calm.client()
    reader.subscribe("quiet")
    for _ in range(10):
        writer.publish("busy")
        beats(calm, 1, writer)
        for message in reader.take():
            if message["type"] == "ping":
                reader.post({"type": "pong", "ts": message["ts"]})
    assert reader.closed is None
    assert reader.ever("position")


@pytest.mark.parametrize("traffic", [b"not json", b'{"type":"publish","topic":"a","data":1}', b'{"type":"ping"}'])
def test_any_traffic_is_a_sign_of_life(calm: World, traffic: bytes) -> None:
    client = calm.client()
    for _ in range(6):
        client.post(traffic)
        beats(calm)
    assert client.closed is None


def test_draining_is_a_sign_of_life(calm: World) -> None:
    client, writer = calm.client(), calm.client()
    client.subscribe("a")
    client.sink.stall()
    for _ in range(40):
        writer.publish("a", "x" * 100)
    for _ in range(8):
        client.sink.drain(60)
        beats(calm, 1, writer)
    assert client.closed is None
    beats(calm, 3, writer)
    assert client.closed == 4409


def test_a_client_whose_reading_the_broker_has_paused_is_not_timed_out() -> None:
    world = World(Limits(heartbeat_ms=round(BEAT * 1000), outbox_bytes=100, control_messages=3))
    client = world.client()
    client.sink.stall()
    for _ in range(50):
        client.post({"type": "ping"})
        world.clock.settle()
    assert not client.sink.is_reading
    beats(world, 10)
    assert client.closed is None
    client.sink.drain()
    world.clock.settle()
    assert client.sink.is_reading


def test_a_broker_without_clients_has_no_timer_left(calm: World) -> None:
    client = calm.client()
    beats(calm, 1, client)
    client.session.lost()
    beats(calm)
    assert calm.clock.timers == 0
    calm.hub.close()
    calm.hub.close()
