"""Logging in, renewing, expiring, being revoked, and what narrowed permissions end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarmwire_broker.core.ports import Peer, Verified
from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .fakes import Client, DeepEngine, Gate, Message, World

SECRET = "the text of an exception"
ALL = Permissions(publish=["#"], subscribe=["#"], call=["#"])


def beat(world: World, client: Client, seconds: float) -> None:
    """Let time pass for a client that keeps talking."""
    while seconds > 0:
        client.post({"type": "pong"})
        world.clock.advance(min(seconds, 5.0))
        seconds -= 5.0


class Door:
    """An authenticator: tokens by name, and errors or a gate in their place."""

    def __init__(self) -> None:
        self.tokens: dict[str | None, Verified | Exception | Gate] = {
            "good": Verified(subject="alice", permissions=ALL)
        }
        self.asked: list[tuple[str | None, dict[str, Any], str]] = []

    async def __call__(self, token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
        self.asked.append((token, metadata, peer.address))
        answer = self.tokens.get(token, SwarmwireError(ErrorCode.AUTHENTICATION_FAILED))
        if isinstance(answer, Gate):
            await answer
            answer = Verified(subject="alice", permissions=ALL)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def guarded(door: Door) -> World:
    return World(authenticator=door)


def closing(client: Client) -> list[tuple[str, Any]]:
    return [(message["type"], message["code"]) for message in client.take()]


def test_a_token_proves_who_a_client_is(guarded: World, door: Door) -> None:
    client = guarded.connect()
    [welcome] = client.hello(token="good", metadata={"team": "x"})
    assert welcome["identity"] == {
        "subject": "alice",
        "permissions": {"publish": ["#"], "subscribe": ["#"], "call": ["#"]},
    }
    assert door.asked == [("good", {"team": "x"}, "10.0.0.1")]
    client.subscribe("a")
    assert client.publish("a")[0]["from"] == "alice"


def test_a_token_that_came_with_the_request_counts_where_the_hello_has_none(guarded: World) -> None:
    assert guarded.connect(token="good").hello()[0]["type"] == "welcome"
    assert guarded.connect(token="good").hello(token="bad")[0]["code"] == "AUTHENTICATION_FAILED"


@pytest.mark.parametrize("token", [None, "bad"])
def test_a_wrong_token_closes(guarded: World, token: str | None) -> None:
    client = guarded.connect()
    client.hello(token=token)
    assert [message["type"] for message in client.sink.received] == ["error", "bye"]
    assert client.ever("error")[0]["code"] == "AUTHENTICATION_FAILED"
    assert client.closed == 4401
    client.session.lost()
    assert guarded.is_clean()


@pytest.mark.parametrize(
    ("raised", "code", "close"),
    [
        (RuntimeError(SECRET), "AUTHENTICATION_FAILED", 4401),
        (SwarmwireError(ErrorCode.CONFLICT, SECRET), "AUTHENTICATION_FAILED", 4401),
        (SwarmwireError(ErrorCode.TOKEN_EXPIRED), "TOKEN_EXPIRED", 4401),
        (SwarmwireError(ErrorCode.UNAVAILABLE), "UNAVAILABLE", 1013),
    ],
)
def test_whatever_an_authenticator_raises_is_a_refusal_without_its_text(
    guarded: World, door: Door, raised: Exception, code: str, close: int
) -> None:
    door.tokens["odd"] = raised
    client = guarded.connect()
    client.hello(token="odd")
    assert client.ever("error")[0]["code"] == code
    assert client.closed == close
    assert SECRET not in str(client.sink.received)
    assert guarded.clock.failures == []


class PromptDoor(Door):
    """The same, which tells at once what it knows at once; a name it does not know must be awaited."""

    def at_once(self, token: str | None, peer: Peer) -> Verified | None:
        self.asked.append((token, {}, peer.address))
        answer = self.tokens.get(token)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Verified) else None


@pytest.fixture
def prompt() -> PromptDoor:
    return PromptDoor()


def test_an_authenticator_that_tells_at_once_is_not_awaited(prompt: PromptDoor) -> None:
    world = World(authenticator=prompt)
    client = world.connect(token="good")
    client.post({"type": "hello", "versions": ["1"], "client": {"name": "test"}})
    assert next(iter(world.hub.sessions.values())).is_welcome, "not a turn later"
    world.clock.settle()
    assert [message["type"] for message in client.take()] == ["welcome"]
    assert prompt.asked == [("good", {}, "10.0.0.1")]


def test_what_cannot_be_told_at_once_is_awaited(prompt: PromptDoor) -> None:
    prompt.tokens["later"] = gate = Gate()
    world = World(authenticator=prompt)
    client = world.connect()
    assert client.hello(token="later") == []
    gate.open()
    world.clock.settle()
    assert [message["type"] for message in client.take()] == ["welcome"]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (SwarmwireError(ErrorCode.TOKEN_EXPIRED), "TOKEN_EXPIRED"),
        (SwarmwireError(ErrorCode.CONFLICT, SECRET), "AUTHENTICATION_FAILED"),
        (RuntimeError(SECRET), "AUTHENTICATION_FAILED"),
    ],
)
def test_a_refusal_at_once_is_as_one_that_was_awaited(prompt: PromptDoor, raised: Exception, told: str) -> None:
    prompt.tokens["bad"] = raised
    answers = []
    for door in (prompt, Door()):
        door.tokens["bad"] = raised
        world = World(authenticator=door)
        client = world.connect()
        answers.append((client.hello(token="bad"), client.closed, world.hub.stats.logins_failed))
    assert answers[0] == answers[1]
    assert answers[0][0][0]["code"] == told
    assert SECRET not in str(answers)


def test_a_login_slower_than_its_time_is_refused_and_its_late_answer_ignored(guarded: World, door: Door) -> None:
    gate = door.tokens["slow"] = Gate()
    client = guarded.connect()
    client.hello(token="slow")
    guarded.clock.advance(guarded.hub.limits.auth_timeout_ms / 1000 + 0.01)
    assert client.closed == 4401
    assert client.ever("error")[0]["code"] == "AUTHENTICATION_FAILED"
    gate.open()
    guarded.clock.settle()
    assert client.ever("welcome") == []
    client.session.lost()
    assert guarded.is_clean()


def test_what_comes_during_a_login_waits_for_it(guarded: World, door: Door) -> None:
    gate = door.tokens["slow"] = Gate()
    client = guarded.connect()
    client.hello(token="slow")
    client.publish("a", id=1)
    assert client.sink.received == []
    assert not client.sink.is_reading
    gate.open()
    guarded.clock.settle()
    assert [message["type"] for message in client.take()] == ["welcome", "ack"]
    assert client.sink.is_reading


def test_a_client_that_leaves_during_its_login_leaves_nothing(guarded: World, door: Door) -> None:
    gate = door.tokens["slow"] = Gate()
    client = guarded.connect()
    client.hello(token="slow")
    client.session.lost()
    gate.open()
    guarded.clock.settle()
    assert guarded.is_clean()


def test_an_address_whose_logins_keep_failing_is_held_off(door: Door) -> None:
    world = World(authenticator=door, rates=Rates(failed_logins=RateLimit(rate=1, burst=2)))
    for _ in range(2):
        world.connect(address="10.0.0.9").hello(token="bad")
    asked = len(door.asked)
    client = world.connect(address="10.0.0.9")
    client.hello(token="good")
    assert (client.ever("error")[0]["code"], client.closed) == ("RATE_LIMIT_EXCEEDED", 1013)
    assert client.ever("error")[0]["retry_after_ms"] > 0
    assert len(door.asked) == asked
    assert world.connect(address="10.0.0.8").hello(token="good")[0]["type"] == "welcome"
    world.clock.advance(3)
    assert world.connect(address="10.0.0.9").hello(token="good")[0]["type"] == "welcome"


# ---- renewing


@pytest.fixture
def alice(guarded: World) -> Client:
    return guarded.client(token="good")


def test_a_renewed_token_takes_the_place_of_the_old_one(guarded: World, door: Door, alice: Client) -> None:
    soon = guarded.clock.now_ms() + 5_000
    door.tokens["first"] = Verified(subject="alice", permissions=ALL, expires_at=soon)
    door.tokens["second"] = Verified(subject="alice", permissions=ALL, expires_at=soon + 5_000)
    assert alice.say(type="auth", id="r", token="first") == [{"type": "ack", "id": "r"}]
    assert alice.say(type="auth", id="s", token="second") == [{"type": "ack", "id": "s"}]
    guarded.clock.advance(6)
    assert alice.closed is None
    guarded.clock.advance(5)
    assert alice.closed == 4401


@pytest.mark.parametrize("token", ["bad", "broken"])
def test_a_renewal_that_fails_is_answered_and_the_connection_stays_what_it_was(
    door: Door, alice: Client, token: str
) -> None:
    door.tokens["broken"] = RuntimeError(SECRET)
    [error] = alice.say(type="auth", id=5, token=token)
    assert (error["code"], error["id"]) == ("AUTHENTICATION_FAILED", 5)
    assert SECRET not in str(error)
    assert alice.closed is None
    assert alice.publish("a", id=1)[0]["type"] == "ack"


def test_a_renewal_cannot_change_who_somebody_is(door: Door, alice: Client) -> None:
    door.tokens["other"] = Verified(subject="bob", permissions=ALL)
    [error] = alice.say(type="auth", id=5, token="other")
    assert (error["code"], error["field"], error["id"]) == ("PERMISSION_DENIED", "token", 5)
    alice.subscribe("a")
    assert alice.publish("a")[0]["from"] == "alice"


def test_a_renewal_that_is_never_decided_fails_in_time_and_reading_goes_on(
    guarded: World, door: Door, alice: Client
) -> None:
    gate = door.tokens["slow"] = Gate()
    alice.say(type="auth", id=5, token="slow")
    assert alice.publish("a", id=6) == []
    guarded.clock.advance(guarded.hub.limits.auth_timeout_ms / 1000 + 0.01)
    answers = [message for message in alice.take() if "id" in message]
    assert [(answer["type"], answer["id"]) for answer in answers] == [("error", 5), ("ack", 6)]
    assert answers[0]["code"] == "AUTHENTICATION_FAILED"
    gate.open()
    guarded.clock.settle()
    assert alice.take() == []
    assert alice.sink.is_reading


def test_guessing_tokens_on_a_live_connection_is_held_off_too(door: Door) -> None:
    world = World(authenticator=door, rates=Rates(failed_logins=RateLimit(rate=1, burst=3)))
    client = world.client(token="good")
    codes = [client.say(type="auth", id=n, token=f"guess{n}")[0]["code"] for n in range(5)]
    assert codes == ["AUTHENTICATION_FAILED"] * 3 + ["RATE_LIMIT_EXCEEDED"] * 2


def test_without_logins_a_token_is_ignored(world: World) -> None:
    client = world.connect()
    assert client.hello(token="whatever")[0]["type"] == "welcome"
    assert client.say(type="auth", id=1, token="whatever") == [{"type": "ack", "id": 1}]


# ---- the end of a token


def test_an_expired_token_ends_the_connection_at_its_time(guarded: World, door: Door) -> None:
    end = guarded.clock.now_ms() + 3_000
    door.tokens["short"] = Verified(subject="alice", permissions=ALL, expires_at=end)
    client = guarded.connect()
    [welcome] = client.hello(token="short")
    assert welcome["identity"]["expires_at"] == end
    guarded.clock.advance(2.99)
    assert client.closed is None
    guarded.clock.advance(0.02)
    assert closing(client) == [("error", "TOKEN_EXPIRED"), ("bye", 4401)]
    assert client.closed == 4401


def test_a_far_expiry_takes_no_century_of_timer(guarded: World, door: Door) -> None:
    door.tokens["long"] = Verified(subject="alice", permissions=ALL, expires_at=guarded.clock.now_ms() + 10**12)
    assert guarded.connect().hello(token="long")[0]["type"] == "welcome"
    guarded.clock.advance(1)


@pytest.mark.parametrize("minutes", [0.3, 0.6, 1, 10.01])
def test_an_end_that_is_far_at_the_login_is_kept_to_the_second(guarded: World, door: Door, minutes: float) -> None:
    end = guarded.clock.now_ms() + round(minutes * 60_000)
    door.tokens["long"] = Verified(subject="alice", permissions=ALL, expires_at=end)
    client = guarded.connect()
    client.hello(token="long")
    beat(guarded, client, minutes * 60 - 0.01)
    assert client.closed is None
    guarded.clock.advance(0.02)
    assert client.closed == 4401


def test_a_far_end_costs_no_timer(guarded: World, door: Door) -> None:
    far = Verified(subject="alice", permissions=ALL, expires_at=guarded.clock.now_ms() + 10**9)
    door.tokens["long"], door.tokens["endless"] = far, Verified(subject="alice", permissions=ALL)
    guarded.connect().hello(token="endless")
    timers = guarded.clock.timers
    guarded.connect().hello(token="long")
    assert guarded.clock.timers == timers


@pytest.mark.parametrize("by", [{"subject": "alice"}, {"token_id": "t1"}])
def test_a_revoked_login_is_closed_at_once_and_nobody_else(door: Door, guarded: World, by: dict[str, str]) -> None:
    door.tokens["t1"] = Verified(subject="alice", permissions=ALL, token_id="t1")
    door.tokens["t2"] = Verified(subject="bob", permissions=ALL, token_id="t2")
    alice, bob = guarded.client(token="t1"), guarded.client(token="t2")
    assert guarded.hub.revoke(**by) == 1
    assert closing(alice)[-1] == ("bye", 4401)
    assert alice.closed == 4401
    assert bob.closed is None


# ---- permissions, live


def test_a_subscription_needs_containment(guarded: World, door: Door) -> None:
    door.tokens["some"] = Verified(
        subject="eve", permissions=Permissions(subscribe=["agent.*", "task.#"], publish=["agent.a"], call=["x"])
    )
    client = guarded.client(token="some")
    patterns = ["agent.a", "agent.*", "task.1.done", "task.*", "agent.#", "#", "*", "other", "$sys.#"]
    [ack] = client.subscribe(*patterns)
    allowed = ["error" not in result for result in ack["results"]]
    assert allowed == [True] * 4 + [False] * 5
    errors = [result["error"] for result in ack["results"] if "error" in result]
    assert {error["code"] for error in errors} == {"PERMISSION_DENIED"}
    assert errors[0]["field"] == "subscriptions[4].pattern"
    assert client.publish("agent.a", id=1)[0]["type"] == "ack"
    assert client.publish("agent.b", id=2)[0]["code"] == "PERMISSION_DENIED"
    assert client.say(type="call", id=3, method="y")[0]["code"] == "PERMISSION_DENIED"
    assert client.say(type="call", id=4, method="x")[0]["code"] == "METHOD_NOT_FOUND"


@pytest.mark.parametrize("mode", ["all", "drop_oldest", {"conflate_ms": 50}])
def test_a_narrowed_permission_ends_what_it_no_longer_covers_with_a_gap(
    guarded: World, door: Door, alice: Client, mode: Any
) -> None:
    alice.subscribe({"pattern": "a", "mode": mode}, {"pattern": "b", "mode": mode})
    alice.publish("a", 1)
    guarded.clock.advance(0.1)
    alice.take()
    door.tokens["narrow"] = Verified(subject="alice", permissions=Permissions(publish=["#"], subscribe=["b"]))
    alice.post({"type": "publish", "topic": "b", "data": 2})
    answers = alice.say(type="auth", id=9, token="narrow")
    [gap] = [message for message in answers if message["type"] == "gap"]
    assert (gap["sub"], gap["reason"], gap["to"]) == ("a", "denied", guarded.cursor(2))
    alice.publish("a", 3)
    alice.publish("b", 4)
    guarded.clock.advance(0.1)
    assert [event["topic"] for event in alice.ever("event") if event["data"] > 2] == ["b"]
    assert [one.name for one in alice.session.subscriptions] == ["b"]
    alice.take()
    assert alice.subscribe("a")[0]["code"] == "PERMISSION_DENIED"


def slow_reader(world: World) -> Client:
    client = world.client(token="good")
    client.subscribe("secret.#", {"pattern": "secret.#", "sub": "q", "mode": "drop_oldest"}, "open")
    client.take()
    client.sink.stall()
    return client


def test_what_waited_for_a_denied_subscription_is_never_sent(door: Door) -> None:
    world = World(Limits(outbox_bytes=1_000, page_bytes=300), authenticator=door)
    slow, writer = slow_reader(world), world.client(token="good")
    for n in range(40):
        writer.publish("secret.x", n)
        writer.publish("open", n)
    assert slow.session.outbox.is_behind
    written = slow.sink.buffered()
    assert world.hub.permit("alice", Permissions(publish=["#"], subscribe=["open"])) == 2
    slow.sink.drain()
    world.clock.settle()
    secret = [event for event in slow.ever("event") if event["topic"] == "secret.x"]
    assert len(secret) * 100 < written
    gaps = {gap["sub"]: gap for gap in slow.ever("gap") if gap["reason"] == "denied"}
    assert set(gaps) == {"secret.#", "q"}
    assert all(gap["to"] == world.cursor(80) for gap in gaps.values())
    for name, gap in gaps.items():
        after = int(gap["from"].partition(":")[2])
        got = [event["seq"] for event in secret if event.get("sub", "secret.#") == name]
        assert got == [entry.seq for entry in world.log if entry.seq <= after and entry.topic == "secret.x"]
    assert [event["data"] for event in slow.ever("event") if event["topic"] == "open"] == list(range(40))


def test_a_replay_that_is_denied_half_way_stops(door: Door) -> None:
    world = World(Limits(page_scan=5), authenticator=door)
    writer = world.client(token="good")
    for n in range(50):
        writer.publish("a", n)
    reader = world.client(token="good")
    reader.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "start"}]})
    for _ in range(4):
        world.clock.turn()
    world.hub.permit("alice", Permissions())
    world.clock.settle()
    [gap] = reader.ever("gap")
    assert 0 < len(reader.ever("event")) < 50
    assert (gap["from"], gap["to"]) == (world.cursor(len(reader.ever("event"))), world.cursor(50))
    assert reader.ever("live") == []


def test_permissions_narrowed_while_a_start_is_looked_up_still_count(door: Door) -> None:
    world = World(authenticator=door, engine_class=DeepEngine)
    client = world.client(token="good")
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": {"last": 5}}]})
    world.clock.turn()
    world.hub.permit("alice", Permissions(publish=["#"]))
    world.clock.settle()
    client.publish("a", 1)
    assert client.ever("event") == []
    assert len(client.session.subscriptions) == 0


Speak = Callable[[Client], list[Message]]


@pytest.mark.parametrize("speak", [lambda c: c.publish("$sys.x", id=1), lambda c: c.subscribe("$sys.#", id=1)])
def test_the_brokers_own_topics_need_an_admin_and_are_nobodys_to_publish(
    guarded: World, alice: Client, speak: Speak
) -> None:
    [error] = speak(alice)
    assert (error["code"], error["id"]) == ("PERMISSION_DENIED", 1)
