"""Mode drop_oldest: exactly `queue_size` events wait, and one exact gap stands for what did not."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits

from .fakes import Client, World


def dropping(world: World, size: int | None = None, pattern: str = "a.#") -> Client:
    """A client that drops, with a socket that is full."""
    client = world.client()
    wanted: dict[str, Any] = {"pattern": pattern, "sub": "d", "mode": "drop_oldest"}
    client.subscribe(wanted if size is None else {**wanted, "queue_size": size})
    client.take()
    return client


def block(client: Client) -> None:
    client.sink.stall()
    while not client.session.outbox.blocked:
        client.post({"type": "ping", "ts": 1})
        client.world.clock.settle()


def publish(writer: Client, count: int, topic: str = "a") -> None:
    for _ in range(count):
        writer.post({"type": "publish", "topic": topic, "data": writer.world.engine.head + 1})
    writer.world.clock.settle()


def heard(client: Client) -> list[tuple[str, Any]]:
    """Events and gaps in order."""
    client.sink.drain()
    client.world.clock.settle()
    return [
        (
            message["type"],
            message["seq"] if message["type"] == "event" else (message["from"], message["to"], message["dropped"]),
        )
        for message in client.take()
        if message["type"] in ("event", "gap")
    ]


@pytest.fixture
def small() -> World:
    return World(Limits(outbox_bytes=2_000, queue_size=7))


@pytest.mark.parametrize("size", [0, 1, 3, None])
def test_the_newest_wait_and_one_gap_names_exactly_what_was_lost(small: World, size: int | None) -> None:
    client, writer = dropping(small, size), small.client()
    block(client)
    for _ in range(4):
        publish(writer, 5)
    kept = 7 if size is None else size
    lost = 20 - kept
    gap = ("gap", (small.cursor(0), small.cursor(lost), lost))
    assert heard(client) == [gap, *(("event", seq) for seq in range(lost + 1, 21))]
    assert small.hub.stats.drops == lost


def test_events_that_fit_are_not_dropped(small: World) -> None:
    client, writer = dropping(small, 5), small.client()
    block(client)
    publish(writer, 5)
    assert heard(client) == [("event", seq) for seq in range(1, 6)]


def test_a_socket_that_takes_everything_drops_nothing_even_with_no_queue(small: World) -> None:
    client, writer = dropping(small, 0), small.client()
    for _ in range(10):
        publish(writer, 20)
    assert [seq for kind, seq in heard(client) if kind == "event"] == list(range(1, 201))
    assert client.ever("gap") == []


def test_losses_apart_are_gaps_apart_and_order_is_kept(small: World) -> None:
    client, writer = dropping(small, 2), small.client()
    publish(writer, 1)
    block(client)
    publish(writer, 5)
    first = heard(client)
    publish(writer, 1)
    block(client)
    publish(writer, 4)
    second = heard(client)
    assert first == [("event", 1), ("gap", (small.cursor(1), small.cursor(4), 3)), ("event", 5), ("event", 6)]
    assert second == [("event", 7), ("gap", (small.cursor(7), small.cursor(9), 2)), ("event", 10), ("event", 11)]


def test_the_count_leaves_out_what_does_not_match(small: World) -> None:
    client, writer = dropping(small, 1), small.client()
    block(client)
    for topic in ("a", "b", "a", "b", "a", "b"):
        publish(writer, 1, topic)
    assert heard(client) == [("gap", (small.cursor(0), small.cursor(3), 2)), ("event", 5)]


def test_the_events_name_their_subscription_and_leave_others_alone(small: World) -> None:
    client, writer = dropping(small, 2), small.client()
    client.subscribe("a")
    publish(writer, 1)
    assert sorted(str(event.get("sub")) for event in client.ever("event")) == ["None", "d"]
    block(client)
    publish(writer, 9)
    client.sink.drain()
    small.clock.settle()
    assert [event["seq"] for event in client.ever("event") if "sub" not in event] == list(range(1, 11))
    assert [event["seq"] for event in client.ever("event") if "sub" in event] == [1, 9, 10]


def test_a_queue_is_bounded_in_bytes_as_well() -> None:
    world = World(Limits(outbox_bytes=1_000))
    client, writer = dropping(world, 1_000), world.client()
    block(client)
    publish(writer, 100)
    [subscription] = client.session.subscriptions
    waiting = heard(client)
    assert waiting[0][0] == "gap"
    assert 1 < len(waiting) < 12
    assert waiting[-1] == ("event", 100)
    assert subscription.position == 100


def test_losses_are_told_to_operators_by_client_and_topic(small: World) -> None:
    client, writer, operator = dropping(small, 1), small.client(), small.client()
    operator.subscribe("$sys.client.dropped")
    heard_by_signal: list[dict[str, Any]] = []
    small.hub.on("dropped", lambda facts: heard_by_signal.append(dict(facts)))
    block(client)
    publish(writer, 3, "a")
    publish(writer, 2, "a.b")
    small.clock.advance(small.hub.limits.heartbeat_ms / 1000)
    facts = [event["data"] for event in operator.ever("event")]
    assert facts == heard_by_signal
    client_id = client.session.client_id
    assert {"client_id": client_id, "topic": "a", "count": 3} in facts
    assert {"client_id": client_id, "topic": "a.b", "count": 1} in facts
    assert len(facts) == 2


def test_a_subscription_that_ends_while_blocked_lets_its_queue_go(small: World) -> None:
    client, writer = dropping(small, 5), small.client()
    block(client)
    publish(writer, 5)
    [subscription] = client.session.subscriptions
    client.post({"type": "unsubscribe", "id": 1, "subs": ["d"]})
    assert not subscription._queue  # type: ignore[attr-defined]
    assert heard(client) == []
    assert client.ever("ack")[-1]["id"] == 1
