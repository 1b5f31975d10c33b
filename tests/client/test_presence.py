"""Being there: a registration that renews itself and knows when it was lost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, Presence, PresenceState, SwarmwireError, Will, connect
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.testing import BrokerFactory

PATIENCE = 20.0


def by_name(token: str | None, metadata: dict[str, Any]) -> Verified:
    """Everybody is who they say."""
    if token is None:
        raise SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
    return Verified(subject=token, permissions=EVERYTHING)


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    assert session is not None
    session._connection.abort()


async def lost(presence: Presence) -> SwarmwireError:
    return await asyncio.wait_for(presence.lost, PATIENCE)


def heartbeats_of(presence: Presence) -> asyncio.Queue[str]:
    """What a presence asks of the broker from now on, once it is answered."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    ask = presence._ask

    async def note(method: str, params: dict[str, Any], timeout: float | None) -> Any:
        answer = await ask(method, params, timeout)
        heard.put_nowait(method)
        return answer

    presence._ask = note
    return heard


async def next_changes(watch: Any, count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE):
        return [(await anext(watch)).event for _ in range(count)]


async def test_it_is_there_inside_the_block_and_gone_behind_it(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        registering = client.registry.register("worker-1", kind="worker", capabilities=["gpu"], status="idle")
        assert (registering.state.name, registering.epoch) == ("OUT", 0)
        async with registering as me:
            (being,) = await client.registry.list(kind="worker")
            assert being == me.being
            assert being.pid == os.getpid()
            assert (being.id, being.epoch, being.capabilities, being.status) == (me.id, me.epoch, ("gpu",), "idle")
            assert me.state.name == "HERE"
        assert await client.registry.list() == []
        assert me.state.name == "OUT"
        await me.unregister()


async def test_what_it_says_of_itself_changes_at_once_and_stays_over_a_reconnect(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url) as other,
        connect(server.url, base_delay=0.0) as client,
        client.registry.register("a", kind="agent", metadata={"load": 0}) as me,
        other.registry.watch() as watch,
    ):
        assert await next_changes(watch, 1) == ["registered"]
        await me.update({"load": 1})
        await me.update(status="busy")
        assert await next_changes(watch, 2) == ["updated", "updated"]
        epoch = me.epoch
        cut(client)
        assert await next_changes(watch, 2) == ["suspect", "online"]
        being = await other.registry.get(me.id)
        assert (being.metadata, being.status, being.epoch) == ({"load": 1}, "busy", epoch)
        assert me.epoch == epoch


