"""Calls over the bus in memory, as over a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from swarmwire import (
    Call,
    CallError,
    SwarmwireError,
    connect,
)
from swarmwire_protocol.errors import ErrorCode

from .houses import PATIENCE, House


async def test_a_call_is_answered_by_the_client_that_handles_it(house: House) -> None:
    async with connect(house.url, name="other") as other:
        seen: list[Call] = []

        async def greet(params: dict[str, str], call: Call) -> str:
            seen.append(call)
            return f"Hello {params['name']}"

        await other.handler("greet", greet)
        assert await house.client.call("greet", {"name": "Ada"}) == "Hello Ada"
        (call,) = seen
        assert (call.method, call.caller) == ("greet", f"anonymous:{house.client.id}")
        assert 0 < call.seconds_left <= 30


async def test_a_streamed_answer_comes_piece_by_piece(house: House) -> None:
    async def count(params: int) -> AsyncIterator[int]:
        for number in range(params):
            yield number

    await house.client.handler("count", count)
    async with connect(house.url) as other:
        assert [each async for each in other.stream("count", 3)] == [0, 1, 2]


async def test_an_error_of_a_handler_keeps_its_code_and_any_other_says_nothing(house: House) -> None:
    def sell(params: str) -> None:
        if params == "nothing":
            raise CallError("OUT_OF_STOCK", "There is none left.", details={"left": 0})
        raise ValueError("a secret")

    await house.client.handler("sell", sell)
    async with connect(house.url) as other:
        with pytest.raises(SwarmwireError) as caught:
            await other.call("sell", "nothing")
        error = caught.value
        assert (error.code, error.handler_code) == (ErrorCode.HANDLER_FAILED, "OUT_OF_STOCK")
        assert (error.message, error.details) == ("There is none left.", {"left": 0})
        with pytest.raises(SwarmwireError, match="The handler failed") as caught:
            await other.call("sell", "something")
        assert (caught.value.code, caught.value.handler_code) == (ErrorCode.HANDLER_FAILED, None)


async def test_calls_are_shared_by_those_who_handle_a_method(house: House) -> None:
    async with connect(house.url) as one, connect(house.url) as two:
        await one.handler("who", lambda: "one")
        await two.handler("who", lambda: "two")
        assert sorted([await house.client.call("who") for _ in range(4)]) == ["one", "one", "two", "two"]
        (listed,) = (await house.client.call("rpc.list", {"method": "who"}))["methods"]
        assert listed == {"method": "who", "builtin": False, "handlers": 2}


async def test_a_handler_that_vanishes_fails_its_call_at_once(house: House) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    other = await connect(house.url)
    await other.handler("never", never)
    calling = asyncio.create_task(house.client.call("never"))
    await asked.wait()
    await other.disconnect()
    with pytest.raises(SwarmwireError) as caught:
        await calling
    assert caught.value.code is ErrorCode.HANDLER_GONE
    with pytest.raises(SwarmwireError) as caught:
        await house.client.call("never")
    assert caught.value.code is ErrorCode.METHOD_NOT_FOUND


@pytest.mark.parametrize("how", ["given up", "out of time", "vanished"])
async def test_a_handler_is_cancelled_when_nobody_waits_any_more(house: House, how: str) -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def never() -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await house.client.handler("never", never)
    async with connect(house.url) as other:
        calling = asyncio.create_task(other.call("never", timeout=0.05 if how == "out of time" else None))
        await asked.wait()
        if how == "given up":
            calling.cancel()
        elif how == "vanished":
            await other.disconnect()
        async with asyncio.timeout(PATIENCE):
            await cancelled.wait()
        with pytest.raises((SwarmwireError, asyncio.CancelledError)):
            await calling


async def test_a_handler_that_was_taken_away_is_called_no_more(house: House) -> None:
    handler = house.client.handler("once", lambda: 1)
    await handler
    assert await house.client.call("once") == 1
    handler()
    with pytest.raises(SwarmwireError) as caught:
        await house.client.call("once")
    assert caught.value.code is ErrorCode.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "params", "code", "field"),
    [
        ("rpc.list", {"method": 5}, ErrorCode.INVALID_MESSAGE, "params.method"),
        ("rpc.register", {}, ErrorCode.INVALID_MESSAGE, "params.methods"),
        ("rpc.register", {"methods": []}, ErrorCode.INVALID_MESSAGE, "params.methods"),
        ("rpc.register", {"methods": ["rpc.list"]}, ErrorCode.PERMISSION_DENIED, "params.methods[0]"),
    ],
)
async def test_what_cannot_be_registered_or_listed_is_refused_with_its_field(
    house: House, method: str, params: dict[str, object], code: ErrorCode, field: str
) -> None:
    with pytest.raises(SwarmwireError) as caught:
        await house.client.call(method, params)
    assert (caught.value.code, caught.value.field) == (code, field)
