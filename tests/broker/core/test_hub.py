"""The hub as embedders hold it: removing clients, draining, and what is kept of those that are gone."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Peer, Verified
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .fakes import World


def test_an_operator_closes_a_client_for_good(world: World) -> None:
    client, other = world.client(), world.client()
    world.hub.disconnect(client.session.client_id, "Enough.")
    assert client.take() == [{"type": "bye", "code": 4403, "reason": "Enough."}]
    assert client.closed == 4403
    assert other.closed is None


def test_closing_an_unknown_client_is_not_found(world: World) -> None:
    with pytest.raises(SwarmwireError) as raised:
        world.hub.disconnect("nobody")
    assert raised.value.code is ErrorCode.NOT_FOUND


def test_a_long_reason_is_cut_to_what_a_close_frame_holds_without_splitting_a_letter(world: World) -> None:
    client = world.client()
    world.hub.disconnect(client.session.client_id, "aü" * 200)
    assert client.sink.closed is not None
    assert client.sink.closed[1] == "aü" * 40
    assert client.ever("bye")[0]["reason"] == "aü" * 200


def test_revoking_nothing_in_particular_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="subject or a token_id"):
        world.hub.revoke()


def test_a_drain_says_goodbye_to_everyone_and_spreads_their_return() -> None:
    world = World(Limits(reconnect_window_ms=10_000))
    clients = [world.client() for _ in range(30)]
    clients[0].subscribe("$sys.daemon.stopping", "a")
    clients[1].post({"type": "publish", "topic": "a", "data": "last words", "id": 1})
    world.hub.drain()
    delays = set()
    for client in clients:
        bye = client.ever("bye")[0]
        assert bye["code"] == client.closed == 1012
        assert client.ever("error") == []
        assert 0 <= bye["reconnect_after_ms"] <= 10_000
        delays.add(bye["reconnect_after_ms"])
    assert len(delays) > 20
    assert clients[1].ever("ack") == [{"type": "ack", "id": 1, "seq": 1}]
    assert [event["topic"] for event in clients[0].ever("event")] == ["a", "$sys.daemon.stopping"]
    for client in clients:
        client.session.lost()
    assert world.is_clean()


def test_a_window_of_zero_asks_everyone_back_at_once() -> None:
    world = World(Limits(reconnect_window_ms=0))
    client = world.client()
    world.hub.drain()
    assert client.ever("bye")[0]["reconnect_after_ms"] == 0


def test_a_drain_waits_for_who_has_something_to_read_and_not_for_who_has_not() -> None:
    world = World(Limits(drain_timeout_ms=7_000, close_timeout_ms=1_000))
    idle, slow = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    idle.publish("a", "much")
    world.hub.drain()
    assert (idle.sink.timeout, slow.sink.timeout) == (1.0, 7.0)


def test_revoking_a_subject_and_a_token_ends_the_connections_of_either() -> None:
    async def authenticate(token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
        subject, _, token_id = (token or "").partition("/")
        return Verified(subject=subject, permissions=EVERYTHING, token_id=token_id)

    world = World(authenticator=authenticate)
    alice, bob, carol = (world.client(token=token) for token in ("alice/1", "bob/2", "carol/3"))
    assert world.hub.revoke(subject="alice", token_id="2") == 2
    assert (alice.closed, bob.closed, carol.closed) == (4401, 4401, None)


def test_a_draining_broker_takes_nobody_in(world: World) -> None:
    world.hub.drain()
    client = world.connect()
    error, bye = client.take()
    assert error["code"] == "SHUTTING_DOWN"
    assert bye["code"] == client.closed == 1012


def test_a_closing_client_is_heard_no_more_and_forgotten_when_it_is_gone(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    world.hub.disconnect(client.session.client_id)
    client.take()
    client.publish("a")
    client.session.malformed("too late")
    client.session.resumed()
    world.clock.settle()
    assert client.take() == []
    assert world.engine.head == 0
    assert list(world.hub.sessions) == [client.session.client_id]
    client.session.lost()
    assert world.is_clean()


def test_the_broker_counts_connections_and_publishes(world: World) -> None:
    client = world.client()
    client.subscribe("a")
    for n in range(3):
        client.publish("a", n)
    client.session.lost()
    stats = world.hub.stats
    assert (stats.connections_opened, stats.connections_closed) == (1, 1)
    assert (stats.publishes, stats.publish_bytes, stats.deliveries) == (3, 3, 3)
    assert stats.latency.count == 3


def test_interest_is_told_to_the_engine_once_a_pattern() -> None:
    told: list[tuple[str, bool]] = []

    class Told(MemoryEngine):
        def interest(self, pattern: str, wanted: bool) -> None:
            told.append((pattern, wanted))

    world = World(engine_class=Told)
    one, two = world.client(), world.client()
    one.subscribe("a", {"pattern": "a", "sub": "again"})
    two.subscribe("a")
    assert told == [("a", True)]
    one.session.lost()
    assert told == [("a", True)]
    two.say(type="unsubscribe", id=1, subs=["a"])
    assert told == [("a", True), ("a", False)]
