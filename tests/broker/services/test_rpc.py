"""`rpc.*` as clients call it, over a broker in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, SwarmwireError, connect
from swarmwire_broker import Config, Server
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.messages import Permissions


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(Config(port=0, unix="off", limits=Limits(max_handlers=3))) as server:
        yield server


Pair = tuple[Client, Client]


@pytest.fixture
async def clients(server: Server) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(connect(server.url))
        yield first, await stack.enter_async_context(connect(server.url))


async def refused(client: Client, method: str, params: Any) -> tuple[ErrorCode, str | None]:
    with pytest.raises(SwarmwireError) as raised:
        await client.call(method, params)
    return raised.value.code, raised.value.field


async def listed(client: Client, method: str) -> list[tuple[bool, int]]:
    answer = await client.call("rpc.list", {"method": method})
    assert all(each["method"] == method for each in answer["methods"])
    return [(each["builtin"], each["handlers"]) for each in answer["methods"]]


async def test_what_is_registered_is_listed_with_the_number_of_its_handlers(clients: Pair) -> None:
    first, second = clients
    assert await listed(first, "greet") == []
    assert await first.call("rpc.register", {"methods": ["greet", "part"]}) == {"methods": ["greet", "part"]}
    await second.call("rpc.register", {"methods": ["greet"]})
    await second.call("rpc.register", {"methods": ["greet"]})
    assert await listed(first, "greet") == [(False, 2)]
    assert await listed(second, "part") == [(False, 1)]


async def test_the_list_of_all_is_in_order_and_has_the_methods_of_the_broker(clients: Pair) -> None:
    first, _ = clients
    await first.call("rpc.register", {"methods": ["zebra", "ape"]})
    methods = (await first.call("rpc.list"))["methods"]
    names = [each["method"] for each in methods]
    assert names == sorted(names)
    assert {"method": "rpc.register", "builtin": True, "handlers": 0} in methods
    assert {"ape", "zebra"} < set(names)


async def test_unregistering_says_what_it_took_away(clients: Pair) -> None:
    first, second = clients
    await first.call("rpc.register", {"methods": ["greet"]})
    assert await second.call("rpc.unregister", {"methods": ["greet"]}) == {"methods": []}
    assert await first.call("rpc.unregister", {"methods": ["other", "greet"]}) == {"methods": ["greet"]}
    assert await listed(first, "greet") == []


async def test_a_registration_ends_with_its_connection(server: Server, clients: Pair) -> None:
    async with connect(server.url) as other:
        await other.call("rpc.register", {"methods": ["greet"]})
        assert await listed(clients[0], "greet") == [(False, 1)]
    assert await listed(clients[0], "greet") == []


@pytest.mark.parametrize("method", ["rpc.register", "rpc.unregister"])
@pytest.mark.parametrize("params", [None, {}, {"methods": []}, {"methods": "greet"}])
async def test_a_list_of_methods_is_needed(clients: Pair, method: str, params: Any) -> None:
    assert await refused(clients[0], method, params) == (ErrorCode.INVALID_MESSAGE, "params.methods")


async def test_a_request_is_registered_whole_or_not_at_all(clients: Pair) -> None:
    first, _ = clients
    wrong = {"methods": ["greet", "lock.acquire"]}
    assert await refused(first, "rpc.register", wrong) == (ErrorCode.PERMISSION_DENIED, "params.methods[1]")
    wrong = {"methods": ["greet", "a..b"]}
    assert await refused(first, "rpc.register", wrong) == (ErrorCode.INVALID_TOPIC, "params.methods[1]")
    wrong = {"methods": ["a", "b", "c", "d"]}
    assert await refused(first, "rpc.register", wrong) == (ErrorCode.LIMIT_EXCEEDED, None)
    assert await listed(first, "greet") == []


async def test_handling_is_granted_by_method(server: Server, clients: Pair) -> None:
    first, second = clients
    assert first.identity is not None
    server.broker.hub.permit(
        first.identity.subject, Permissions(call=["rpc.register", "rpc.list", "rpc.register.orders.*"])
    )
    assert await refused(first, "rpc.register", {"methods": ["greet"]}) == (
        ErrorCode.PERMISSION_DENIED,
        "params.methods[0]",
    )
    await first.call("rpc.register", {"methods": ["orders.price"]})
    server.broker.hub.permit(first.identity.subject, Permissions(call=["rpc.list"]))
    assert await listed(second, "orders.price") == [], "what is withdrawn ends at once"
