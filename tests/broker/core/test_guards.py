"""What the broker's services keep clients from publishing, and how they hear of a client's end."""

from __future__ import annotations

import pytest

from swarmwire_broker.core.identity import Author
from swarmwire_broker.core.ports import Peer
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .fakes import Client, World


def client_of(world: World) -> Client:
    client = Client(world, Peer(transport="test"))
    client.hello()
    return client


def refusals(messages: list[dict[str, object]]) -> list[object]:
    return [message["code"] for message in messages if message["type"] == "error"]


def test_reserved_topics_are_refused_whatever_the_grants(world: World) -> None:
    world.hub.publishing.reserve("swarm.*.consensus.*", "lock.*.lost")
    client = client_of(world)
    for topic in ("swarm.s.consensus.p", "lock.a.lost"):
        assert refusals(client.publish(topic, id=topic)) == ["PERMISSION_DENIED"]
        assert refusals(client.publish(topic, key="k", id=topic)) == ["PERMISSION_DENIED"]
    assert refusals(client.publish("swarm.s.consensus", id=1)) == []
    assert world.hub.engine.head == 1


def test_a_topic_that_was_published_on_before_can_be_reserved(world: World) -> None:
    client = client_of(world)
    client.publish("lock.a.lost")
    world.hub.publishing.reserve("lock.*.lost")
    assert refusals(client.publish("lock.a.lost")) == ["PERMISSION_DENIED"]


def test_what_is_no_pattern_cannot_be_reserved(world: World) -> None:
    with pytest.raises(SwarmwireError) as caught:
        world.hub.publishing.reserve("a..b")
    assert caught.value.code is ErrorCode.INVALID_TOPIC


def test_a_guard_sees_every_publish_below_its_segment_and_no_other(world: World) -> None:
    seen: list[tuple[str, str | None]] = []

    def guard(topic: str, author: Author) -> None:
        seen.append((topic, author.sender))
        if topic == "task.t.completed":
            raise SwarmwireError(ErrorCode.FENCED)

    client = client_of(world)
    client.publish("task.t.progress")
    world.hub.publishing.guard("task", guard)
    assert refusals(client.publish("task.t.completed", id=1)) == ["FENCED"]
    assert refusals(client.publish("task.t.progress", id=2, headers={"a": "b"})) == []
    client.publish("tasks.t.progress")
    sender = client.session.author.sender
    assert seen == [("task.t.completed", sender), ("task.t.progress", sender)]


def test_all_guards_of_a_segment_are_asked(world: World) -> None:
    asked: list[int] = []
    world.hub.publishing.guard("task", lambda topic, author: asked.append(1))
    world.hub.publishing.guard("task", lambda topic, author: asked.append(2))
    client_of(world).publish("task.t.progress")
    assert asked == [1, 2]


@pytest.mark.parametrize("meant", [True, False])
def test_the_end_of_a_session_is_told_once_with_whether_it_was_meant(world: World, meant: bool) -> None:
    ends: list[tuple[str, bool]] = []
    client = client_of(world)
    client.session.on_end(lambda session: ends.append((session.client_id, session.said_bye)))
    if meant:
        client.say(type="bye", code=1000)
    client.session.lost()
    client.session.lost()
    assert ends == [(client.session.client_id, meant)]


def test_a_session_that_the_broker_closes_did_not_mean_its_end(world: World) -> None:
    ends: list[bool] = []
    client = client_of(world)
    client.session.on_end(lambda session: ends.append(session.said_bye))
    world.hub.disconnect(client.session.client_id)
    assert ends == [False]