async def test_it_renews_itself_before_its_ttl_has_passed(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.registry.register("a", kind="agent", ttl=1) as me:
        heard = heartbeats_of(me)
        async with asyncio.timeout(PATIENCE):
            assert [await heard.get() for _ in range(4)] == ["registry.heartbeat"] * 4
        assert me.state is PresenceState.HERE


async def test_whom_another_holder_takes_over_from_learns_of_it(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=by_name)
    async with connect(server.url, token="ann") as one, connect(server.url, token="ann") as two:
        told: list[SwarmwireError] = []
        errors: list[SwarmwireError] = []
        one.listen("error", errors.append)
        async with one.registry.register("a", kind="agent", id="a", ttl=1) as former:
            former.on_lost(told.append)
            async with two.registry.register("a", kind="agent", id="a") as newer:
                error = await lost(former)
                assert (error.code, former.state) == (ErrorCode.FENCED, PresenceState.LOST)
                assert newer.epoch > former.epoch
                assert told == errors == [error]
                with pytest.raises(SwarmwireError) as raised:
                    await former.update({"x": 1})
                assert raised.value.code is ErrorCode.FENCED
                with pytest.raises(SwarmwireError) as raised:
                    await one.publish("agent.a.status", 1)
                assert raised.value.code is ErrorCode.FENCED
                await former.unregister()
                assert (await two.registry.get("a")).state == "online"


async def test_an_update_that_comes_too_late_tells_that_it_was_lost(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=by_name)
    async with connect(server.url, token="ann") as one, connect(server.url, token="ann") as two:
        former = await one.registry.register("a", kind="agent", id="a")
        await two.registry.register("a", kind="agent", id="a")
        with pytest.raises(SwarmwireError) as raised:
            await former.update({"x": 1})
        assert raised.value.code is ErrorCode.FENCED
        assert (await lost(former)).code is ErrorCode.FENCED


async def test_a_fenced_holder_does_not_take_over_again_when_it_reconnects(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=by_name)
    async with connect(server.url, token="ann", base_delay=0.0) as one, connect(server.url, token="ann") as two:
        former = await one.registry.register("a", kind="agent", id="a")
        newer = await two.registry.register("a", kind="agent", id="a")
        cut(one)
        assert (await lost(former)).code is ErrorCode.FENCED
        assert (await two.registry.get("a")).epoch == newer.epoch


async def test_what_the_broker_does_not_like_of_an_update_is_no_loss(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.registry.register("a", kind="agent", metadata={"x": 1}) as me:
        with pytest.raises(SwarmwireError) as raised:
            await me.update({"x": "y" * 20_000})
        assert raised.value.code is ErrorCode.MESSAGE_TOO_LARGE
        assert me.state is PresenceState.HERE
        assert (await client.registry.get(me.id)).metadata == {"x": 1}


async def test_a_refused_registration_is_raised(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=by_name)
    async with connect(server.url, token="ann") as one, connect(server.url, token="bob") as two:
        await one.registry.register("a", kind="agent", id="a")
        with pytest.raises(SwarmwireError) as raised:
            await two.registry.register("a", kind="agent", id="a")
        assert raised.value.code is ErrorCode.CONFLICT
        with pytest.raises(SwarmwireError) as raised:
            await one.registry.register("b", kind="agent", ttl=0.5)
        assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "params.ttl")


async def test_after_a_broker_that_forgot_it_is_registered_anew_with_a_higher_epoch(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory(unix=str(tmp_path / "s.sock"))
    async with (
        connect(f"unix://{tmp_path / 's.sock'}", base_delay=0.0) as client,
        client.registry.register("a", kind="agent", metadata={"m": 1}) as me,
    ):
        epoch = me.epoch
        await server.stop()
        await server.start()
        async with client.registry.watch("agent") as watch:
            assert await next_changes(watch, 1) == ["registered"]
        assert (await client.registry.get(me.id)).metadata == {"m": 1}
        async with asyncio.timeout(PATIENCE), me._turn:
            assert me.epoch > epoch


async def test_a_client_that_leaves_takes_its_registration_along_without_a_will(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as watching, watching.registry.watch() as watch:
        async with connect(server.url) as client:
            me = await client.registry.register("a", kind="agent", will=Will("will.a", 1))
        assert await next_changes(watch, 2) == ["registered", "gone"]
        assert (await lost(me)).code is ErrorCode.UNAVAILABLE
        assert me.state is PresenceState.LOST
        assert server.broker.hub.engine.head == 2


async def test_a_will_is_published_when_its_owner_is_gone_without_a_word(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url) as watching,
        watching.subscribe("will.#") as wills,
        connect(server.url, reconnect=False) as client,
    ):
        await client.registry.register("a", kind="agent", ttl=1, will=Will("will.a", {"why": 1}, {"h": "1"}))
        cut(client)
        async with asyncio.timeout(PATIENCE):
            event = await anext(wills)
        assert (event.topic, event.data, event.headers) == ("will.a", {"why": 1}, {"h": "1"})


async def test_over_http_it_renews_itself_all_the_same(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url) as watching,
        connect(server.url.replace("ws://", "http://").removesuffix("/ws")) as client,
        client.registry.register("a", kind="agent", ttl=1) as me,
        watching.registry.watch() as watch,
    ):
        heard = heartbeats_of(me)
        assert await next_changes(watch, 1) == ["registered"]
        await me.update(status="busy")
        assert await next_changes(watch, 1) == ["updated"]
        async with asyncio.timeout(PATIENCE):
            for _ in range(6):
                await heard.get()
        assert (await watching.registry.get(me.id)).state == "online"


async def test_a_registration_that_was_awaited_can_be_entered_too(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        me = await client.registry.register("a", kind="agent")
        async with me as same:
            assert same is me
            assert len(await client.registry.list()) == 1
        assert await client.registry.list() == []


async def is_gone(client: Client, id: str) -> None:
    """Wait until nobody is registered by this id."""
    async with asyncio.timeout(PATIENCE):
        while id in [being.id for being in await client.registry.list()]:  # noqa: ASYNC110 - a broker is asked
            await asyncio.sleep(0.005)


async def test_who_gives_up_registering_leaves_nobody_behind(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        me = client.registry.register("a", kind="agent", id="a")
        starting = asyncio.create_task(me.start())
        while not me._tasks:  # noqa: ASYNC110 - until it has been asked for
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        while me._tasks:  # noqa: ASYNC110 - until that was taken back
            await asyncio.sleep(0.005)
        assert me.epoch > 0
        assert await client.registry.list() == []
        assert me.state is PresenceState.OUT


async def test_an_unregistering_that_is_cancelled_unregisters(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        me = await client.registry.register("a", kind="agent", id="a")
        leaving = asyncio.create_task(me.unregister())
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await is_gone(client, "a")


async def test_unregistering_without_a_connection_is_told_on_the_next_one_and_leaves_no_will(
    broker_factory: BrokerFactory,
) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.05) as client, connect(server.url) as other:
        me = await client.registry.register("a", kind="agent", id="a", ttl=60, will=Will("wills.a", 1))
        wills = await other.subscribe("wills.*", from_="now")
        off = asyncio.Event()
        client.listen("disconnected", lambda *_: off.set())
        cut(client)
        await asyncio.wait_for(off.wait(), PATIENCE)
        await me.unregister()
        await is_gone(other, "a")
        await other.publish("wills.end", "end")
        assert (await anext(wills)).data == "end"


async def test_an_unregistering_that_the_broker_could_not_do_is_asked_for_again(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        me = await client.registry.register("a", kind="agent", id="a", ttl=1)
        ask, refusals = me._ask, [ErrorCode.RATE_LIMIT_EXCEEDED, ErrorCode.UNAVAILABLE]

        async def refuse(method: str, params: dict[str, Any], timeout: float | None) -> Any:
            if refusals:
                raise SwarmwireError(refusals.pop())
            return await ask(method, params, timeout)

        me._ask = refuse
        await me.unregister()
        await is_gone(client, "a")
        assert refusals == []


async def test_who_has_unregistered_registers_by_another_object(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        me = client.registry.register("a", kind="agent", id="a")
        async with me:
            pass
        with pytest.raises(SwarmwireError, match="has unregistered a") as raised:
            await me.start()
        assert raised.value.code is ErrorCode.CONFLICT


async def test_starting_twice_at_once_registers_once(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        me = client.registry.register("a", kind="agent")
        heard = heartbeats_of(me)
        await asyncio.gather(me.start(), me.start())
        assert heard.get_nowait() == "registry.register"
        assert heard.empty()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ttl", None),
        ("ttl", "5"),
        ("ttl", float("nan")),
        ("ttl", float("inf")),
        ("capabilities", "gpu"),
        ("capabilities", None),
        ("will", {"topic": "a", "data": 1}),
    ],
)
async def test_what_is_no_such_value_is_refused_with_its_field(
    broker_factory: BrokerFactory, field: str, value: Any
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        with pytest.raises(SwarmwireError, match=r"Expected .*got") as raised:
            client.registry.register("a", kind="agent", **{field: value})
        assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, field)
        if field == "capabilities" and value is not None:
            with pytest.raises(SwarmwireError, match="Expected a list of strings, got str"):
                await client.registry.list(capabilities=value)
