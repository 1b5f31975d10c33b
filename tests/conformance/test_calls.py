"""Calls and their answers: the same over every transport."""

from __future__ import annotations

import asyncio
from typing import Any

from swarmwire_broker.core.methods import Asked, Method, Params
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .table import over
from .talk import PATIENCE, Message, Talk
from .ways import House


class _Count(Params):
    to: int


class _Methods:
    """Methods of the broker that answer as the tests need it."""

    def __init__(self, house: House) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        for name, params, run in (
            ("test.echo", _Count, self._echo),
            ("test.count", _Count, self._count),
            ("test.wait", Params, self._wait),
            ("test.fail", Params, self._fail),
        ):
            house.hub.calls.add(Method(name, params, run))

    def _echo(self, asked: Asked, params: _Count) -> int:
        return params.to

    async def _count(self, asked: Asked, params: _Count) -> None:
        for number in range(params.to):
            asked.more(number)

    async def _fail(self, asked: Asked, params: Params) -> None:
        raise SwarmwireError(ErrorCode.FENCED, "Too old.", field="params.token", details={"newest": 2})

    async def _wait(self, asked: Asked, params: Params) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def was_cancelled(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.cancelled.wait()


def call(talk: Talk, id: int, method: str, **fields: Any) -> None:
    talk.send(type="call", id=id, method=method, **fields)


async def registered(house: House, *methods: str) -> Talk:
    """A connection that handles these methods."""
    talk = await house.talk()
    answer = await talk.ask("call", method="rpc.register", params={"methods": list(methods)})
    assert answer["data"] == {"methods": list(methods)}
    return talk


@over("call")
async def test_call(house: House) -> None:
    _Methods(house)
    talk = await house.talk()
    assert await talk.ask("call", method="test.echo", params={"to": 3}) == {"type": "reply", "id": 1, "data": 3}
    error = await talk.ask("call", method="test.echo", params={"to": "x"})
    assert (error["type"], error["code"], error["field"]) == ("error", "INVALID_MESSAGE", "params.to")
    error = await talk.ask("call", method="test.unknown")
    assert (error["type"], error["code"]) == ("error", "METHOD_NOT_FOUND")
    error = await talk.ask("call", method="test.fail")
    assert (error["code"], error["field"], error["details"]) == ("FENCED", "params.token", {"newest": 2})
    await talk.close()


@over("stream")
async def test_stream(house: House) -> None:
    _Methods(house)
    talk = await house.talk()
    call(talk, 7, "test.count", params={"to": 100})
    replies = [await talk.answer(7) for _ in range(101)]
    assert [reply["data"] for reply in replies] == [*range(100), None]
    assert [reply.get("more", False) for reply in replies] == [True] * 100 + [False]
    assert replies[-1]["end"] is True
    await talk.close()


@over("call_given_up")
async def test_call_given_up(house: House) -> None:
    methods = _Methods(house)
    talk = await house.talk()
    call(talk, 7, "test.wait")
    await methods.begun.wait()
    talk.send(type="cancel", id=7)
    await methods.was_cancelled()
    if house.way != "http":  # there the request is gone, and with it who would be answered
        assert (await talk.answer(7))["code"] == "CANCELLED"
    assert await talk.publish("a", 1) == 1
    await talk.close()


@over("call_given_up")
async def test_vanished_caller(house: House) -> None:
    methods = _Methods(house)
    talk = await house.talk()
    call(talk, 7, "test.wait")
    await methods.begun.wait()
    talk.vanish()
    await methods.was_cancelled()


@over("call_timeout")
async def test_call_timeout(house: House) -> None:
    methods = _Methods(house)
    talk = await house.talk()
    error = await talk.ask("call", method="test.wait", timeout_ms=50)
    assert (error["type"], error["code"]) == ("error", "TIMEOUT")
    await methods.was_cancelled()
    await talk.close()


@over("handler")
async def test_handler(house: House) -> None:
    handler, caller = await registered(house, "greet", "price"), await house.talk()
    call(caller, 7, "greet", params={"name": "Ada"})
    asked = await handler.expect("call")
    assert (asked["method"], asked["params"]) == ("greet", {"name": "Ada"})
    assert asked["from"] == caller.welcome["identity"]["subject"]
    handler.send(type="reply", id=asked["id"], data="Hello", more=True)
    handler.send(type="reply", id=asked["id"], data="Ada")
    answers: list[Message] = [await caller.answer(7), await caller.answer(7)]
    assert answers == [
        {"type": "reply", "id": 7, "data": "Hello", "more": True},
        {"type": "reply", "id": 7, "data": "Ada"},
    ]
    call(caller, 8, "price")
    asked = await handler.expect("call")
    handler.send(type="error", id=asked["id"], code="OUT_OF_STOCK", message="None left.", details=[0])
    error = await caller.answer(8)
    assert (error["code"], error["handler_code"], error["details"]) == ("HANDLER_FAILED", "OUT_OF_STOCK", [0])
    call(caller, 9, "greet")
    asked = await handler.expect("call")
    caller.send(type="cancel", id=9)
    assert await handler.expect("cancel") == {"type": "cancel", "id": asked["id"]}
    assert (await caller.answer(9))["code"] == "CANCELLED"
    for talk in (handler, caller):
        await talk.close()


@over("handler_gone")
async def test_handler_gone(house: House) -> None:
    handler, caller = await registered(house, "greet"), await house.talk()
    call(caller, 7, "greet", timeout_ms=3_600_000)
    await handler.expect("call")
    handler.vanish()
    error = await caller.answer(7)
    assert (error["type"], error["code"]) == ("error", "HANDLER_GONE")
    assert (await caller.ask("call", method="greet"))["code"] == "METHOD_NOT_FOUND"
    await caller.close()
