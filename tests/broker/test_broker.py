"""A broker in this process, without any server around it."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any

import jwt
import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Auth, Config
from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.core.signals import Signal
from swarmwire_broker.server import Server
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .transports.wire import HELLO, Wire, eventually

SECRET = "a secret of at least thirty-two bytes!"


async def test_it_is_nothing_before_it_starts_and_after_it_stops() -> None:
    broker = Broker()
    for _ in range(2):
        assert not broker.is_running
        with pytest.raises(RuntimeError, match="not started"):
            _ = broker.hub
        with pytest.raises(RuntimeError, match="not started"):
            await broker.publish("a", 1)
        with pytest.raises(RuntimeError, match="not started"):
            broker.subscribe("a")
        await broker.start()
        await broker.start()
        assert broker.is_running
        assert await broker.publish("a", 1) == 1
        await broker.stop()
        await broker.stop()


async def test_only_a_stop_makes_it_stopped_and_a_start_ends_that() -> None:
    broker = Broker()
    assert not broker.is_stopped
    await broker.start()
    assert not broker.is_stopped
    await broker.stop()
    assert broker.is_stopped
    await broker.start()
    assert not broker.is_stopped
    await broker.stop()


async def test_a_start_after_a_stop_is_an_empty_log_of_another_epoch_and_the_counters_go_on() -> None:
    broker = Broker()
    await broker.start()
    epoch = broker.hub.engine.epoch
    await broker.publish("a", 1)
    await broker.stop()
    await broker.start()
    assert (broker.hub.engine.head, broker.hub.engine.epoch != epoch) == (0, True)
    await broker.publish("a", 1)
    assert broker.stats.publishes == 2
    await broker.stop()


async def test_a_stopped_broker_holds_nothing_of_its_log() -> None:
    broker = Broker()
    await broker.start()
    engine = weakref.ref(broker.hub.engine)
    await broker.publish("a", "x" * 1_000)
    await broker.stop()
    gc.collect()
    assert engine() is None
    assert broker.stats.gauges == {}


async def test_a_stop_says_goodbye_to_whoever_is_still_connected() -> None:
    async with Server(Config(port=0)) as server, await Wire.welcomed(server.port) as wire:
        local = server.broker.subscribe("#")
        await server.broker.stop()
        (bye,), code = await wire.ended()
        assert (bye["code"], code) == (1012, 1012)
        assert [event async for event in local] == []


async def test_signals_tell_of_its_life() -> None:
    heard: list[str] = []
    broker = Broker()
    await broker.start()
    signals: list[Signal] = ["stopping", "connection", "publish", "disconnect"]
    for signal in signals:
        broker.hub.on(signal, partial(_note, heard, signal))
    async with broker.subscribe("a"):
        await broker.publish("a", 1)
    broker.drain()
    broker.drain()
    assert heard == ["connection", "publish", "disconnect", "stopping"]
    await broker.stop()


def _note(heard: list[str], signal: str, facts: Mapping[str, Any]) -> None:
    heard.append(signal)


# ---- logging in


async def test_a_callable_of_the_embedder_decides_who_comes_in() -> None:
    async def authenticate(token: str | None, metadata: dict[str, Any]) -> Verified | None:
        if token != "open sesame":
            return None
        return Verified(subject=metadata["name"], permissions=Permissions(subscribe=["a.#"]))

    async with Server(Config(port=0), authenticate=authenticate) as server:
        assert server.broker.needs_login
        async with await Wire.open(server.port) as wire:
            await wire.send(**HELLO, token="open sesame", metadata={"name": "ali"})
            assert (await wire.expect("welcome"))["identity"]["subject"] == "ali"
            assert (await wire.ask(type="publish", topic="a", data=1, id=1))["code"] == "PERMISSION_DENIED"
        async with await Wire.open(server.port) as wire:
            await wire.send(**HELLO, token="wrong")
            assert await wire.farewell() == ("AUTHENTICATION_FAILED", 4401, 4401)
        assert server.broker.stats.logins_failed == 1


async def test_a_token_may_come_in_the_request_and_no_message_passes_the_login() -> None:
    async with Server(Config(port=0, auth=Auth(token="hunter2-hunter2"))) as server:
        async with await Wire.open(server.port, headers=[("Authorization", "bearer  hunter2-hunter2 ")]) as wire:
            await wire.send(**HELLO)
            await wire.send(type="ping", ts=1)
            await wire.expect("welcome")
            await wire.expect("pong")
        async with await Wire.open(server.port, headers=[("Authorization", "Basic hunter2-hunter2")]) as wire:
            await wire.send(**HELLO)
            await wire.send(type="publish", topic="a", data=1, id=1)
            assert await wire.farewell() == ("AUTHENTICATION_FAILED", 4401, 4401)
        assert server.broker.hub.engine.head == 0


async def test_no_hello_in_time_is_the_end() -> None:
    config = Config(port=0, limits=Limits(auth_timeout_ms=50))
    async with Server(config) as server, await Wire.open(server.port) as wire:
        assert await wire.farewell() == ("NOT_AUTHENTICATED", 4402, 4402)


async def test_revoking_closes_at_once_and_lets_the_token_in_no_more() -> None:
    def token(subject: str) -> str:
        now = int(time.time())
        return jwt.encode({"sub": subject, "exp": now + 60, "iat": now - 10, "jti": f"id-{subject}"}, SECRET)

    async with (
        Server(Config(port=0, auth=Auth(jwt_secret=SECRET))) as server,
        await Wire.welcomed(server.port, token=token("ali")) as ali,
        await Wire.welcomed(server.port, token=token("bob")) as bob,
        await Wire.welcomed(server.port, token=token("eve")) as eve,
    ):
        assert server.broker.revoke(subject="ali") == 1
        assert server.broker.revoke(token_id="id-bob") == 1
        for wire in (ali, bob):
            assert await wire.farewell() == ("AUTHENTICATION_FAILED", 4401, 4401)
        assert await eve.is_alive()
        for name in ("ali", "bob"):
            async with await Wire.open(server.port) as again:
                await again.send(**HELLO, token=token(name))
                assert await again.farewell() == ("AUTHENTICATION_FAILED", 4401, 4401)


async def test_a_login_that_is_under_way_when_the_client_vanishes_leaves_nothing() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def authenticate(token: str | None, metadata: dict[str, Any]) -> Verified:
        asked.set()
        await answer.wait()
        return Verified(subject="late", permissions=Permissions())

    async with Server(Config(port=0), authenticate=authenticate) as server:
        wire = await Wire.open(server.port)
        await wire.send(**HELLO)
        await asked.wait()
        wire.reset()
        # While it decides nothing is read, so the vanishing shows when the answer is out.
        answer.set()
        await eventually(lambda: not server.broker.hub.sessions)


async def test_hooks_and_callbacks_outlive_a_restart_and_hear_of_the_start() -> None:
    broker = Broker()
    heard: list[str] = []

    def refuse(offered: Offered) -> None:
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "Not here.")

    broker.on("started", lambda facts: heard.append("started"))
    broker.on("publish", lambda facts: heard.append(facts["topic"]))
    broker.route("secret.#", refuse)
    for _ in range(2):
        await broker.start()
        await broker.publish("open", 1)
        with pytest.raises(SwarmwireError, match="Not here"):
            await broker.publish("secret.a", 1)
        await broker.stop()
    assert heard == ["started", "open"] * 2
    assert broker.unroute("secret.#")


@pytest.mark.parametrize("value", [float("nan"), [1, {"a": float("inf")}], {"a": None, "b": -float("inf")}])
async def test_a_number_that_json_does_not_have_is_refused_and_not_turned_into_null(value: object) -> None:
    broker = Broker()
    await broker.start()
    with pytest.raises(SwarmwireError) as refused:
        await broker.publish("a", value)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, "data")
    assert await broker.publish("a", {"nothing": None}) == 1
    await broker.stop()
