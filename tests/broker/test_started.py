"""The broker's start: nobody is there then, so who asks for what has been is told of it later."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire import connect
from swarmwire_broker.config import Auth
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

STARTED = "$sys.daemon.started"


@pytest.mark.parametrize("pattern", [STARTED, "$sys.daemon.*", "$sys.#"])
@pytest.mark.parametrize("start", ["latest", "start", {"last": 1}, {"since_ms": 1}])
async def test_a_subscription_that_does_not_begin_now_is_told_of_it_first(
    broker: Server, pattern: str, start: Any
) -> None:
    async with connect(broker.url) as client, client.subscribe(pattern, from_=start) as events:
        event = await anext(aiter(events))
    assert (event.topic, event.seq, event.sender) == (STARTED, None, None)
    assert event.data["server"] == broker.broker.hub.info.id


async def test_one_that_begins_now_is_not(broker: Server) -> None:
    async with connect(broker.url) as client, client.subscribe("$sys.daemon.*") as events:
        broker.broker.hub.announce("$sys.daemon.test", {})
        assert (await anext(aiter(events))).topic == "$sys.daemon.test"


async def test_who_resumes_at_a_place_behind_it_is_not_told_again(broker: Server) -> None:
    epoch = broker.broker.hub.engine.epoch
    await broker.broker.publish("a", 1)
    async with connect(broker.url) as client:
        for before in (f"{epoch}:0", "another:7"):
            async with client.subscribe(STARTED, from_={"cursor": before}) as events:
                assert (await anext(aiter(events))).topic == STARTED
        async with client.subscribe("$sys.daemon.*", from_={"cursor": f"{epoch}:1"}) as events:
            broker.broker.hub.announce("$sys.daemon.test", {})
            assert (await anext(aiter(events))).topic == "$sys.daemon.test"


async def test_who_may_not_subscribe_to_it_is_not_told(broker_factory: BrokerFactory) -> None:
    may = Permissions(subscribe=["a.#"])
    server = await broker_factory(auth=Auth(token="sesame", default_permissions=may))
    async with connect(server.url, token="sesame") as client:
        for pattern in (STARTED, "$sys.#"):
            with pytest.raises(SwarmwireError) as refused:
                await client.subscribe(pattern, from_="latest")
            assert refused.value.code is ErrorCode.PERMISSION_DENIED


async def test_what_does_not_match_it_says_nothing_of_it(broker: Server) -> None:
    await broker.broker.publish("a", 1)
    async with connect(broker.url) as client, client.subscribe("#", from_="start") as events:
        assert (await anext(aiter(events))).topic == "a"


async def test_after_a_restart_a_client_that_comes_back_learns_of_it(broker: Server) -> None:
    first = broker.broker.hub.info.id
    async with connect(broker.url) as client, client.subscribe("$sys.daemon.started", from_="latest") as events:
        seen = aiter(events)
        assert (await anext(seen)).data["server"] == first
        port = broker.port
        await broker.stop()
        again = Server(type(broker.config)(port=port, unix="off"))
        async with again:
            assert (await anext(seen)).data["server"] == again.broker.hub.info.id != first


async def test_it_is_told_in_this_process_and_over_http_too(broker: Server) -> None:
    async with broker.broker.subscribe("$sys.daemon.#", from_="latest") as events:
        assert (await anext(events)).topic == STARTED  # type: ignore[union-attr]
    url = f"http://127.0.0.1:{broker.port}"
    async with connect(url) as client, client.subscribe("$sys.daemon.*", from_="latest") as found:
        event = await anext(aiter(found))
    assert event.data["pid"] == broker.broker.hub.info.pid
