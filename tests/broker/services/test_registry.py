"""The registry: who may be there, how absence is told, and what a last will is worth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions, Ping, Publish

from .callers import Caller, MovableClock, a_moment, running, until

TTL = 10_000


async def by_name(token: str | None, metadata: dict[str, Any]) -> Verified:
    """Everybody is who they say; `guest` may publish nothing but its own status."""
    if token is None:
        raise SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
    if token == "guest":
        some = Permissions(publish=["guest.#"], subscribe=["#"], call=["registry.*"])
        return Verified(subject=token, permissions=some)
    return Verified(subject=token, permissions=EVERYTHING)


@pytest.fixture(name="broker")
async def _broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


@pytest.fixture(name="strict")
async def _strict(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    """A broker where everybody logs in by name."""
    async with running(monkeypatch, by_name) as broker:
        yield broker


class Watcher:
    """What is told of the registry, and by last wills."""

    def __init__(self, broker: Broker) -> None:
        self._caller = Caller(broker, token="watcher")
        self._caller.session.receive(
            encode(
                {
                    "type": "subscribe",
                    "id": 0,
                    "subscriptions": [{"pattern": "registry.#"}, {"pattern": "will.#"}, {"pattern": "worker.#"}],
                }
            )
        )

    async def told(self) -> list[str]:
        """What was told since the last look: `registered a1`, or the topic of something else."""
        await a_moment()
        self._caller.session.receive(encode(Ping()))  # so that it is taken for alive
        events, self._caller.events = self._caller.events, []
        return [
            f"{event['data']['event']} {event['data']['id']}"
            if event["topic"].startswith("registry.")
            else event["topic"]
            for event in events
        ]


async def registered(caller: Caller, id: str, **more: Any) -> Any:
    return await caller.call("registry.register", **{"id": id, "name": id, "kind": "agent", "ttl": TTL, **more})


async def refused(answer: Any, code: ErrorCode, field: str | None) -> str:
    with pytest.raises(SwarmwireError) as raised:
        await answer
    assert (raised.value.code, raised.value.field) == (code, field), raised.value
    return raised.value.message


async def advance(seconds: float, *alive: Caller) -> None:
    """Let time pass, second by second; who is alive says a word in each."""
    for _ in range(round(seconds)):
        for caller in alive:
            caller.session.receive(encode(Ping()))
        await MovableClock.latest.advance(1.0)


# ---- registering


async def test_who_registers_is_listed_with_all_it_says_of_itself(broker: Broker) -> None:
    caller = Caller(broker)
    being = await registered(
        caller, "w.1", kind="worker", capabilities=["cpu", "gpu", "cpu"], metadata={"host": "a"}, status="idle"
    )
    assert (being["state"], being["capabilities"], being["metadata"]) == ("online", ["cpu", "gpu"], {"host": "a"})
    assert being["client_id"] == caller.id
    assert await caller.call("registry.get", id="w.1") == being
    assert await caller.call("registry.list") == {"count": 1, "beings": [being]}


async def test_nobody_is_shown_who_holds_a_being(broker: Broker) -> None:
    being = await registered(Caller(broker, "secret-instance"), "a", owner="secret-owner")
    assert "secret" not in str(being)


async def test_without_an_id_the_broker_makes_one_and_many_may_share_a_name(broker: Broker) -> None:
    caller = Caller(broker)
    ids = {(await caller.call("registry.register", name="worker", kind="worker"))["id"] for _ in range(3)}
    listed = await caller.call("registry.list", name="worker")
    assert {being["id"] for being in listed["beings"]} == ids
    assert len(ids) == 3


async def test_the_list_filters_by_kind_name_state_and_every_capability(broker: Broker) -> None:
    caller, other = Caller(broker), Caller(broker)
    await registered(caller, "a", capabilities=["x", "y"])
    await registered(caller, "b", capabilities=["x"])
    await registered(other, "c", kind="worker")
    other.vanish()
    await a_moment()

    async def listed(**filters: Any) -> list[str]:
        return [being["id"] for being in (await caller.call("registry.list", **filters))["beings"]]

    assert await listed() == ["a", "b", "c"]
    assert await listed(kind="agent") == ["a", "b"]
    assert await listed(capabilities=["x", "y"]) == ["a"]
    assert await listed(name="b") == ["b"]
    assert await listed(state="suspect") == ["c"]
    assert await listed(kind="nothing") == []
    assert await caller.call("registry.list", limit=1, offset=1) == {
        "count": 3,
        "beings": [await caller.call("registry.get", id="b")],
    }


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"ttl": 999}, "params.ttl"),
        ({"ttl": 86_400_001}, "params.ttl"),
        ({"name": ""}, "params.name"),
        ({"name": "a\nb"}, "params.name"),
        ({"name": "a\n"}, "params.name"),
        ({"id": "x" * 129}, "params.id"),
        ({"metadata": [1]}, "params.metadata"),
        ({"capabilities": "x"}, "params.capabilities"),
        ({"will": {"topic": "a"}}, "params.will.data"),
    ],
)
async def test_what_is_wrong_with_a_registration_is_named(broker: Broker, params: Any, field: str) -> None:
    await refused(
        registered(Caller(broker), "a", **params)
        if "id" not in params
        else Caller(broker).call("registry.register", name="a", kind="b", **params),
        ErrorCode.INVALID_MESSAGE,
        field,
    )


async def test_an_id_too_long_for_a_topic_is_refused(broker: Broker) -> None:
    await refused(registered(Caller(broker), "." * 128, kind="." * 64), ErrorCode.INVALID_TOPIC, "params.id")


async def test_too_much_metadata_is_refused_and_as_much_as_allowed_is_taken(broker: Broker) -> None:
    caller = Caller(broker)
    fits = {"x": "y" * (16 * 1024 - len('{"x":""}'))}
    assert (await registered(caller, "a", metadata=fits))["metadata"] == fits
    more = {"x": fits["x"] + "y"}
    await refused(registered(caller, "b", metadata=more), ErrorCode.MESSAGE_TOO_LARGE, "params.metadata")


async def test_there_are_at_most_so_many_beings_of_a_client_and_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(max_registrations=3, max_registrations_per_client=2)
    async with running(monkeypatch, limits=limits) as broker:
        one, two = Caller(broker), Caller(broker)
        first = await registered(one, "a")
        await registered(one, "b")
        await refused(registered(one, "c"), ErrorCode.LIMIT_EXCEEDED, None)
        await registered(two, "c")
        await refused(registered(two, "d"), ErrorCode.LIMIT_EXCEEDED, None)
        await one.call("registry.unregister", id="a", epoch=first["epoch"])
        await registered(two, "d")


# ---- one id, one being


async def test_another_subject_that_registers_a_live_id_is_a_conflict(strict: Broker) -> None:
    await registered(Caller(strict, token="ann"), "a")
    await refused(registered(Caller(strict, token="bob"), "a"), ErrorCode.CONFLICT, "params.id")


async def test_the_same_subject_takes_its_id_over_with_a_higher_epoch(strict: Broker) -> None:
    former, newer = Caller(strict, token="ann"), Caller(strict, token="ann")
    before = await registered(former, "a")
    after = await registered(newer, "a")
    assert after["epoch"] > before["epoch"]
    for method in ("registry.heartbeat", "registry.unregister"):
        await refused(former.call(method, id="a", epoch=before["epoch"]), ErrorCode.FENCED, "params.epoch")
    await refused(registered(former, "a", epoch=before["epoch"]), ErrorCode.FENCED, "params.epoch")
    former.leave()
    await a_moment()
    assert (await newer.call("registry.get", id="a"))["state"] == "online"


async def test_a_fenced_client_may_not_publish_for_the_being_and_others_may(strict: Broker) -> None:
    former, newer = Caller(strict, token="ann"), Caller(strict, token="ann")
    await registered(former, "a.1")
    await registered(newer, "a.1")

    def codes(caller: Caller, topic: str) -> list[str]:
        before = len(caller.sink.received)
        caller.session.receive(encode(Publish(topic=topic, data=encode(1), id=99)))  # type: ignore[arg-type]
        strict.hub.delivery.flush()
        return [message.get("code", "ok") for message in caller.sink.received[before:]]

    for topic in ("agent.a%2E1.status", "agent.a%2E1"):
        assert codes(former, topic) == ["FENCED"]
        assert codes(newer, topic) == ["ok"]
    for topic in ("agent.a2.status", "worker.a%2E1.status", "agent"):
        assert codes(former, topic) == ["ok"]


async def test_the_fence_is_gone_with_the_being(strict: Broker) -> None:
    former, newer = Caller(strict, token="ann"), Caller(strict, token="ann")
    await registered(former, "a")
    after = await registered(newer, "a")
    await newer.call("registry.unregister", id="a", epoch=after["epoch"])
    former.session.receive(encode(Publish(topic="agent.a.status", data=encode(1), id=9)))  # type: ignore[arg-type]
    await a_moment()
    assert former.sink.received[-1]["type"] == "ack"


async def test_at_most_sixteen_former_holders_are_fenced(strict: Broker) -> None:
    callers = [Caller(strict, token="ann") for _ in range(20)]
    for caller in callers:
        await registered(caller, "a")
    for caller in callers:
        caller.session.receive(encode(Publish(topic="agent.a", data=encode(1), id=9)))  # type: ignore[arg-type]
    await a_moment()
    answers = [caller.sink.received[-1]["type"] for caller in callers]
    assert answers == ["ack"] * 3 + ["error"] * 16 + ["ack"]


async def test_the_same_holder_keeps_its_epoch_over_a_reconnect(strict: Broker) -> None:
    before = Caller(strict, "instance", token="ann")
    first = await registered(before, "a", owner="o")
    before.vanish()
    await a_moment()
    after = Caller(strict, "instance", token="ann")
    again = await registered(after, "a", owner="o", epoch=first["epoch"])
    assert (again["epoch"], again["state"], again["client_id"]) == (first["epoch"], "online", after.id)


async def test_an_id_that_its_connection_left_behind_is_free_for_who_did_not_log_in_either(broker: Broker) -> None:
    before, after = Caller(broker), Caller(broker)
    first = await registered(before, "a")
    await refused(registered(after, "a"), ErrorCode.CONFLICT, "params.id")
    before.vanish()
    await a_moment()
    assert (await registered(after, "a"))["epoch"] > first["epoch"]


async def test_a_being_keeps_its_kind(broker: Broker) -> None:
    caller = Caller(broker)
    await registered(caller, "a")
    await refused(registered(caller, "a", kind="worker"), ErrorCode.CONFLICT, "params.kind")


async def test_another_subject_cannot_speak_for_a_being_even_with_its_epoch(strict: Broker) -> None:
    being = await registered(Caller(strict, token="ann"), "a")
    bob = Caller(strict, token="bob")
    for method in ("registry.heartbeat", "registry.unregister"):
        await refused(bob.call(method, id="a", epoch=being["epoch"]), ErrorCode.PERMISSION_DENIED, "params.id")


async def test_who_was_never_registered_is_not_found(broker: Broker) -> None:
    caller = Caller(broker)
    await refused(caller.call("registry.get", id="a"), ErrorCode.NOT_FOUND, "params.id")
    await refused(caller.call("registry.heartbeat", id="a", epoch=1), ErrorCode.NOT_FOUND, "params.id")


# ---- what is told


async def test_every_change_is_told_on_the_topic_of_the_being_and_nothing_else_is(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    being = await registered(caller, "a")
    await caller.call("registry.heartbeat", id="a", epoch=being["epoch"])
    await caller.call("registry.heartbeat", id="a", epoch=being["epoch"], status="busy")
    await caller.call("registry.heartbeat", id="a", epoch=being["epoch"], status="busy")
    await registered(caller, "a", status="busy")
    await caller.call("registry.unregister", id="a", epoch=being["epoch"])
    assert await watcher.told() == ["registered a", "updated a", "gone a"]


async def test_the_last_event_of_each_topic_is_who_is_there(broker: Broker) -> None:
    caller = Caller(broker)
    first = await registered(caller, "a")
    await registered(caller, "b")
    await caller.call("registry.unregister", id="a", epoch=first["epoch"])
    events = broker.subscribe("registry.agent.*", from_="latest")
    event: Any = await anext(events)
    assert event.data["id"] == "b"
    await events.aclose()


async def test_workers_are_told_of_as_they_come_and_go(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    being = await registered(caller, "w.1", kind="worker")
    await caller.call("registry.unregister", id="w.1", epoch=being["epoch"])
    assert await watcher.told() == ["registered w.1", "worker.w%2E1.added", "gone w.1", "worker.w%2E1.removed"]


@pytest.mark.parametrize("topic", ["registry.agent.a", "worker.w.added", "worker.w.removed"])
async def test_nobody_else_publishes_on_the_topics_of_the_registry(broker: Broker, topic: str) -> None:
    with pytest.raises(SwarmwireError) as raised:
        await broker.publish(topic, {"event": "gone"})
    assert raised.value.code is ErrorCode.PERMISSION_DENIED


# ---- absence


async def test_a_lost_connection_makes_suspect_and_a_ttl_later_gone_with_its_will_once(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    await registered(caller, "a", will={"topic": "will.a", "data": {"why": 1}, "headers": {"h": "1"}})
    caller.vanish()
    assert await watcher.told() == ["registered a", "suspect a"]
    await advance(9)
    assert await watcher.told() == []
    await advance(2)
    await advance(60)
    assert await watcher.told() == ["gone a", "will.a"]


async def test_a_will_says_whom_it_is_from_and_what_it_was_given(broker: Broker) -> None:
    caller = Caller(broker)
    wills = broker.subscribe("will.#")
    await registered(caller, "a", will={"topic": "will.a", "data": {"why": 1}, "headers": {"h": "1"}})
    caller.vanish()
    await advance(11)
    event: Any = await anext(wills)
    assert (event.data, event.sender, event.headers) == ({"why": 1}, f"anonymous:{caller.id}", {"h": "1"})
    await wills.aclose()


async def test_a_bye_is_gone_at_once_and_leaves_no_will(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    await registered(caller, "a", will={"topic": "will.a", "data": 1})
    caller.leave()
    assert await watcher.told() == ["registered a", "gone a"]


async def test_unregistering_is_gone_at_once_and_leaves_no_will(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    being = await registered(caller, "a", will={"topic": "will.a", "data": 1})
    answer = await caller.call("registry.unregister", id="a", epoch=being["epoch"])
    assert answer["state"] == "gone"
    await advance(60)
    assert await watcher.told() == ["registered a", "gone a"]


async def test_who_comes_back_in_time_is_online_again_and_stays(broker: Broker) -> None:
    watcher, before = Watcher(broker), Caller(broker, "instance")
    being = await registered(before, "a")
    before.vanish()
    await advance(8)
    after = Caller(broker, "instance")
    await registered(after, "a", epoch=being["epoch"])
    await advance(60, after)
    assert await watcher.told() == ["registered a", "suspect a", "online a"]


async def test_a_heartbeat_over_another_connection_of_the_holder_is_enough_to_be_back(broker: Broker) -> None:
    watcher, before = Watcher(broker), Caller(broker, "instance")
    being = await registered(before, "a")
    before.vanish()
    after = Caller(broker, "instance")
    await after.call("registry.heartbeat", id="a", epoch=being["epoch"])
    await advance(60, after)
    assert await watcher.told() == ["registered a", "suspect a", "online a"]


async def test_traffic_counts_as_a_heartbeat(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    await registered(caller, "a", ttl=1_000)
    await advance(120, caller)
    assert await watcher.told() == ["registered a"]


async def test_a_silent_connection_does_not_keep_its_beings(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    await registered(caller, "a", ttl=1_000)
    await advance(40)
    assert await watcher.told() == ["registered a", "suspect a", "gone a"]


async def test_over_http_a_being_lives_by_its_heartbeats_alone(broker: Broker) -> None:
    watcher = Watcher(broker)
    being = await registered(Caller(broker, brief=True), "a")
    for _ in range(3):
        await advance(8)
        await Caller(broker, brief=True).call("registry.heartbeat", id="a", epoch=being["epoch"])
    assert await watcher.told() == ["registered a"]
    await advance(11)
    assert await watcher.told() == ["suspect a"]
    await advance(11)
    assert await watcher.told() == ["gone a"]


# ---- last wills


@pytest.mark.parametrize(
    ("will", "code", "field"),
    [
        ({"topic": "elsewhere.a", "data": 1}, ErrorCode.PERMISSION_DENIED, "params.will.topic"),
        ({"topic": "guest..a", "data": 1}, ErrorCode.INVALID_TOPIC, "params.will.topic"),
        ({"topic": "$sys.a", "data": 1}, ErrorCode.PERMISSION_DENIED, "params.will.topic"),
        ({"topic": "registry.agent.b", "data": 1}, ErrorCode.PERMISSION_DENIED, "params.will.topic"),
        ({"topic": "guest.a", "data": "x" * 16_383}, ErrorCode.MESSAGE_TOO_LARGE, "params.will.data"),
        (
            {"topic": "guest.a", "data": 1, "headers": {"h": "x" * 9_000}},
            ErrorCode.INVALID_MESSAGE,
            "params.will.headers",
        ),
    ],
)
async def test_a_will_is_held_to_what_its_owner_may_publish(
    strict: Broker, will: dict[str, Any], code: ErrorCode, field: str
) -> None:
    await refused(registered(Caller(strict, token="guest"), "a", will=will), code, field)


async def test_a_will_may_be_left_where_one_may_publish(strict: Broker) -> None:
    await registered(Caller(strict, token="guest"), "a", will={"topic": "guest.a", "data": "x" * 16_382})


async def test_a_registration_that_goes_on_replaces_its_will(broker: Broker) -> None:
    watcher, caller = Watcher(broker), Caller(broker)
    await registered(caller, "a", will={"topic": "will.first", "data": 1})
    await registered(caller, "a", will={"topic": "will.second", "data": 1})
    caller.vanish()
    await advance(11)
    assert await watcher.told() == ["registered a", "updated a", "suspect a", "gone a", "will.second"]


# ---- restarts


@asynccontextmanager
async def durable(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncGenerator[Broker]:
    async with running(monkeypatch, by_name, data=folder) as broker:
        yield broker


async def test_after_a_restart_beings_are_suspect_with_a_full_ttl_and_come_back_with_their_epoch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with durable(monkeypatch, tmp_path) as broker:
        one = Caller(broker, "instance", token="ann")
        first = await registered(one, "a", owner="o", capabilities=["x"], metadata={"m": 1})
        await registered(one, "b", will={"topic": "will.b", "data": 1})
        await advance(9, one)
    async with durable(monkeypatch, tmp_path) as broker:
        wills = broker.subscribe("will.#")
        again = Caller(broker, "instance", token="ann")
        listed = await again.call("registry.list")
        assert [(being["id"], being["state"]) for being in listed["beings"]] == [("a", "suspect"), ("b", "suspect")]
        await advance(9, again)
        back = await registered(again, "a", owner="o", epoch=first["epoch"], capabilities=["x"], metadata={"m": 1})
        assert (back["epoch"], back["state"]) == (first["epoch"], "online")
        await advance(2, again)
        will: Any = await asyncio.wait_for(anext(wills), 10)
        await a_moment()
        assert (will.topic, (await again.call("registry.list"))["count"]) == ("will.b", 1)
        await wills.aclose()


async def test_a_fence_stands_after_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with durable(monkeypatch, tmp_path) as broker:
        await registered(Caller(broker, "former", token="ann"), "a")
        await registered(Caller(broker, "newer", token="ann"), "a")
    async with durable(monkeypatch, tmp_path) as broker:
        former, newer = (Caller(broker, name, token="ann") for name in ("former", "newer"))
        await a_moment()  # until they are logged in
        for caller in (former, newer):
            caller.session.receive(encode(Publish(topic="agent.a.x", data=encode(1), id=9)))  # type: ignore[arg-type]
        await until(lambda: newer.sink.received[-1]["type"] == "ack")
        assert former.sink.received[-1]["code"] == "FENCED"


async def test_limits_count_what_was_registered_before_a_restart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limits = Limits(max_registrations=1)
    async with running(monkeypatch, data=tmp_path, limits=limits) as broker:
        await registered(Caller(broker), "a")
    async with running(monkeypatch, data=tmp_path, limits=limits) as broker:
        await refused(registered(Caller(broker), "b"), ErrorCode.LIMIT_EXCEEDED, None)
